"""Local processes: one worker process per device or group of cores, a pipe to each.

A worker that is killed loses its unit and nothing else: the pool of ``concurrent.futures`` breaks
as a whole then, and a queue that workers share hangs if one dies while it holds the lock.
"""

from __future__ import annotations

import os
import pickle
import queue
import select
import struct
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from emorl.config.checks import check_at_least
from emorl.errors import PlugInError
from emorl.execution.executor import Ended, Event, Handle
from emorl.execution.units import Message, Unit, digest_of

_LENGTH = struct.Struct("<Q")

_PATIENCE_SECONDS = 0.5
"""How often a reader looks whether the process that it reads from is still there."""

_Received = queue.Queue[tuple["_WorkerProcess", Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Units run in processes of this machine, several at a time."""

    kind: str = "processes"

    workers: int = 0
    """Processes; 0 is one per GPU, or without one as many as the cores allow with ``threads``
    each."""

    def __post_init__(self) -> None:
        check_at_least("executor.*.workers", self.workers, 0)


def load(config: Config, threads: int = 1) -> ProcessExecutor:
    """Return an executor of local processes; they start with the first units."""
    if config.workers:
        return ProcessExecutor([{}] * config.workers)
    import torch

    n_devices = torch.cuda.device_count()
    if n_devices:
        return ProcessExecutor([{"CUDA_VISIBLE_DEVICES": str(i)} for i in range(n_devices)])
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ProcessExecutor([{}] * max(1, (n_cores or 1) // threads))


@dataclass(frozen=True, slots=True)
class UnitEnded:
    """What a worker sends after the last message of a unit."""

    error: BaseException | None


@dataclass(slots=True)
class _WorkerProcess:
    """A worker, and what it does just now."""

    process: subprocess.Popen[bytes]
    receiver: threading.Thread
    unit: Unit | None = None

    @classmethod
    def of(cls, process: subprocess.Popen[bytes], received: _Received) -> Self:
        """Read what the process sends, in a thread, until it ends; None comes last."""

        def receive() -> None:
            for content in messages(process.stdout, process):
                received.put((worker, _loaded(content)))
            received.put((worker, None))

        worker = cls(process, threading.Thread(target=receive, daemon=True))
        worker.receiver.start()
        return worker


class ProcessExecutor:
    """Runs units in worker processes; see ``Executor``."""

    def __init__(self, environments: list[dict[str, str]]) -> None:
        """Prepare one worker per environment; each adds to this process's own."""
        self._environments = environments
        self._workers: dict[int, _WorkerProcess] = {}
        self._waiting: deque[tuple[Unit, Handle | None]] = deque()
        self._received: _Received = queue.Queue()
        self._folder = tempfile.TemporaryDirectory(prefix="emorl-shared-")

    @property
    def slots(self) -> int:
        """Number of worker processes."""
        return len(self._environments)

    def share(self, data: bytes) -> Handle:
        """Write the data to a file that the workers read; see ``Executor``."""
        handle = Handle(digest_of(data))
        path = self._path(handle)
        if not path.exists():
            path.write_bytes(data)
        return handle

    def submit(self, unit: Unit, inputs: Handle | None = None) -> None:
        """Let a unit run as soon as a worker is free."""
        self._waiting.append((unit, inputs))

    def events(self) -> Iterator[Event]:
        """Yield what the workers send, whoever is first."""
        while True:
            self._start_waiting()
            if not any(worker.unit for worker in self._workers.values()):
                return
            worker, received = self._received.get()
            if worker not in self._workers.values():
                continue  # it was given up, and its last words with it
            unit = worker.unit
            if received is None:  # the pipe ended: so did the process
                self._forget(worker)
                if unit is not None:
                    yield Ended(unit, is_lost=True)
            elif isinstance(received, Message):
                yield received
            elif unit is not None:
                worker.unit = None
                yield Ended(unit, received.error)

    def clear(self) -> None:
        """Drop what waits, and end the workers that are at work."""
        self._waiting.clear()
        for worker in list(self._workers.values()):
            if worker.unit is not None:
                self._forget(worker)

    def close(self) -> None:
        """End the workers at once, and remove what was shared."""
        for worker in list(self._workers.values()):
            self._forget(worker)
        self._waiting.clear()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def process_ids(self) -> list[int]:
        """Return the processes of the workers that run."""
        return [worker.process.pid for worker in self._workers.values()]

    def _path(self, handle: Handle) -> Path:
        return Path(self._folder.name) / handle.digest

    def _start_waiting(self) -> None:
        for place in range(self.slots):
            if not self._waiting:
                return
            worker = self._workers.get(place)
            if worker is None:
                worker = self._workers[place] = self._started(place)
            if worker.unit is None:
                unit, inputs = self._waiting.popleft()
                path = str(self._path(inputs)) if inputs else None
                worker.unit = unit
                with suppress(OSError):  # it has ended, as its reader will say: the unit is lost
                    send(worker.process.stdin, (unit, path))

    def _started(self, place: int) -> _WorkerProcess:
        process = subprocess.Popen(
            [sys.executable, "-m", "emorl.execution.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=os.environ | _import_path() | self._environments[place],
        )
        return _WorkerProcess.of(process, self._received)

    def _forget(self, worker: _WorkerProcess) -> None:
        for place, known in list(self._workers.items()):
            if known is worker:
                del self._workers[place]
                worker.process.kill()
                worker.process.wait()
                worker.receiver.join()
                for pipe in (worker.process.stdin, worker.process.stdout):
                    _close(pipe)


def send(pipe: IO[bytes] | None, value: Any) -> None:
    """Write one value to a pipe of a process of ours.

    Pickles travel between processes that this executor started, never through files.
    """
    assert pipe is not None
    content = pickle.dumps(value)
    pipe.write(_LENGTH.pack(len(content)) + content)
    pipe.flush()


def messages(
    pipe: IO[bytes] | None, writer: subprocess.Popen[bytes] | None = None
) -> Iterator[bytes]:
    """Yield what ``send`` wrote, still pickled, until the other side has ended.

    Args:
        pipe: What the other side writes to; unbuffered where ``writer`` is given.
        writer: The process that writes. The end of the pipe alone does not tell that it is over:
            processes that it has forked hold the pipe open.
    """
    assert pipe is not None
    try:
        while len(head := _read(pipe, _LENGTH.size, writer)) == _LENGTH.size:
            (length,) = _LENGTH.unpack(head)
            content = _read(pipe, length, writer)
            if len(content) < length:
                return
            yield content
    except (OSError, ValueError):  # closed under us
        return


def _read(pipe: IO[bytes], size: int, writer: subprocess.Popen[bytes] | None) -> bytes:
    """Read so many bytes; fewer where the other side has ended."""
    found = bytearray()
    while len(found) < size:
        if writer is not None and not _is_readable(pipe, writer):
            break
        part = pipe.read(size - len(found))
        if not part:
            break
        found += part
    return bytes(found)


def _is_readable(pipe: IO[bytes], writer: subprocess.Popen[bytes]) -> bool:
    """Wait for something to read, or the pipe's end; False if the writer has ended before."""
    while True:
        has_ended = writer.poll() is not None
        if select.select([pipe], [], [], 0.0 if has_ended else _PATIENCE_SECONDS)[0]:
            return True
        if has_ended:
            return False


def _loaded(content: bytes) -> Any:
    """Unpickle what a worker sent; what cannot be read ends its unit."""
    try:
        return pickle.loads(content)
    except Exception as error:  # noqa: BLE001 - classes of plug-ins may raise anything
        return UnitEnded(
            PlugInError(
                f"What a worker sent cannot be read here: {type(error).__name__}: {error}. Rows, "
                "files and errors of a unit of work must be picklable, of classes that can be "
                "imported."
            )
        )


def _import_path() -> dict[str, str]:
    """Let workers import what this process can: modules of a user's rewards, say."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        try:
            pipe.close()
        except OSError:
            return  # what was not flushed goes to nobody
