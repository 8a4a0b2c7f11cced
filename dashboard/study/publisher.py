"""Snapshots written in the background, so that no click waits for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from engine.errors import StoreError

log = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0
"""Between two snapshots of all changed studies: many ratings share one."""


class Publisher:
    """Calls ``publish`` for every study that was changed, soon, from a thread of its own."""

    def __init__(
        self, publish: Callable[[str], object], *, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        """Start the thread."""
        self._publish = publish
        self._pause_seconds = pause_seconds
        self._changed: set[str] = set()
        self._condition = threading.Condition()
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)
        self._thread.start()

    def request(self, study_id: str) -> None:
        """Have the snapshots of a study written soon."""
        with self._condition:
            self._changed.add(study_id)
            self._condition.notify()

    def close(self) -> None:
        """Write what is still to be written, and end the thread."""
        self._is_ending.set()
        with self._condition:
            self._condition.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._changed or self._is_ending.is_set())
                changed, self._changed = self._changed, set()
            if not changed:
                return
            for study_id in sorted(changed):
                try:
                    self._publish(study_id)
                except StoreError as error:
                    # The ratings are safe; the snapshot is written again with the next one.
                    log.warning("%s", error)
            self._is_ending.wait(self._pause_seconds)
