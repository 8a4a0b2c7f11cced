"""The command line: ``emorl`` = ``python -m engine``.

Exit codes: 0 done, 1 failure, 2 wrong input, 130 interrupted.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from engine.commands.parser import build_parser
from engine.errors import EmorlError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.ERROR if options.quiet else logging.WARNING,
        format="%(levelname)s %(message)s",
    )
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return int(options.command(options))
    except EmorlError as error:
        print(f"emorl: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\nemorl: stopped; the same command goes on from what is stored.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("EMORL_DEBUG"):
            raise
        print(
            f"emorl: unexpected {type(error).__name__}: {error}. What was stored is kept. Set "
            "EMORL_DEBUG=1 to see where it happened.",
            file=sys.stderr,
        )
        return 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
