"""How far a study is, from its files: for the Study page and ``emorl study status``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from emorl_dashboard.study.custody.integrity import remarks_of, trouble_of
from emorl_dashboard.study.custody.invites import invited
from emorl_dashboard.study.custody.unblinding import State, study_log, study_state
from emorl_dashboard.study.protocol.assignment import n_expected_ratings
from emorl_dashboard.study.protocol.blinding import completion_code
from emorl_dashboard.study.protocol.plan import StudyPlan, plan_path, read_plan, study_folder
from emorl_dashboard.study.records.published import read_published
from emorl_dashboard.study.records.refresh import refresh


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorStatus:
    """How far one annotator is."""

    annotator: str
    place: int | None
    is_active: bool
    n_share: int | None
    n_rated: int
    n_skipped: int
    n_flagged: int
    is_complete: bool
    """Whether the completion code was given."""
    completion_code: str
    """That the annotator was given; "" before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStatus:
    """How far a study is, from its files; ratings of the last second may be missing."""

    study_id: str
    state: State
    n_items: int
    n_ratings: int
    n_expected: int | None
    n_items_complete: int
    annotators: tuple[AnnotatorStatus, ...]
    seal: str = ""
    remarks: tuple[str, ...] = ()
    """What is wrong with the study's files."""
    takes_no_ratings: bool = False
    """Because its files were changed."""

    def as_json(self) -> str:
        """Return it for scripts."""
        return json.dumps(asdict(self), indent=1)

    def lines(self) -> list[str]:
        """Return it in words."""
        expected = "" if self.n_expected is None else f" of {self.n_expected}"
        lines = [
            f"{self.study_id}: {self.state}",
            f"{self.n_ratings}{expected} ratings, {self.n_items_complete} of {self.n_items} items "
            "complete",
            *self.remarks,
        ]
        if self.seal:
            lines.append(f"seal {self.seal}")
        for one in self.annotators:
            share = "" if one.n_share is None else f" of {one.n_share}"
            words = f"  {one.annotator}: {one.n_rated}{share} rated, {one.n_skipped} skipped"
            if one.n_flagged:
                words += f", {one.n_flagged} flagged"
            if one.is_complete:
                words += f", completion code {one.completion_code}"
            lines.append(words + ("" if one.is_active else " (link ended)"))
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What published answers and notes say of the plan and log that they were given under."""

    seals: frozenset[str]
    entries: frozenset[str]
    """Hashes of entries of the log."""
    n_stored: int
    n_unnamed: int
    """Those that name no plan or no entry."""


def status(artifacts: Path, study_id: str) -> StudyStatus:
    """Return how far a study is.

    Raises:
        StudyError: If there is no such study.
        StoreError: If its files are damaged.
    """
    state = study_state(artifacts, study_id)
    if not plan_path(artifacts, study_id).is_file():
        if state == "draft" and (study_folder(artifacts, study_id) / "draft.json").is_file():
            return StudyStatus(
                study_id=study_id,
                state=state,
                n_items=0,
                n_ratings=0,
                n_expected=None,
                n_items_complete=0,
                annotators=(),
            )
        read_plan(artifacts, study_id)  # says what there is instead
    plan = read_plan(artifacts, study_id)
    refresh(artifacts, study_id)
    log = study_log(artifacts, study_id)
    admitted = admitted_under(artifacts, study_id)
    trouble = trouble_of(plan, log, seals=admitted.seals, entries=admitted.entries)
    answers = _answers(artifacts, plan)
    counted = {item.code for item in plan.items if item.kind != "practice"}
    by_item = Counter(
        code for (code, _), kind in answers.items() if kind == "rating" and code in counted
    )
    return StudyStatus(
        study_id=study_id,
        state=state,
        n_items=len(counted),
        n_ratings=by_item.total(),
        n_expected=n_expected_ratings(plan),
        n_items_complete=sum(by_item[code] >= (plan.n_places(code) or 1) for code in counted),
        annotators=tuple(_annotators(artifacts, plan, answers, counted)),
        seal=plan.seal,
        remarks=tuple(
            remarks_of(trouble, log, n_stored=admitted.n_stored, n_unnamed=admitted.n_unnamed)
        ),
        takes_no_ratings=bool(trouble),
    )


def _annotators(
    artifacts: Path, plan: StudyPlan, answers: dict[tuple[str, str], str], counted: set[str]
) -> list[AnnotatorStatus]:
    people = {one.annotator: one for one in invited(artifacts, plan.study_id)}
    notes = snapshot(artifacts, plan.study_id, "notes")
    found = []
    for name in dict.fromkeys([*people, *(who for _, who in answers)]):
        own = Counter(
            kind for (code, who), kind in answers.items() if who == name and code in counted
        )
        flags = {
            note["item_code"]: note["kind"]
            for note in notes
            if note["annotator"] == name and note["kind"] in ("flag", "unflag")
        }
        person = people.get(name)
        share = (
            None
            if plan.n_annotators is None or person is None
            else sum(person.place in item.places for item in plan.items)
        )
        is_complete = any(n["kind"] == "completed" and n["annotator"] == name for n in notes)
        found.append(
            AnnotatorStatus(
                annotator=name,
                place=None if person is None else person.place,
                is_active=person is None or person.is_active,
                n_share=share,
                n_rated=own["rating"],
                n_skipped=own["skip"],
                n_flagged=sum(kind == "flag" for kind in flags.values()),
                is_complete=is_complete,
                completion_code=completion_code(plan.seed, name) if is_complete else "",
            )
        )
    return found


def _answers(artifacts: Path, plan: StudyPlan) -> dict[tuple[str, str], str]:
    return {
        (row["item_code"], row["annotator"]): row["kind"]
        for row in snapshot(artifacts, plan.study_id, "current_ratings")
    }


def admitted_under(artifacts: Path, study_id: str) -> Admitted:
    """Return under which plan and log published events were stored, superseded ones included.

    Raises:
        StoreError: If a snapshot is damaged.
    """
    named = {
        (row[key], row.get("seal") or "", row.get("log_entry") or "")
        for name, key in (("rating_events", "request_id"), ("notes", "note_id"))
        for row in snapshot(artifacts, study_id, name, columns=(key, "seal", "log_entry"))
    }
    return Admitted(
        seals=frozenset(seal for _, seal, _ in named),
        entries=frozenset(entry for _, _, entry in named),
        n_stored=len({event for event, _, _ in named}),
        n_unnamed=len({event for event, *under in named if not all(under)}),
    )


def snapshot(
    artifacts: Path, study_id: str, name: str, *, columns: tuple[str, ...] = ()
) -> list[dict[str, str]]:
    """Return the rows of a published table; none before the first rating.

    Args:
        artifacts: The artifacts folder.
        study_id: Name of the study.
        name: Of the table.
        columns: Which are wanted, and no row if an earlier version stored none of them; all if
            empty.

    Raises:
        StoreError: If the file is damaged.
    """
    path = study_folder(artifacts, study_id) / "published" / f"{name}.parquet"
    table = read_published(path, columns)
    if table is None or not table.column_names:
        return []
    rows: list[dict[str, str]] = table.to_pylist()
    return rows
