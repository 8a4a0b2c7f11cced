"""What a desk remembers of an item on show, and what it says about the last click."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Outcome = Literal["saved", "failed", "incomplete", "refused"]


def admit_all() -> AbstractContextManager[str]:
    """Allow every write, under no entry of a log."""
    return nullcontext("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the page has to say about the last click."""

    outcome: Outcome
    item_code: str
    message: str


@dataclass(slots=True)
class Showing:
    """One visit to an item: the id its answer will bear, and when it was shown."""

    request_id: str
    started: float
    """On the desk's clock, which no change of the wall clock moves."""
    shown_at: datetime
    leased_until: float
    answered: str
    """Request of the answer that the item had then; "" without."""
