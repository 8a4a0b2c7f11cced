"""``emorl study``: studies from the command line, also while the dashboard is open.

``python -m emorl_dashboard.study.owner.cli ACTION ...`` is what ``emorl study`` starts. It never
opens the database of ratings, which the dashboard holds: it works on the files of the study, and
reads ratings from the snapshots that the dashboard publishes.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from emorl.errors import EmorlError
from emorl_dashboard.study.custody.annotators import once_each
from emorl_dashboard.study.custody.invites import active_places, deactivate, invite
from emorl_dashboard.study.custody.unblinding import close_study, open_study, study_state, unblind
from emorl_dashboard.study.owner import steps
from emorl_dashboard.study.owner.cli_actions import Actions, add_action, add_artifacts, say
from emorl_dashboard.study.owner.cli_planning import add_planning
from emorl_dashboard.study.planning.draft import list_drafts
from emorl_dashboard.study.protocol.files import stored_text
from emorl_dashboard.study.protocol.plan import list_studies
from emorl_dashboard.study.reporting import status


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one action; return the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        _check_texts(options)
        options.action(options)
    except EmorlError as error:
        sys.stderr.write(f"emorl: {error}\n")
        return error.exit_code
    return 0


def _check_texts(options: argparse.Namespace) -> None:
    """Refuse what no file can store, before anything is written."""
    for value in vars(options).values():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                stored_text(text)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all actions."""
    parser = argparse.ArgumentParser(prog="emorl study", description="Plan and run blind studies.")
    parser.add_argument("--artifacts", type=Path, required=True, help=argparse.SUPPRESS)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_planning(actions)
    _running(actions)
    return parser


def _running(actions: Actions[argparse.ArgumentParser]) -> None:
    invite_ = add_action(actions, "invite", _invite, "print links for annotators; opens the study")
    invite_.add_argument("names", nargs="+", metavar="NAME", help="code names of annotators")
    invite_.add_argument("--end", action="store_true", help="end their links; ratings stay")
    invite_.add_argument(
        "--url", default="", help="where annotators reach the dashboard, for whole links"
    )
    status_ = actions.add_parser("status", help="say how far studies are")
    add_artifacts(status_)
    status_.add_argument("study", metavar="STUDY", nargs="?", help="name; default: list all")
    status_.add_argument("--json", action="store_true", help="for scripts")
    status_.set_defaults(action=_status)
    add_action(actions, "open", _open, "take ratings (again)")
    add_action(actions, "close", _close, "take no more ratings")
    unblind_ = add_action(actions, "unblind", _unblind, "close for good and show results; logged")
    unblind_.add_argument("--reason", required=True, help="why, for the log")
    unblind_.add_argument("--by", default="", help="who does it; default: this user")
    export = add_action(
        actions, "export", _export, "write ratings, datasheet and replication bundle"
    )
    export.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="default: ./STUDY-study"
    )


def _invite(options: argparse.Namespace) -> None:
    active = active_places(options.artifacts, options.study)
    names = once_each(options.names)
    if len(names) < len(options.names):
        say("Names that differ only in case or blanks are one annotator, who gets one link.")
    for name in names:
        if options.end:
            deactivate(options.artifacts, options.study, name)
            say(f"{name}: the link is ended, the ratings are kept.")
        else:
            token = invite(options.artifacts, options.study, name)
            say(f"{name}: {steps.invite_link(options.url, token)}")
            if name in active:
                say(f"  The earlier link of {name} has ended; all ratings are kept.")
    if not options.end:
        where = "" if options.url else " Put the dashboard's address before it, or use --url."
        say(f"Each link is a key, shown only now: send it to its annotator alone.{where}")


def _status(options: argparse.Namespace) -> None:
    if options.study is None:
        for name in [*list_studies(options.artifacts), *list_drafts(options.artifacts)]:
            say(f"{name}: {study_state(options.artifacts, name)}")
        return
    found = status.status(options.artifacts, options.study)
    say(found.as_json() if options.json else "\n".join(found.lines()))


def _open(options: argparse.Namespace) -> None:
    open_study(options.artifacts, options.study, by=_user())
    say(f"{options.study} is open for ratings.")


def _close(options: argparse.Namespace) -> None:
    close_study(options.artifacts, options.study, by=_user())
    say(f"{options.study} is closed; `emorl study open {options.study}` opens it again.")


def _unblind(options: argparse.Namespace) -> None:
    at = unblind(options.artifacts, options.study, by=options.by or _user(), reason=options.reason)
    say(f"{options.study} is unblinded since {at:%Y-%m-%d %H:%M} UTC; see the Results page.")


def _export(options: argparse.Namespace) -> None:
    from emorl_dashboard.study.reporting.export import (
        export_study,
    )  # heavy: it runs the whole analysis

    out = options.out or Path(f"{options.study}-study")
    paths = export_study(options.artifacts, options.study, out)
    written = [path.relative_to(out) for path in paths]
    say(f"Wrote {len(written)} files to {out}:")
    for name in dict.fromkeys(path.parts[0] for path in written):
        n_files = sum(path.parts[0] == name for path in written)
        say(f"  {name}" + (f"/ ({n_files} files)" if (out / name).is_dir() else ""))
    say(f"Every number again: python {out / 'replication' / 'replicate.py'}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"


if __name__ == "__main__":
    sys.exit(main())
