"""Snapshots written in the background, so that no click waits for them."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from weakref import WeakSet

from emorl.errors import StoreError

log = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0
"""Between two snapshots of all changed studies: many ratings share one."""

_open_here: dict[Path, WeakSet[Publisher]] = defaultdict(WeakSet)
"""By database: those that this process writes snapshots of."""

_registering = threading.Lock()


class Publisher:
    """Calls ``publish`` for every study that was changed, soon, from a thread of its own.

    What cannot be written is tried again until it is.
    """

    def __init__(
        self,
        publish: Callable[[str], object],
        database: Path,
        *,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        """Start the thread."""
        self._publish = publish
        self._database = database.resolve()
        self._pause_seconds = pause_seconds
        self._changed: set[str] = set()
        self._condition = threading.Condition()
        # Whoever finds nothing to be written knows that it is written, not about to be.
        self._publishing = threading.RLock()
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)
        with _registering:
            _open_here[self._database].add(self)
        self._thread.start()

    def request(self, study_id: str) -> None:
        """Have the snapshots of a study written soon."""
        with self._condition:
            self._changed.add(study_id)
            self._condition.notify()

    def catch_up(self, study_id: str) -> None:
        """Have the snapshots of a study written when this returns, if it was changed.

        Raises:
            StoreError: If they cannot be written; that is tried again.
        """
        with self._publishing:
            with self._condition:
                if study_id not in self._changed:
                    return
                self._changed.remove(study_id)
            try:
                self._publish(study_id)
            except BaseException:
                with self._condition:
                    self._changed.add(study_id)
                raise

    def close(self) -> None:
        """Write what is still to be written, and end the thread."""
        self._is_ending.set()
        with self._condition:
            self._condition.notify()
        self._thread.join()
        with _registering:
            _open_here[self._database].discard(self)

    def _work(self) -> None:
        failed: set[str] = set()
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._changed or self._is_ending.is_set())
                changed = sorted(self._changed)
            is_last = self._is_ending.is_set()
            failed = {study_id for study_id in changed if not self._try(study_id, failed)}
            if is_last:
                return
            self._is_ending.wait(self._pause_seconds)

    def _try(self, study_id: str, failed_before: set[str]) -> bool:
        try:
            self.catch_up(study_id)
        except StoreError as error:
            if study_id not in failed_before:  # said once, not every other second
                log.warning("%s", error)
            return False
        return True


def request_here(database: Path, study_id: str) -> None:
    """Have the snapshots of a study written soon, whatever this process has changed."""
    with _registering:
        found = tuple(_open_here.get(database.resolve(), ()))
    for publisher in found:
        publisher.request(study_id)


def catch_up_here(database: Path, study_id: str) -> bool:
    """Write the snapshots of a study if this process has changed it; False if it cannot know.

    Raises:
        StoreError: If they cannot be written; that is tried again.
    """
    with _registering:
        found = tuple(_open_here.get(database.resolve(), ()))
    for publisher in found:
        publisher.catch_up(study_id)
    return bool(found)
