"""The engine's heartbeat: publishes snapshots and ``status.json`` while a run works."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from emorl import interruption
from emorl.errors import DiskError, EmorlError, StoreError
from emorl.interruption import was_interrupted
from emorl.runs.folder import HEARTBEAT_SECONDS, RunFolder, Status
from emorl.runs.store import RunStore

_log = logging.getLogger(__name__)


class Heartbeat:
    """A thread that every ``HEARTBEAT_SECONDS`` publishes what changed and says "I live".

    Use it as a context manager around a run. Leaving it publishes once more and writes the
    last phase: ``finished`` (or ``paused``, where only some stages were asked for),
    ``interrupted`` (Ctrl-C) or ``failed`` with the error's message.
    """

    def __init__(self, store: RunStore, folder: RunFolder, expected: dict[str, int]) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ended = False
        self._error: BaseException | None = None
        before = _status_before(folder)
        self._status = Status(
            run_id=folder.run_id,
            phase="starting",
            expected=expected,
            pid=os.getpid(),
            started_at=time.time(),
            worked_before=0.0 if before is None else before.worked_seconds(),
            backend="" if before is None else before.backend,
        )
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._write()
        except DiskError as error:
            self.say(phase="failed", message=str(error))
            self._write_last_words()
            raise
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with interruption.deferred():  # an impatient second Ctrl-C too
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self._ended = True
        self._wake.set()
        self._thread.join()
        if error is None:
            if self._status.phase != "paused":
                self.say(phase="finished", detail="")
            self._write()
            return
        if was_interrupted(error):
            self.say(phase="interrupted", message="Stopped by the user; run again to go on.")
        else:
            self.say(phase="failed", message=_message(error))
        try:
            self._write()
        except DiskError:
            self._write_last_words()

    def say(self, **changes: Any) -> None:
        """Change fields of the status, e.g. ``phase="training"``, and write it soon."""
        with self._lock:
            self._status = replace(self._status, **changes)
        self._wake.set()

    def warn(self, text: str) -> None:
        """Add a warning that the dashboard shows, and log it."""
        _log.warning("%s", text)
        with self._lock:
            if text not in self._status.warnings:
                self._status = replace(self._status, warnings=(*self._status.warnings, text))

    def forget(self, beginning: str) -> None:
        """Take warnings back that begin so."""
        with self._lock:
            kept = [text for text in self._status.warnings if not text.startswith(beginning)]
            self._status = replace(self._status, warnings=tuple(kept))

    def check(self) -> None:
        """Raise in the thread that works what a beat has met, or Ctrl-C if it was dropped."""
        interruption.check()
        if self._error is not None:
            raise self._error

    def _beat(self) -> None:
        while not self._ended:
            try:
                self._write()
            except (EmorlError, KeyboardInterrupt) as error:
                self._error = error
                return
            self._wake.wait(HEARTBEAT_SECONDS)
            self._wake.clear()

    def _write_last_words(self) -> None:
        """Say at least why the run failed, where its tables cannot be published any more."""
        try:
            self._folder.write_status(replace(self._status, updated_at=time.time()))
        except OSError as error:
            _log.error("The last status could not be written: %s", error)

    def _write(self) -> None:
        self._store.publish(self._folder.published)
        counts = self._store.counts()
        with self._lock:
            self._status = replace(self._status, counts=counts, updated_at=time.time())
            status = self._status
        try:
            self._folder.write_status(status)
        except OSError as error:
            raise DiskError(
                f"Cannot write {self._folder.status}: {error}. Free some room and start the "
                "same command again, it goes on from there."
            ) from error


def _status_before(folder: RunFolder) -> Status | None:
    try:
        return folder.read_status()
    except StoreError:  # damaged: it is written anew
        return None


def _message(error: BaseException) -> str:
    if isinstance(error, EmorlError):
        return str(error)
    return f"{type(error).__name__}: {error}"
