"""Make a study of a finished run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dashboard.study.blinding import item_code, new_seed, text_hash
from dashboard.study.guidelines import guidelines_for
from dashboard.study.plan import PlanItem, StudyPlan, list_studies, write_plan
from engine.artifacts import RunFolder, existing_run, list_runs
from engine.config_file import read_config
from engine.errors import StoreError, StudyError


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemText:
    """What one system answered to one prompt."""

    system: str
    prompt_index: int
    text: str


def create_study(artifacts: Path, run_id: str, *, seed: str | None = None) -> StudyPlan:
    """Seal a study of a finished run; the study bears the run's name.

    Args:
        artifacts: The artifacts folder.
        run_id: The run whose greedy responses on the inference split are to be rated.
        seed: Of codes and orders; whoever knows it can undo the blinding. Random by default.

    Raises:
        RunNotFoundError: If there is no such run.
        StudyError: If the run has not finished, has no responses, or has a study.
        StoreError: If the run's snapshots cannot be read.
    """
    folder = existing_run(artifacts, run_id)
    _check_finished(folder)
    prompts = {
        row["prompt_index"]: row["prompt"]
        for row in _rows(folder, "prompts", ["split", "prompt_index", "prompt"])
        if row["split"] == "inference"
    }
    texts = [
        SystemText(system=row["system"], prompt_index=row["prompt_index"], text=row["text"])
        for row in _rows(
            folder, "system_responses", ["system", "decoding", "prompt_index", "text"]
        )
        if row["decoding"] == "greedy"
    ]
    if not texts or any(text.prompt_index not in prompts for text in texts):
        raise StudyError(
            f"A study of run {run_id!r} needs greedy responses and their prompts from the "
            f"inference split, got {len(texts)} responses to {len(prompts)} prompts. "
            f"`emorl run` on the same run completes it."
        )
    seed = seed or new_seed()
    plan = StudyPlan(
        study_id=folder.run_id,
        run_id=folder.run_id,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        guidelines=guidelines_for(read_config(folder.config).objectives),
        items=blind_items(seed, prompts, texts),
    )
    write_plan(artifacts, plan)
    return plan


def blind_items(
    seed: str, prompts: dict[int, str], texts: Iterable[SystemText]
) -> tuple[PlanItem, ...]:
    """Turn responses into coded items; the same text to the same prompt is one item.

    Rating one text twice would cost the annotator twice and could only differ by chance; the
    item names all its systems, so that each of them gets the rating.
    """
    systems: dict[tuple[int, str], list[str]] = {}
    for text in texts:
        sharing = systems.setdefault((text.prompt_index, text.text), [])
        if text.system not in sharing:
            sharing.append(text.system)
    items = [
        PlanItem(
            code=item_code(seed, index, response),
            prompt_index=index,
            prompt=prompts[index],
            response=response,
            response_sha256=text_hash(response),
            systems=tuple(sorted(sharing)),
        )
        for (index, response), sharing in systems.items()
    ]
    return tuple(sorted(items, key=lambda item: item.code))


def runs_without_study(artifacts: Path) -> list[str]:
    """Return the names of finished runs that have no study yet."""
    taken = set(list_studies(artifacts))
    return [
        folder.run_id
        for folder in list_runs(artifacts)
        if folder.run_id not in taken and _state(folder) == "finished"
    ]


def _state(folder: RunFolder) -> str:
    try:
        status = folder.read_status()
    except StoreError:
        return "unknown"
    return "unknown" if status is None else status.state()


def _check_finished(folder: RunFolder) -> None:
    state = _state(folder)
    if state != "finished":
        todo = (
            "Wait until it has finished."
            if state == "running"
            else (f"Let it finish with `emorl run` on {folder.config}.")
        )
        raise StudyError(
            f"A study needs the final responses of a finished run; run {folder.run_id!r} is "
            f"in state {state!r}. {todo}"
        )


def _rows(folder: RunFolder, table: str, columns: list[str]) -> list[dict[str, Any]]:
    path = folder.published / f"{table}.parquet"
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, columns=columns).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"Cannot read {path}: {error}. `emorl run` on the same run publishes it anew."
        ) from error
    return rows
