"""Guessing slowed down: few wrong tokens per address and minute are even looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

BURST = 10
"""Wrong tokens that an address may try at once ..."""

SECONDS_PER_TRY = 6.0
"""... and after how long it may try one more."""

_MOST_ADDRESSES = 10_000


class Throttle:
    """Counts wrong tokens by address: a bucket that fills up again with time."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nobody known."""
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at: dict[str, float] = {}

    def wait_seconds(self, address: str) -> float:
        """Return how long an address must wait before its next try is looked at; 0: not at all."""
        with self._lock:
            owed = self._full_at.get(address, 0.0) - self._clock()
        return max(0.0, owed - (BURST - 1) * SECONDS_PER_TRY)

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        with self._lock:
            now = self._clock()
            if len(self._full_at) >= _MOST_ADDRESSES:
                self._full_at = {who: at for who, at in self._full_at.items() if at > now}
            self._full_at[address] = max(now, self._full_at.get(address, now)) + SECONDS_PER_TRY
