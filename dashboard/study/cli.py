"""``emorl study``: studies from the command line, also while the dashboard is open.

``python -m dashboard.study.cli ACTION ...`` is what ``emorl study`` starts. It never opens the
database of ratings, which the dashboard holds: it works on the files of the study, and reads
ratings from the snapshots that the dashboard publishes.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dashboard.study import owner, status
from dashboard.study.annotators import annotator_id
from dashboard.study.creation import prepare, seal
from dashboard.study.draft import (
    StudyDraft,
    check_not_sealed,
    create_draft,
    list_drafts,
    read_draft,
    write_draft,
)
from dashboard.study.guidelines import guidelines_for, read_guidelines
from dashboard.study.invites import active_places, deactivate, invite
from dashboard.study.plan import list_studies
from dashboard.study.sources import Source, offers
from dashboard.study.unblinding import close_study, open_study, study_state, unblind
from engine.errors import EmorlError, StudyError

Action = Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one action; return the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        options.action(options)
    except EmorlError as error:
        sys.stderr.write(f"emorl: {error}\n")
        return error.exit_code
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all actions."""
    parser = argparse.ArgumentParser(prog="emorl study", description="Plan and run blind studies.")
    parser.add_argument("--artifacts", type=Path, required=True, help=argparse.SUPPRESS)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _planning(actions)
    _running(actions)
    return parser


_Actions = argparse._SubParsersAction  # argparse offers no public name


def _add(
    actions: _Actions[argparse.ArgumentParser], name: str, action: Action, text: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text)
    parser.set_defaults(action=action)
    _common(parser)
    parser.add_argument("study", metavar="STUDY", help="name of the study")
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    # Also behind the action, where people write it; not given there, the one before holds.
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="folder of runs and studies; default: $EMORL_ARTIFACTS or ./artifacts",
    )


def _planning(actions: _Actions[argparse.ArgumentParser]) -> None:
    create = _add(actions, "create", _create, "plan a study of stored responses")
    create.add_argument("--run", default="", help="a finished run whose systems are rated")
    create.add_argument(
        "--system",
        action="append",
        default=[],
        metavar="NAME",
        help="base, adapter:OBJECTIVE or best; default: all that the run has; may be repeated",
    )
    create.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="W,W,...",
        help="an ensemble at these weights, from the run's atlases; may be repeated",
    )
    create.add_argument(
        "--split",
        choices=("inference", "aggregation"),
        default="inference",
        help="prompts to rate; default: inference",
    )
    create.add_argument("--mode", choices=("rating", "pairwise"), default="rating")
    numbers = (
        ("--items", "n_items_per_data_set", "prompts of each data set"),
        ("--ratings", "n_ratings_per_item", "annotators who rate an item"),
        ("--annotators", "n_annotators", "annotators who share the items"),
        ("--gold", "n_gold", "damaged copies"),
        ("--repeats", "n_repeats", "items shown twice"),
        ("--practice", "n_practice", "exercises"),
    )
    for option, name, text in numbers:
        default = StudyDraft.__dataclass_fields__[name].default
        create.add_argument(
            option, dest=name, type=int, default=default, help=f"{text}; default: {default}"
        )
    create.add_argument(
        "--guidelines", type=Path, default=None, metavar="FILE.toml|FILE.md", help="own guidelines"
    )
    create.add_argument(
        "--no-invites",
        action="store_true",
        help="whoever opens the page types a name; for one person on one machine",
    )
    imported = _add(actions, "import", _import, "add systems from a CSV or JSONL file to a draft")
    imported.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="columns system, prompt, response; also data_set and prompt_index",
    )
    seal_ = _add(actions, "seal", _seal, "check a draft and seal it: nothing changes afterwards")
    seal_.add_argument("--check", action="store_true", help="only say what would be sealed")
    seal_.add_argument("--accept", action="store_true", help="seal in spite of warnings")


def _running(actions: _Actions[argparse.ArgumentParser]) -> None:
    invite_ = _add(actions, "invite", _invite, "print links for annotators; opens the study")
    invite_.add_argument("names", nargs="+", metavar="NAME", help="code names of annotators")
    invite_.add_argument(
        "--end", action="store_true", help="end the links of these annotators; ratings stay"
    )
    invite_.add_argument(
        "--url", default="", help="where annotators reach the dashboard, for whole links"
    )
    status_ = actions.add_parser("status", help="say how far studies are")
    _common(status_)
    status_.add_argument("study", metavar="STUDY", nargs="?", help="name; default: list all")
    status_.add_argument("--json", action="store_true", help="for scripts")
    status_.set_defaults(action=_status)
    _add(actions, "open", _open, "take ratings (again)")
    _add(actions, "close", _close, "take no more ratings")
    unblind_ = _add(actions, "unblind", _unblind, "close for good and show results; logged")
    unblind_.add_argument("--reason", required=True, help="why, for the log")
    unblind_.add_argument("--by", default="", help="who does it; default: this user")
    export = _add(actions, "export", _export, "write ratings, datasheet and replication bundle")
    export.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="default: ./STUDY-study"
    )


def _create(options: argparse.Namespace) -> None:
    sources: tuple[Source, ...] = ()
    objectives: tuple[str, ...] = ("reflection", "empathy", "fluency")
    if options.run:
        offer = next((one for one in offers(options.artifacts) if one.run_id == options.run), None)
        if offer is None:
            raise StudyError(
                f"There is no finished run {options.run!r}. `emorl summary RUN` says how far a "
                "run is."
            )
        objectives = offer.objectives
        sources = owner.sources_of(
            offer,
            options.system,
            [owner.weights_of(text) for text in options.weights],
            options.split,
        )
    numbers = {
        name: getattr(options, name)
        for name in StudyDraft.__dataclass_fields__
        if name.startswith("n_")
    }
    guidelines = guidelines_for(objectives)
    if options.guidelines is not None:
        guidelines = read_guidelines(options.guidelines, guidelines)
    draft = StudyDraft(
        study_id=options.study,
        guidelines=guidelines,
        sources=sources,
        mode=options.mode,
        requires_invite=not options.no_invites,
        **numbers,
    )
    prepare(options.artifacts, draft)  # complains now about systems without responses
    create_draft(options.artifacts, draft)
    _say(f"Planned {options.study} with {len(sources)} systems.")
    _say(f"Next: emorl study seal {options.study} --check")


def _import(options: argparse.Namespace) -> None:
    check_not_sealed(options.artifacts, options.study)
    draft = read_draft(options.artifacts, options.study)
    changed, n_rows, systems = owner.with_file(options.artifacts, draft, options.file)
    if changed == draft:
        _say(f"{options.file} is in the study already; nothing was changed.")
        return
    write_draft(options.artifacts, changed)
    _say(f"Read {n_rows} responses of {len(systems)} systems: {', '.join(systems)}.")


def _seal(options: argparse.Namespace) -> None:
    check_not_sealed(options.artifacts, options.study)
    prepared = prepare(options.artifacts, read_draft(options.artifacts, options.study))
    for line in owner.summary_lines(prepared):
        _say(line)
    if options.check:
        return
    has_warnings = any(finding.weight == "warning" for finding in prepared.findings)
    if has_warnings and not options.accept and prepared.can_be_sealed:
        raise StudyError(
            "Nothing was sealed. Mend what the warnings above name, or accept them: `emorl study "
            f"seal {options.study} --accept`; the plan will keep them."
        )
    plan = seal(options.artifacts, options.study, expected=prepared.plan.seal)
    _say(f"Sealed. Hash of the manifest: {plan.seal}")
    if plan.requires_invite:
        _say(f"Next: emorl study invite {options.study} NAME ...")


def _invite(options: argparse.Namespace) -> None:
    active = active_places(options.artifacts, options.study)
    for name in options.names:
        if options.end:
            deactivate(options.artifacts, options.study, name)
            _say(f"{name}: the link is ended, the ratings are kept.")
        else:
            token = invite(options.artifacts, options.study, name)
            _say(f"{name}: {owner.invite_link(options.url, token)}")
            if annotator_id(name) in active:
                _say(f"  The earlier link of {name} has ended; all ratings are kept.")
    if not options.end:
        where = "" if options.url else " Put the dashboard's address before it, or use --url."
        _say(f"Each link is a key, shown only now: send it to its annotator alone.{where}")


def _status(options: argparse.Namespace) -> None:
    if options.study is None:
        for name in [*list_studies(options.artifacts), *list_drafts(options.artifacts)]:
            _say(f"{name}: {study_state(options.artifacts, name)}")
        return
    found = status.status(options.artifacts, options.study)
    _say(found.as_json() if options.json else "\n".join(found.lines()))


def _open(options: argparse.Namespace) -> None:
    open_study(options.artifacts, options.study, by=_user())
    _say(f"{options.study} is open for ratings.")


def _close(options: argparse.Namespace) -> None:
    close_study(options.artifacts, options.study, by=_user())
    _say(f"{options.study} is closed; `emorl study open {options.study}` opens it again.")


def _unblind(options: argparse.Namespace) -> None:
    at = unblind(options.artifacts, options.study, by=options.by or _user(), reason=options.reason)
    _say(f"{options.study} is unblinded since {at:%Y-%m-%d %H:%M} UTC; see the Results page.")


def _export(options: argparse.Namespace) -> None:
    from dashboard.study.export import export_study  # heavy: it runs the whole analysis

    out = options.out or Path(f"{options.study}-study")
    written = [
        path.relative_to(out) for path in export_study(options.artifacts, options.study, out)
    ]
    _say(f"Wrote {len(written)} files to {out}:")
    for name in dict.fromkeys(path.parts[0] for path in written):
        n_files = sum(path.parts[0] == name for path in written)
        _say(f"  {name}" + (f"/ ({n_files} files)" if (out / name).is_dir() else ""))
    _say(f"Every number again: python {out / 'replication' / 'replicate.py'}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
