"""A kind of unit for tests of executors: counts, and ends its worker where it is told to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emorl.errors import TrainingError
from emorl.execution.units import CHECKPOINTS, Output, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Counts to ``n``, yielding each number, its square and the length of the inputs."""

    kind: str = "tests.support.counting:KIND"
    name: str
    n: int = 5
    checkpoint_every: int = 2
    fails_at: int = -1
    kills_at: int = -1
    """The worker's process ends at this number..."""
    kills: int = 0
    """... so many times; tries are counted by files in ``folder``."""
    folder: str = ""
    is_random: bool = False
    """Whether two tries give different results."""
    is_slow: bool = False
    forks: bool = False
    """Whether another process holds the worker's pipes for a while after it was killed."""


@dataclass(frozen=True)
class _Counting:
    config: Config
    worker: Worker

    def outputs(self, checkpoint: bytes | None, first: int) -> Iterator[Output]:
        config = self.config
        start = int(checkpoint) if checkpoint else 0
        assert start == first  # every message holds one number
        size = len(self.worker.inputs or b"")
        for number in range(start, config.n):
            if number == config.fails_at:
                raise TrainingError(f"{config.name} cannot count to {number}.")
            if number == config.kills_at and self._is_to_be_killed():
                if config.forks and os.fork() == 0:
                    time.sleep(20)
                    os._exit(0)
                os.kill(os.getpid(), signal.SIGKILL)
            if config.is_slow:
                time.sleep(0.02)
            salt = os.urandom(4).hex() if config.is_random else ""
            row = {"name": config.name + salt, "number": number, "square": number**2, "size": size}
            row["seconds"] = time.perf_counter()
            files = {}
            if (number + 1) % config.checkpoint_every == 0:
                files[f"{CHECKPOINTS}{config.name}"] = str(number + 1).encode()
            yield Output({"counts": [row]}, files, note=str(number), done=1)

    def _is_to_be_killed(self) -> bool:
        tries = Path(self.config.folder) / f"{self.config.name}.tries"
        n_before = len(tries.read_text()) if tries.exists() else 0
        tries.write_text("x" * (n_before + 1))
        return n_before < self.config.kills


class KIND:
    """What the setting names."""

    Config = Config
    load = staticmethod(_Counting)


class MemoryWriter:
    """A writer that keeps everything in memory."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.lines: dict[str, dict[int, str]] = {}
        self.checkpoints: dict[str, tuple[bytes, int]] = {}
        self.done: set[str] = set()
        self.n_finished = 0

    def ledger(self, unit: str) -> dict[int, str]:
        return self.lines.get(unit, {})

    def is_done(self, unit: str) -> bool:
        return unit in self.done

    def checkpoint(self, unit: str) -> tuple[bytes | None, int]:
        return self.checkpoints.get(unit, (None, 0))

    def write(self, message: object) -> None:
        from emorl.execution.units import Message

        assert isinstance(message, Message)
        self.rows += [dict(row) for row in message.output.tables.get("counts", ())]
        self.lines.setdefault(message.unit, {})[message.number] = message.digest
        for name, content in message.output.files.items():
            assert name.startswith(CHECKPOINTS)
            self.checkpoints[message.unit] = (content, message.number + 1)

    def finish(self, unit: str) -> None:
        self.done.add(unit)
        self.n_finished += 1

    def counts(self) -> list[tuple[object, object, object]]:
        """Return what was counted, sorted."""
        return sorted((row["name"], row["number"], row["size"]) for row in self.rows)
