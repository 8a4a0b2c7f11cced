"""What an owner does while planning, for the Study page and the command line alike."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emorl.errors import DiskError, StudyError
from emorl_dashboard.study.planning.creation import Prepared
from emorl_dashboard.study.planning.draft import StudyDraft, check_not_sealed, with_sources
from emorl_dashboard.study.planning.imported import LONGEST_NAME, read_responses
from emorl_dashboard.study.planning.offers import RunOffer
from emorl_dashboard.study.planning.source_changes import check_distinct
from emorl_dashboard.study.planning.sources import Source, SourceSplit
from emorl_dashboard.study.protocol.assignment import n_expected_ratings
from emorl_dashboard.study.protocol.files import stored_text
from emorl_dashboard.study.protocol.plan import study_folder
from emorl_dashboard.study.reporting.planned_power import sentences, smallest_found


class FileKnownError(StudyError):
    """A file of this name is in the study, with other content."""


def sources_of(
    offer: RunOffer,
    systems: Sequence[str],
    weights: Sequence[tuple[float, ...]],
    split: SourceSplit,
    methods: Sequence[str] = (),
) -> tuple[Source, ...]:
    """Return the chosen systems of a run; all stored ones if nothing was chosen.

    Args:
        offer: The run.
        systems: Names of stored systems.
        weights: Of ensembles.
        split: Whose prompts are rated.
        methods: Names of searches, for the weights that they found.

    Raises:
        StudyError: If the run has no such system or method, a method no responses to these
            prompts, or too few or many weights are given.
    """
    unknown = [name for name in systems if name not in offer.systems]
    if unknown:
        raise StudyError(
            f"Run {offer.run_id!r} has no stored system {', '.join(unknown)}; it has "
            f"{', '.join(offer.systems) or 'none'}."
        )
    for one in weights:
        if len(one) != len(offer.objectives):
            raise StudyError(
                f"Give one weight per objective ({', '.join(offer.objectives)}), got "
                f"{len(one)}: {','.join(map(str, one))}."
            )
    if not systems and not weights and not methods:
        systems = offer.systems
    return (
        *(
            Source(kind="system", run_id=offer.run_id, split=split, system=name)
            for name in systems
        ),
        *(
            Source(kind="weights", run_id=offer.run_id, split=split, weights=one)
            for one in weights
        ),
        *(_method(offer, name, split) for name in methods),
    )


def _method(offer: RunOffer, name: str, split: SourceSplit) -> Source:
    found = [one for one in offer.methods if name in (one.name, one.name.removesuffix(" search"))]
    if not found:
        known = ", ".join(one.name for one in offer.methods)
        raise StudyError(
            f"No method {name!r} has found weights in run {offer.run_id!r}; it has "
            f"{known or 'none'}. `emorl search` and `emorl atlas` search."
        )
    if split not in found[0].splits:
        raise StudyError(
            f"The weights of the {found[0].name} have no stored responses to the prompts of the "
            f"{split} split of run {offer.run_id!r}. `emorl atlas {offer.run_id} --split {split}` "
            "maps them."
        )
    source = Source(kind="weights", run_id=offer.run_id, split=split, weights=found[0].weights)
    return replace(source, labels=((source.stored_name, found[0].name),))


def weights_of(text: str) -> tuple[float, ...]:
    """Return the weights that somebody typed, with commas between.

    Raises:
        StudyError: If they are no numbers.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise StudyError(f"Weights are numbers with commas between, got {text!r}.") from error


def with_file(
    artifacts: Path, draft: StudyDraft, path: Path, *, replaces: bool = False
) -> tuple[StudyDraft, int, tuple[str, ...]]:
    """Copy a file of responses into the study's folder and add it to the draft.

    A file that the draft has already changes nothing.

    Args:
        artifacts: The artifacts folder.
        draft: What to add to.
        path: CSV or JSONL.
        replaces: Whether it may take the place of a file of the same name with other content.

    Returns:
        The changed draft, the number of responses, and the names of the systems.

    Raises:
        StudyError: If the study is sealed, has another file of this name that is not to be
            replaced, or two systems of the file would have one name; nothing was copied.
        DataError: If the file cannot be read or a row does not fit; nothing was copied.
        DiskError: If it cannot be copied.
    """
    rows = read_responses(path)
    systems = tuple(dict.fromkeys(str(row["system"]) for row in rows))
    changed = _kept(artifacts, draft, path, path.read_bytes(), systems, replaces=replaces)
    return changed, len(rows), systems


def with_upload(
    artifacts: Path, draft: StudyDraft, name: str, content: bytes, *, replaces: bool = False
) -> StudyDraft:
    """Add a file that came through the browser; its name is untrusted.

    Raises:
        FileKnownError: If the draft has another file of this name that is not to be replaced.
        StudyError: If the study is sealed, or two systems of the file would have one name;
            nothing was kept.
        DataError: If a row does not fit; nothing was kept.
        DiskError: If it cannot be kept.
    """
    file = _safe_name(Path(name).name) or "responses.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        path.write_bytes(content)
        systems = tuple(dict.fromkeys(str(row["system"]) for row in read_responses(path)))
    return _kept(artifacts, draft, Path(file), content, systems, replaces=replaces)


def _safe_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip(".")


def _kept(
    artifacts: Path,
    draft: StudyDraft,
    file: Path,
    content: bytes,
    systems: tuple[str, ...],
    *,
    replaces: bool,
) -> StudyDraft:
    check_not_sealed(artifacts, draft.study_id)
    stored_text(file.stem)  # which the draft is to keep
    folder = study_folder(artifacts, draft.study_id)
    plain = f"{_safe_name(file.stem)[:LONGEST_NAME]}{file.suffix.lower()}"
    # By content: a file changes under no draft that another tab still shows.
    digest = hashlib.sha256(content).hexdigest()[:8]
    name = f"{Path(plain).stem}-{digest}{Path(plain).suffix}"
    source = Source(kind="file", path=f"sources/{name}", data_set=file.stem.strip())
    earlier = [one for one in draft.sources if one.file_name == plain and one.path != source.path]
    if earlier and not replaces:
        raise FileKnownError(
            f"Study {draft.study_id!r} has a file {plain} already, with other content. Replace it "
            f"(`emorl study import {draft.study_id} {file.name} --replace`), or give this file "
            "another name to have both."
        )
    # A corrected file keeps the names that its systems were given.
    labels = tuple(label for one in earlier for label in one.labels)
    source = replace(source, labels=labels)
    check_distinct(source, systems)
    try:
        (folder / "sources").mkdir(parents=True, exist_ok=True)
        (folder / "sources" / name).write_bytes(content)
    except OSError as error:
        raise DiskError(f"Cannot copy {name} into {folder}: {error}.") from error
    left = tuple(one for one in draft.sources if one not in earlier)
    return with_sources(replace(draft, sources=left), source)


def summary_lines(prepared: Prepared) -> list[str]:
    """Return what would be sealed, in words."""
    plan = prepared.plan
    counts = Counter(plan.n_of_kind())
    n_prompts = len({item.source_item for item in plan.items if item.kind == "rating"})
    lines = [
        f"{counts['rating']} items from {n_prompts} prompts, {len(plan.systems)} systems; "
        f"{counts['gold']} gold, {counts['repeat']} repeated, {counts['practice']} exercises.",
        f"Systems: {', '.join(sorted(one.name for one in plan.systems))}.",
        f"Questions: {', '.join(c.name for c in plan.guidelines.criteria)} (guidelines "
        f"{plan.guidelines.version}).",
    ]
    expected = n_expected_ratings(plan)
    if expected is not None:
        lines.append(
            f"{plan.n_ratings_per_item} ratings per item by {plan.n_annotators} annotators: "
            f"{expected} ratings."
        )
    lines += sentences(smallest_found(plan))
    return [*lines, *(f"{finding.severity}: {finding.message}" for finding in prepared.findings)]


def invite_link(url: str, token: str) -> str:
    """Return the link of an invite; only its path where it is not known who serves it."""
    return f"{url.rstrip('/')}/annotate?invite={token}"
