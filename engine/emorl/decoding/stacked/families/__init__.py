"""Model families that have a fast back end. A family is a file.

A file names the model classes of Transformers that it reads (``CLASSES``), says of a policy what
it cannot read (``reasons``), and makes the back end (``load``).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Protocol, cast

from emorl.decoding.backend import Forward
from emorl.decoding.stacked.linear import Members
from emorl.models.policy import Policy


class Family(Protocol):
    """What a file of this package has."""

    @property
    def CLASSES(self) -> tuple[str, ...]:  # noqa: N802 - a constant of a module
        """Names of the model classes that it reads."""

    def reasons(self, policy: Policy) -> Iterator[str]:
        """Yield in plain words why this policy's base cannot be read, whatever its adapters."""

    def load(self, policy: Policy, members: Members) -> Forward:
        """Return the back end of these members."""


@cache
def families() -> dict[str, Family]:
    """Return the family of each model class that has one."""
    found: dict[str, Family] = {}
    for module in pkgutil.iter_modules(__path__):
        family = cast(Family, importlib.import_module(f"{__name__}.{module.name}"))
        found |= dict.fromkeys(family.CLASSES, family)
    return found


def family_of(policy: Policy) -> Family | None:
    """Return the family of a policy's base; None if it has no fast back end."""
    return families().get(type(policy.base).__name__)
