"""What the actions of ``emorl study`` have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

Action = Callable[[argparse.Namespace], None]

Actions = argparse._SubParsersAction  # argparse offers no public name


def add_action(
    actions: Actions[argparse.ArgumentParser], name: str, action: Action, text: str
) -> argparse.ArgumentParser:
    """Add an action about one study; return its parser."""
    parser = actions.add_parser(name, help=text, description=text)
    parser.set_defaults(action=action)
    add_artifacts(parser)
    parser.add_argument("study", metavar="STUDY", help="name of the study")
    return parser


def add_artifacts(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where runs and studies are."""
    # Also behind the action, where people write it; not given there, the one before holds.
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="folder of runs and studies; default: $EMORL_ARTIFACTS or ./artifacts",
    )


def say(line: str) -> None:
    """Print a line; what the terminal or file cannot show, as its code."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
