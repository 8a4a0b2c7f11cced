"""What the analysis of a study reads, brought together from the plan, the ratings and the runs.

Reads published files only: a command line may do so while the dashboard works.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from emorl.config.files import read_config
from emorl.errors import EmorlError, StoreError
from emorl.runs.folder import RunFolder, existing_run
from emorl.runs.snapshots import snapshot_rows
from emorl_dashboard.study.analysis.report import StudyData, pairs_as_answers
from emorl_dashboard.study.custody.integrity import foreign_seals, remarks_of, trouble_of
from emorl_dashboard.study.custody.unblinding import study_log, unblinded_at
from emorl_dashboard.study.protocol.plan import StudyPlan, read_plan, study_folder
from emorl_dashboard.study.records.published import read_published
from emorl_dashboard.study.records.refresh import refresh
from emorl_dashboard.study.reporting.answers import answer_frame, pair_frame
from emorl_dashboard.study.reporting.status import admitted_under

log = logging.getLogger(__name__)

RATING_COLUMNS = (
    "item_code",
    "annotator",
    "criterion",
    "kind",
    "scale_minimum",
    "scale_maximum",
    "value",
    "label",
    "position",
    "guideline_version",
    "seconds",
    "stored_at",
)
TEXT_COLUMNS = ("source_item", "data_set", "system", "text")
AUTOMATIC_COLUMNS = ("source_item", "system", "criterion", "score")

_TEXT_TABLES = ("system_responses", "responses", "atlas_cells")
_SPLIT_OF = {"system_responses": "inference", "responses": "aggregation"}
"""Tables without a column ``split`` are about one split."""


@dataclass(frozen=True, slots=True)
class StudyMaterial:
    """A study with all its ratings."""

    plan: StudyPlan
    data: StudyData
    current: pd.DataFrame
    """The snapshot ``current_ratings``."""
    unblinded_at: datetime | None
    remarks: tuple[str, ...] = ()
    """What is wrong with the study's files, in words."""


def ratings_path(artifacts: Path, study_id: str) -> Path:
    """Return where the study's current ratings are published; nobody may have rated yet."""
    return study_folder(artifacts, study_id) / "published" / "current_ratings.parquet"


def read_material(artifacts: Path, study_id: str) -> StudyMaterial:
    """Read a study, its ratings so far, and automatic scores where its runs have them.

    Raises:
        StudyError: If there is no such study.
        StoreError: If the plan, the ratings or the log are damaged, or the ratings were given
            under another plan.
    """
    plan = read_plan(artifacts, study_id)
    refresh(artifacts, study_id)
    remarks = _remarks(artifacts, plan)
    current = _current_ratings(ratings_path(artifacts, study_id))
    pairs = pair_frame(plan, current) if plan.mode == "pairwise" else None
    answers = answer_frame(plan, current) if pairs is None else pairs_as_answers(pairs)
    # Tables keep the order in which criteria appear: the plan's.
    places = {criterion.name: place for place, criterion in enumerate(plan.guidelines.criteria)}
    answers = answers.sort_values(
        "criterion", key=lambda names: names.map(places), kind="stable", ignore_index=True
    )
    data = StudyData(
        mode=plan.mode,
        items=_items(plan),
        answers=answers,
        pairs=pairs,
        automatic=automatic_scores(artifacts, plan),
        texts=system_texts(plan),
    )
    return StudyMaterial(plan, data, current, unblinded_at(artifacts, study_id), remarks)


def automatic_scores(artifacts: Path, plan: StudyPlan) -> pd.DataFrame:
    """Find the automatic scores of the study's responses in the runs that they came from.

    A score belongs to a prompt and a text, whichever system wrote it; criteria are matched with
    objectives by name. A run that is gone gives none.

    Returns:
        Columns source_item, system, criterion, score.
    """
    names = {run_id for system in plan.systems for run_id in system.run_ids} | {plan.run_id} - {""}
    scores: dict[tuple[str, str, str], float] = {}
    for run_id in sorted(names):
        try:
            folder = existing_run(artifacts, run_id)
            scores |= dict(_scored_texts(folder, read_config(folder.config).objectives))
        except EmorlError as error:
            log.warning("No automatic scores of run %s: %s", run_id, error)
    rows = [
        (item.source_item, system, criterion.name, score)
        for item in plan.items
        if item.kind == "rating" and plan.mode == "rating"
        for criterion in plan.guidelines.criteria
        if (score := scores.get((item.prompt, item.response, criterion.name))) is not None
        for system in item.systems
    ]
    return pd.DataFrame(rows, columns=list(AUTOMATIC_COLUMNS)).astype({"score": float})


def system_texts(plan: StudyPlan) -> pd.DataFrame:
    """Return the responses of the study, each once per system that gave it.

    Returns:
        Columns source_item, data_set, system, text.
    """
    rows = [
        (item.source_item, item.data_set, system, text)
        for item in plan.items
        if item.kind == "rating"
        for text, systems in (
            (item.response, item.systems),
            (item.other_response, item.other_systems),
        )
        if text is not None
        for system in systems
    ]
    return pd.DataFrame(rows, columns=list(TEXT_COLUMNS), dtype=object).drop_duplicates(
        ignore_index=True
    )


def system_weights(artifacts: Path, plan: StudyPlan) -> pd.DataFrame:
    """Return the weights of the systems that are ensembles of one run.

    Single objectives are the weights with one 1. Systems of other runs, of files, and the base
    have no place among the weights; nor has a system of several runs that differ in its weights,
    for its ratings belong to no single place.

    Returns:
        A column ``system``, then one per objective of the run in its order; no rows where no run
        can be read.
    """
    run_ids = [run_id for system in plan.systems for run_id in system.run_ids]
    found = {run_id: _stored_weights(artifacts, run_id) for run_id in dict.fromkeys(run_ids)}
    # Of two runs with as many systems, the first.
    most = max(found, key=run_ids.count, default="")
    objectives, _ = found.get(most, ((), {}))
    if not objectives:
        return pd.DataFrame({"system": []})
    rows = []
    for system in plan.systems:
        if most not in system.run_ids:
            continue
        known = (found[run_id][1].get(system.name) for run_id in system.run_ids)
        places = {system.weights or tuple(weights or ()) for weights in known}
        if len(places) == 1 and any(place := places.pop()):
            rows.append((system.name, *place))
    return pd.DataFrame(rows, columns=["system", *objectives])


def _stored_weights(
    artifacts: Path, run_id: str
) -> tuple[tuple[str, ...], dict[str, Sequence[float] | None]]:
    """Return the objectives of a run and the weights of its systems; none if it is gone."""
    try:
        folder = existing_run(artifacts, run_id)
        objectives = read_config(folder.config).objectives
        return objectives, {
            row["system"]: row["weights"] for row in snapshot_rows(folder, "systems")
        }
    except EmorlError as error:
        log.warning("No weights of run %s: %s", run_id, error)
        return (), {}


def _remarks(artifacts: Path, plan: StudyPlan) -> tuple[str, ...]:
    log = study_log(artifacts, plan.study_id)
    admitted = admitted_under(artifacts, plan.study_id)
    trouble = trouble_of(plan, log, seals=admitted.seals, entries=admitted.entries)
    if foreign_seals(plan, admitted.seals):
        raise StoreError(f"These ratings are not about this plan. {trouble}")
    return tuple(
        remarks_of(trouble, log, n_stored=admitted.n_stored, n_unnamed=admitted.n_unnamed)
    )


def _current_ratings(path: Path) -> pd.DataFrame:
    table = read_published(path)
    if table is None:
        return pd.DataFrame(columns=list(RATING_COLUMNS))
    found: pd.DataFrame = table.to_pandas()
    return found


def _items(plan: StudyPlan) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "item_code": item.code,
                "kind": item.kind,
                "data_set": item.data_set,
                "n_wanted": plan.n_places(item.code),
            }
            for item in plan.items
        ]
    ).astype({"n_wanted": float})


def _scored_texts(
    folder: RunFolder, objectives: tuple[str, ...]
) -> Iterator[tuple[tuple[str, str, str], float]]:
    prompts = {
        (row["split"], row["prompt_index"]): row["prompt"]
        for row in snapshot_rows(folder, "prompts")
    }
    for table in _TEXT_TABLES:
        for row in snapshot_rows(folder, table):
            split = row.get("split") or _SPLIT_OF[table]
            prompt = prompts.get((split, row["prompt_index"]))
            if prompt is None or row["scores"] is None:
                continue
            for objective, score in zip(objectives, row["scores"], strict=True):
                yield (prompt, row["text"], objective), float(score)
