"""Ctrl-C and SIGTERM, which a command remembers until it ends.

Compiled libraries may turn the exception of a signal handler into one of their own ("could not
determine the shape of object type ...") or drop it. Whoever has to know whether the user stopped
a command therefore asks here and does not judge by the type of an exception alone.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType

_Handler = Callable[[int, FrameType | None], object]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class _State:
    was_received: bool = False
    """No ``threading.Event``: a second signal inside ``set`` would wait for its own thread."""


_state = _State()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise ``KeyboardInterrupt``, and remember that one of them came.

    A signal that is ignored, as Ctrl-C is for a command put into the background, stays so.
    """
    _state.was_received = False
    with ExitStack() as handlers:
        for number in _SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                _replace(number, _interrupt, handlers)
        handlers.callback(_forget)
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block is over; it should take milliseconds."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[Callable[[], object]] = []
    try:
        with ExitStack() as handlers:
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    _replace(number, partial(_hold, came, handler), handlers)
            yield
    finally:
        if came:
            came[0]()


def ignore_from_now_on() -> None:
    """Let nothing disturb the end of a process that was told to stop."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def was_interrupted(error: BaseException | None = None) -> bool:
    """Tell whether ``error`` is, or is due to, a wish of the user to stop."""
    return isinstance(error, KeyboardInterrupt) or _state.was_received


def check() -> None:
    """Raise the ``KeyboardInterrupt`` that a library may have dropped."""
    if _state.was_received:
        raise KeyboardInterrupt


def _replace(number: int, handler: _Handler, back: ExitStack) -> None:
    # A stack puts all handlers back, also if one that is back already raises meanwhile.
    back.callback(signal.signal, number, signal.getsignal(number))
    signal.signal(number, handler)


def _forget() -> None:
    _state.was_received = False


def _hold(
    came: list[Callable[[], object]],
    handler: _Handler,
    number: int,
    frame: FrameType | None,
) -> None:
    came.append(partial(handler, number, frame))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _state.was_received = True
    raise KeyboardInterrupt
