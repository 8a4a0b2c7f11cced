"""What every stage of a run works with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from emorl.config import RunConfig
from emorl.records import Prompt, Split
from emorl.runs.folder import RunFolder
from emorl.runs.publishing import Heartbeat
from emorl.runs.store import RunStore


class Progress(Protocol):
    """Receives progress; the command line shows bars."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """A part of the run begins; ``done`` of ``total`` is there from an earlier try."""

    def advance(self, n: int, note: str = "") -> None:
        """``n`` more are done; ``note`` is the latest figure."""

    def end(self) -> None:
        """The part is over."""


class NoProgress:
    """Progress that nobody watches."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Nothing."""

    def advance(self, n: int, note: str = "") -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """What every stage of a run works with."""

    config: RunConfig
    folder: RunFolder
    store: RunStore
    heartbeat: Heartbeat
    progress: Progress
    prompts: Sequence[Prompt]

    def texts(self, split: Split) -> list[str]:
        """Return the prompts of a split, in order."""
        return [prompt.prompt for prompt in self.prompts if prompt.split == split]
