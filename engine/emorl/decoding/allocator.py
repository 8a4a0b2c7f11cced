"""Memory that was freed: the C library keeps it for later, unless it is told to give it back."""

from __future__ import annotations

import ctypes
import time
from typing import Any


def _find_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another library than glibc
        return None


_MALLOC_TRIM: Any = _find_trim()
_SECONDS_BETWEEN = 0.1
_last_time = 0.0


def give_back() -> None:
    """Give freed memory back to the system, where the C library can; takes about a millisecond.

    What is taken next is fresh memory, which is slower: worth it only where memory is scarce, and
    done only now and then.
    """
    global _last_time
    now = time.monotonic()
    if _MALLOC_TRIM is not None and now - _last_time >= _SECONDS_BETWEEN:
        _last_time = now
        _MALLOC_TRIM(0)
