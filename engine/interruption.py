"""Ctrl-C and SIGTERM, which a command remembers until it ends.

Compiled libraries may turn the exception of a signal handler into one of their own ("could not
determine the shape of object type ...") or drop it. Whoever has to know whether the user stopped
a command therefore asks here and does not judge by the type of an exception alone.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_received = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise ``KeyboardInterrupt``, and remember that one of them came.

    A signal that is ignored, as Ctrl-C is for a command put into the background, stays so.
    """
    _received.clear()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _received.clear()


@contextmanager
def deferred() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block is over; it should take milliseconds."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    came: list[Callable[[], object]] = []
    for number, handler in handlers.items():
        if callable(handler):
            signal.signal(number, partial(_hold, came, handler))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            came[0]()


def was_interrupted(error: BaseException | None = None) -> bool:
    """Tell whether ``error`` is, or is due to, a wish of the user to stop."""
    return isinstance(error, KeyboardInterrupt) or _received.is_set()


def check() -> None:
    """Raise the ``KeyboardInterrupt`` that a library may have dropped."""
    if _received.is_set():
        raise KeyboardInterrupt


def _hold(
    came: list[Callable[[], object]],
    handler: Callable[[int, FrameType | None], object],
    number: int,
    frame: FrameType | None,
) -> None:
    came.append(partial(handler, number, frame))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _received.set()
    raise KeyboardInterrupt
