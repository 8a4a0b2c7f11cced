"""The command line: ``emorl`` = ``python -m emorl``.

Exit codes: 0 done, 1 failure, 2 wrong input, 130 interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from emorl.commands.parser import build_parser
from emorl.errors import EmorlError
from emorl.interruption import ignore_from_now_on, interruptible, was_interrupted

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.ERROR if options.quiet else logging.WARNING,
        format="%(levelname)s %(message)s",
    )
    with interruptible():
        try:
            return int(options.command(options))
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # each is told below
            return _exit_code(error)


def program() -> None:
    """Run one command as a process of its own."""
    code = main()
    if code == INTERRUPTED:
        ignore_from_now_on()
    sys.exit(code)


def _exit_code(error: BaseException) -> int:
    """Say what ended the command; return the exit code that says it to scripts."""
    if was_interrupted(error):
        _say("stopped; the same command goes on from what is stored.")
        return INTERRUPTED
    if isinstance(error, EmorlError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, BrokenPipeError):  # who reads our output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if os.environ.get("EMORL_DEBUG"):
        raise error
    _say(
        f"unexpected {type(error).__name__}: {error}. What was stored is kept. Set "
        "EMORL_DEBUG=1 to see where it happened."
    )
    return 1


def _say(text: str) -> None:
    print(f"emorl: {text}", file=sys.stderr)


if __name__ == "__main__":
    program()
