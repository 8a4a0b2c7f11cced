"""Actions of ``emorl study`` before the seal: create, import, rename, remove, seal."""

from __future__ import annotations

import argparse
from pathlib import Path

from emorl.errors import StudyError
from emorl_dashboard.study.owner import steps
from emorl_dashboard.study.owner.cli_actions import Actions, add_action, say
from emorl_dashboard.study.planning import source_changes
from emorl_dashboard.study.planning.creation import prepare, seal
from emorl_dashboard.study.planning.draft import (
    StudyDraft,
    check_not_sealed,
    create_draft,
    left_aside,
    read_draft,
    with_sources,
)
from emorl_dashboard.study.planning.finding import counted
from emorl_dashboard.study.planning.offers import offers
from emorl_dashboard.study.planning.sources import Source
from emorl_dashboard.study.protocol.guidelines import guidelines_for, read_guidelines


def add_planning(actions: Actions[argparse.ArgumentParser]) -> None:
    """Add the actions of a study that is planned."""
    _add_create(actions)
    _add_sources(actions)
    seal_ = add_action(
        actions, "seal", _seal, "check a draft and seal it: nothing changes afterwards"
    )
    seal_.add_argument("--check", action="store_true", help="only say what would be sealed")
    seal_.add_argument("--accept", action="store_true", help="seal in spite of warnings")


def _add_create(actions: Actions[argparse.ArgumentParser]) -> None:
    create = add_action(actions, "create", _create, "plan a study of stored responses")
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
        "--method",
        action="append",
        default=[],
        metavar="NAME",
        help="the weights that a search of the run found: hierarchical, grid, bayesian, certified "
        "...; may be repeated",
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


def _add_sources(actions: Actions[argparse.ArgumentParser]) -> None:
    imported = add_action(
        actions, "import", _import, "add systems from a CSV or JSONL file to a draft"
    )
    imported.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="columns system, prompt, response; also data_set and prompt_index",
    )
    imported.add_argument(
        "--replace", action="store_true", help="take the place of a file of the same name"
    )
    rename = add_action(actions, "rename", _rename, "call a system of a draft something else")
    rename.add_argument(
        "name",
        metavar="NAME",
        help="what the study calls the system now; if it calls none so, its stored name",
    )
    rename.add_argument("new", metavar="NEW", help="what to call it")
    remove = add_action(actions, "remove", _remove, "take a system or a file out of a draft")
    remove.add_argument("name", metavar="NAME", help="of the system, or of the imported file")
    for parser in (rename, remove):
        parser.add_argument(
            "--from",
            dest="origin",
            default="",
            metavar="RUN|FILE",
            help="where it comes from, if several have one of this name; default: all",
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
        sources = steps.sources_of(
            offer,
            options.system,
            [steps.weights_of(text) for text in options.weights],
            options.split,
            options.method,
        )
    numbers = {
        name: getattr(options, name)
        for name in StudyDraft.__dataclass_fields__
        if name.startswith("n_")
    }
    guidelines = guidelines_for(objectives)
    if options.guidelines is not None:
        guidelines = read_guidelines(options.guidelines, guidelines)
    empty = StudyDraft(
        study_id=options.study,
        guidelines=guidelines,
        mode=options.mode,
        requires_invite=not options.no_invites,
        **numbers,
    )
    draft = with_sources(empty, *sources)
    prepare(options.artifacts, draft)  # complains now about systems without responses
    create_draft(options.artifacts, draft)
    for line in left_aside(empty, *sources):
        say(line)
    say(f"Planned {options.study} with {counted(len(draft.sources), 'system')}.")
    say(f"Next: emorl study seal {options.study} --check")


def _import(options: argparse.Namespace) -> None:
    check_not_sealed(options.artifacts, options.study)
    draft = read_draft(options.artifacts, options.study)
    changed, n_rows, systems = steps.with_file(
        options.artifacts, draft, options.file, replaces=options.replace
    )
    if changed == draft:
        say(f"{options.file} is in the study already; nothing was changed.")
        return
    source_changes.keep(options.artifacts, draft, changed)
    say(f"Read {n_rows} responses of {len(systems)} systems: {', '.join(systems)}.")


def _rename(options: argparse.Namespace) -> None:
    check_not_sealed(options.artifacts, options.study)
    draft = read_draft(options.artifacts, options.study)
    changed = source_changes.renamed(
        options.artifacts, draft, options.name, options.new, origin=options.origin
    )
    source_changes.keep(options.artifacts, draft, changed)
    say(f"{options.name} is called {options.new.strip()} in {options.study}.")


def _remove(options: argparse.Namespace) -> None:
    check_not_sealed(options.artifacts, options.study)
    draft = read_draft(options.artifacts, options.study)
    changed = source_changes.without(draft, options.name, origin=options.origin)
    source_changes.keep(options.artifacts, draft, changed)
    n_gone = len(draft.sources) - len(changed.sources)
    say(f"Took {options.name} out of {options.study}: {n_gone} of {len(draft.sources)} sources.")


def _seal(options: argparse.Namespace) -> None:
    check_not_sealed(options.artifacts, options.study)
    prepared = prepare(options.artifacts, read_draft(options.artifacts, options.study))
    for line in steps.summary_lines(prepared):
        say(line)
    if options.check:
        return
    has_warnings = any(finding.severity == "warning" for finding in prepared.findings)
    if has_warnings and not options.accept and prepared.can_be_sealed:
        raise StudyError(
            "Nothing was sealed. Mend what the warnings above name, or accept them: `emorl study "
            f"seal {options.study} --accept`; the plan will keep them."
        )
    plan = seal(options.artifacts, options.study, expected=prepared.plan.seal)
    say(f"Sealed. Hash of the manifest, to be put into a preregistration: {plan.seal}")
    if plan.requires_invite:
        say(f"Next: emorl study invite {options.study} NAME ...")
