"""The serial executor: units run one after the other in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from emorl.errors import EmorlError
from emorl.execution.executor import Ended, Event, Handle, Keep
from emorl.execution.units import Unit, digest_of, run_unit
from emorl.interruption import was_interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One unit at a time, in the process of the command: the default, which needs nothing."""

    kind: str = "serial"


class SerialExecutor:
    """Runs each unit while its events are read."""

    slots = 1

    def __init__(self) -> None:
        """Start with an empty queue."""
        self._waiting: deque[tuple[Unit, Handle | None]] = deque()
        self._shared: dict[str, bytes] = {}
        self._worker = Keep()

    def share(self, data: bytes) -> Handle:
        """Keep the data; see ``Executor``."""
        handle = Handle(digest_of(data))
        self._shared[handle.digest] = data
        return handle

    def submit(self, unit: Unit, inputs: Handle | None = None) -> None:
        """Append a unit to the queue."""
        self._waiting.append((unit, inputs))

    def events(self) -> Iterator[Event]:
        """Run what waits, and yield its messages as they come."""
        while self._waiting:
            unit, inputs = self._waiting.popleft()
            self._worker.inputs = self._shared[inputs.digest] if inputs else None
            try:
                yield from run_unit(unit, self._worker)
            except EmorlError as error:
                if was_interrupted(error):
                    raise
                yield Ended(unit, error)
            else:
                yield Ended(unit)

    def clear(self) -> None:
        """Drop what waits; nothing runs between two events."""
        self._waiting.clear()

    def close(self) -> None:
        """Drop what is kept."""
        self._waiting.clear()
        self._shared.clear()
        self._worker = Keep()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(config: Config) -> SerialExecutor:
    """Return a serial executor."""
    del config  # it has no settings
    return SerialExecutor()
