"""Progress bars with rates and time left."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm


def quieten_transformers() -> None:
    """Leave the terminal to our own bars and messages."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


class Bars:
    """One bar after the other on standard error; silent when ``quiet``."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begin a bar at ``done`` of ``total``."""
        self._bar = tqdm(
            total=total, initial=done, desc=what, disable=self._quiet, dynamic_ncols=True
        )

    def advance(self, n: int, note: str = "") -> None:
        """Move the bar on by ``n`` and show ``note`` behind it."""
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(n)

    def end(self) -> None:
        """Leave the finished bar on the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
