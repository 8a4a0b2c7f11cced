"""What an export of a study does not hold, read off what the study has.

Nothing here lists what is exported: files, tables, columns and settings are looked up where they
are, and whatever the export lacks is named. Only the reasons are written down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emorl_dashboard.study.analysis.report import StudyData
from emorl_dashboard.study.protocol.guidelines import Guidelines
from emorl_dashboard.study.protocol.plan import PlanItem, PlanSystem, StudyPlan, study_folder
from emorl_dashboard.study.records.schema import PUBLISHED, SCHEMA
from emorl_dashboard.study.reporting.material import StudyMaterial
from emorl_dashboard.study.reporting.status import snapshot

_ELSEWHERE = {
    "event_id": "request and criterion",
    "request_id": "a random name of the click",
    "event_number": "the order of writing",
    "study_id": "the same in every row; see `study.json`",
    "kind": "see `is_skipped`, or a `preference` that is empty",
    "value": "see `preference`",
    "seal": "of the plan it was given under: that of `study.json`, or the export would be refused",
    "log_entry": "the entry of the study's log that it was admitted under",
}
"""Column of the ratings -> why it is not among the exported columns."""

_FILES = {
    "plan.json": "its seed would let a reader test whose order of items is whose; everything else "
    "of it is in `study.json`, `systems.json`, `items.parquet` and `guidelines.json`",
    "draft.json": "what was planned before the seal",
    "log.jsonl": "who opened, closed and unblinded the study, when and why",
    "log.head.json": "which entry of that log is the last",
    "log.lock": "empty; whoever writes that log holds it",
    "invites.jsonl": "names of the invited annotators, hashes of their links",
}
_COPIES = "a copy of tables; its columns are told of above"
_IMPORTED = "an imported file; its responses that belong to the study are in `items.parquet`"
_UNKNOWN = "not a file that an export reads"

Exported = Mapping[str, Collection[str]]
"""Names of the columns or settings that an export holds, by what they belong to."""


def left_out(artifacts: Path, material: StudyMaterial, exported: Exported) -> tuple[str, ...]:
    """Return one sentence for everything that an export lacks.

    Args:
        artifacts: The artifacts folder.
        material: The study.
        exported: What is exported of the tables ``ratings``, ``StudyPlan``, ``PlanItem``,
            ``PlanSystem`` and ``Guidelines``.

    Raises:
        StoreError: If a snapshot is damaged.
    """
    study_id = material.plan.study_id
    lines = [
        _history(snapshot(artifacts, study_id, "rating_events")),
        _notes(snapshot(artifacts, study_id, "notes")),
        "Names of annotators and their invitations: pseudonyms stand in their place, and the key "
        "is not in the export.",
        *_unanswered(material),
        *_columns(study_folder(artifacts, study_id) / "published", exported["ratings"]),
        *_settings(exported),
        *_unpublished(),
        *_files(study_folder(artifacts, study_id)),
    ]
    return tuple(lines)


def superseded(events: Iterable[Mapping[str, object]]) -> Counter[str]:
    """Count what happened to answers that are not the current ones.

    Args:
        events: Rows of ``rating_events``, in the order of their numbers.

    Returns:
        ``changed`` (the next answer to the same question is another), ``repeated`` (saved again
        as it was), ``withdrawn`` (taken back and never given again), and ``withdrawals``, the
        events by which answers were taken back. With the current answers these are all events.
    """
    answers: dict[tuple[object, ...], list[tuple[object, object]]] = {}
    is_withdrawn: dict[tuple[object, ...], bool] = {}
    found: Counter[str] = Counter()
    for event in events:
        key: tuple[object, ...] = (event["item_code"], event["annotator"], event["criterion"])
        is_withdrawn[key] = event["kind"] == "withdrawn"
        if is_withdrawn[key]:
            found["withdrawals"] += 1
        else:
            answers.setdefault(key, []).append((event["kind"], event["value"]))
    for key, given in answers.items():
        found["withdrawn"] += is_withdrawn[key]
        for earlier, later in pairwise(given):
            found["repeated" if earlier == later else "changed"] += 1
    return found


def _history(events: list[dict[str, str]]) -> str:
    if not events:
        return "The history of answers: the study has no snapshot of it (`rating_events`)."
    n = superseded(events)
    return (
        f"Of {len(events)} stored events: {n['changed']} earlier answers that annotators changed "
        f"later, {n['repeated']} that they saved again as they were, {n['withdrawn']} that they "
        f"took back and did not give again, and {n['withdrawals']} records of taking back. The "
        "current answers are here."
    )


def _notes(notes: list[dict[str, str]]) -> str:
    kinds = Counter(note["kind"] for note in notes)
    told = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "none"
    return (
        f"Notes of annotators, by kind: {told}. Free text may tell who wrote it; a consent is "
        "given before the first item."
    )


def _unanswered(material: StudyMaterial) -> Iterable[str]:
    data = material.data
    n_unrated = len(data.items) - data.answers["item_code"].nunique()
    yield f"Answers to {n_unrated} of {len(data.items)} items: nobody has given any."
    if material.plan.mode == "rating":
        yield (
            f"Automatic scores of {_n_unscored(data)} rated responses and criteria: the runs have "
            "none."
        )


def _n_unscored(data: StudyData) -> int:
    keys = ["source_item", "system", "criterion"]
    rated = data.answers.loc[data.answers["kind"] == "rating", keys].drop_duplicates()
    scored = rated.merge(data.automatic.drop_duplicates(keys), on=keys, how="left")["score"]
    return int(scored.isna().sum())


def _columns(published: Path, ratings: Collection[str]) -> Iterable[str]:
    """Name the columns of every published table that the exported ratings do not have."""
    for path in sorted(published.glob("*.parquet")):
        names = pq.read_schema(path).names if _is_parquet(path) else []
        # Notes are left out whole: a column of theirs may bear the name of one of the ratings.
        has = ratings if "criterion" in names else ()
        # The kind of a rating says whether it was skipped; that of an item has the name here.
        lacking = [name for name in names if name not in has or name == "kind"]
        if lacking:
            told = (f"`{n}`" + _because(n if has else "") for n in lacking)
            yield f"Columns of `{path.stem}`: {', '.join(told)}."


def _because(name: str) -> str:
    return f" ({_ELSEWHERE[name]})" if name in _ELSEWHERE else ""


def _is_parquet(path: Path) -> bool:
    try:
        pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return False
    return True


def _settings(exported: Exported) -> Iterable[str]:
    for record in (StudyPlan, PlanItem, PlanSystem, Guidelines):
        name = record.__name__
        lacking = [one.name for one in fields(record) if one.name not in exported[name]]
        if lacking:
            yield f"Settings of the plan ({name}): {', '.join(f'`{one}`' for one in lacking)}."


def _unpublished() -> Iterable[str]:
    tables = [name for name in re.findall(r"CREATE TABLE (\w+)", SCHEMA) if name not in PUBLISHED]
    told = ", ".join(f"`{name}`" for name in tables)
    yield f"Tables of `annotations.duckdb` about its own work: {told}."


def _files(folder: Path) -> Iterable[str]:
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        name = path.relative_to(folder).as_posix()
        known = {"published": _COPIES, "sources": _IMPORTED}.get(path.parent.name, _UNKNOWN)
        yield f"The file `{name}`: {_FILES.get(name, known)}."
