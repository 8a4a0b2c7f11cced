"""What the checks before sealing have to say, and the words that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["stop", "warning", "note"]

MOST_LISTED = 6
"""A sentence names no more; it counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something the owner should know."""

    severity: Severity
    message: str


def listed(names: Sequence[str]) -> str:
    """Return names with commas between, and how many more there are."""
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more


def counted(n: int, thing: str) -> str:
    """Return a number with its thing, in the plural where there are several."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
