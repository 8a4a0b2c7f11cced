"""Simulated studies as files: a sealed plan, published ratings, and the log of unblinding."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from emorl_dashboard.study.custody.unblinding import unblind
from emorl_dashboard.study.protocol.blinding import text_hash
from emorl_dashboard.study.protocol.guidelines import guidelines_for
from emorl_dashboard.study.protocol.plan import PlanItem, PlanSystem, StudyPlan, write_plan
from emorl_dashboard.study.reporting.material import ratings_path
from tests.support.simulated_studies import SimulatedStudy, Truth, simulate_study

SMALL = Truth(n_prompts=12, n_gold=6, n_repeats=6)


def plan_for(answers: pd.DataFrame, *, study_id: str, run_id: str = "") -> StudyPlan:
    """Return a plan with one item per simulated response."""
    once = answers.drop_duplicates("item_code").sort_values("item_code")
    criteria = list(dict.fromkeys(answers["criterion"]))
    return StudyPlan(
        study_id=study_id,
        run_id=run_id,
        created_at="2030-01-01T00:00:00+00:00",
        seed="seed",
        guidelines=guidelines_for(criteria),
        items=tuple(
            PlanItem(
                code=row["item_code"],
                prompt_index=row["prompt_index"],
                prompt=f"Prompt {row['source_item']} <b>with</b> *marks*.",
                response=f"Answer {row['item_code']}.",
                response_sha256=text_hash(f"Answer {row['item_code']}."),
                systems=(row["system"],),
                kind=row["kind"],
                copy_of=row["copy_of"],
                data_set=row["data_set"],
            )
            for row in once.to_dict("records")
        ),
        systems=tuple(
            PlanSystem(
                name=name,
                origin=f"run {run_id or 'far'}",
                run_ids=(run_id,) if run_id else (),
            )
            for name in sorted(once["system"].unique())
        ),
        n_ratings_per_item=answers["annotator"].nunique(),
    )


def write_study(
    artifacts: Path,
    truth: Truth = SMALL,
    *,
    study_id: str = "paper",
    seed: int = 0,
    is_unblinded: bool = True,
) -> tuple[StudyPlan, SimulatedStudy]:
    """Write a simulated study and all its ratings."""
    study = simulate_study(truth, seed)
    plan = plan_for(study.answers, study_id=study_id)
    write_plan(artifacts, plan)
    write_ratings(artifacts, study_id, study.answers)
    if is_unblinded:
        unblind(artifacts, study_id, by="owner", reason="all ratings are in")
    return plan, study


def write_ratings(artifacts: Path, study_id: str, answers: pd.DataFrame) -> None:
    """Publish answers as the dashboard does."""
    path = ratings_path(artifacts, study_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    once = answers.drop_duplicates(["item_code", "annotator", "criterion"])
    columns = ["item_code", "annotator", "criterion", "scale_minimum", "scale_maximum", "position"]
    current = once[[*columns, "seconds", "stored_at"]].assign(
        kind=once["is_skipped"].map({True: "skip", False: "rating"}),
        value=once["value"].astype("Int64"),
        label="",
        guideline_version="1",
    )
    current.to_parquet(path, index=False)


def ratings_of(values: dict[str, list[list[float]]], *, criterion: str = "c") -> pd.DataFrame:
    """Return rows as ``answer_frame`` does: per system and prompt, the annotators' values."""
    rows = [
        {
            "item_code": f"{system}{prompt}",
            "kind": "rating",
            "copy_of": "",
            "data_set": "set",
            "prompt_index": prompt,
            "source_item": f"set/{prompt}",
            "system": system,
            "annotator": f"annotator {annotator}",
            "criterion": criterion,
            "scale_minimum": 0,
            "scale_maximum": 2,
            "value": float(value),
            "is_skipped": False,
            "position": prompt + 1,
            "seconds": 5.0,
            "stored_at": pd.Timestamp("2030-01-01"),
        }
        for system, prompts in values.items()
        for prompt, given in enumerate(prompts)
        for annotator, value in enumerate(given)
    ]
    return pd.DataFrame(rows)
