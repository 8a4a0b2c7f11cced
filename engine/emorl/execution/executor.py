"""Executors: where units run. What they have in common, and how to get one by its settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

from emorl.execution.units import Message, Unit


@dataclass(frozen=True, slots=True)
class Ended:
    """A unit is over."""

    unit: Unit
    error: BaseException | None = None
    """What it raised; None if it is done."""
    is_lost: bool = False
    """Whether its worker ended under it: submit it again, with its newest checkpoint."""


Event = Message | Ended


@dataclass(frozen=True, slots=True)
class Handle:
    """Data that units read, shared with all workers once."""

    digest: str
    """``units.digest_of`` the data."""


class Executor(Protocol):
    """Runs units. Used by one thread, which submits and reads events in turns.

    Whatever the executor, a unit yields the same messages: it changes neither the number of
    threads that a unit computes with, nor what is computed together.
    """

    @property
    def slots(self) -> int:
        """How many units run at once; more may be submitted, and wait."""

    def share(self, data: bytes) -> Handle:
        """Make data available to the units that are submitted with the handle."""

    def submit(self, unit: Unit, inputs: Handle | None = None) -> None:
        """Let a unit run as soon as a worker is free."""

    def events(self) -> Iterator[Event]:
        """Yield what happens; ends when no submitted unit is left.

        Messages of one unit come in order; after its ``Ended`` none comes. ``submit`` may be
        called while events are read.
        """

    def clear(self) -> None:
        """Give up all submitted units, those that run too; more can be submitted afterwards."""

    def close(self) -> None:
        """End the workers; what they had not yielded is given up."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Keep:
    """What a worker keeps between units: loaded models, by what they were made from."""

    def __init__(self, most: int = 4) -> None:
        """Keep nothing yet, and ``most`` things later; the longest unused goes first."""
        self._most = most
        self._kept: dict[str, Any] = {}
        self.inputs: bytes | None = None

    def keep(self, key: str, make: Any) -> Any:
        """Return what was made under this key, or make it; see ``units.Worker``."""
        found = self._kept.pop(key) if key in self._kept else make()
        self._kept[key] = found
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return found
