"""What the analysis reads from the study's runs: automatic scores and weights."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from emorl_dashboard.study.planning import sources
from emorl_dashboard.study.protocol.guidelines import guidelines_for
from emorl_dashboard.study.protocol.plan import PlanItem, PlanSystem, StudyPlan, write_plan
from emorl_dashboard.study.reporting.material import (
    automatic_scores,
    read_material,
    system_weights,
)
from tests.dashboard.study.samples import OBJECTIVES, sealed, system_sources, write_finished_run

TEXTS = {"base": ["B0", "same"], "best": ["E0", "same"]}
SCORES = dict(zip(OBJECTIVES, (0.1234, 0.2345, 0.3456), strict=True))


def plan_of_run() -> StudyPlan:
    """A study of a run's two systems, which share the answer to the second prompt."""
    shown = [
        ("b0", 0, "B0", ("base",)),
        ("e0", 0, "E0", ("best",)),
        ("s", 1, "same", ("base", "best")),
    ]
    return StudyPlan(
        study_id="study",
        run_id="demo",
        created_at="2030-01-01T00:00:00+00:00",
        seed="seed",
        guidelines=guidelines_for(("empathy", "tone")),
        items=tuple(
            PlanItem(
                code=code,
                prompt_index=index,
                prompt=f"Client {index} says this.",
                response=text,
                response_sha256="",
                systems=systems,
                data_set="set",
            )
            for code, index, text, systems in shown
        ),
        systems=tuple(
            PlanSystem(name=name, origin="run demo", run_ids=("demo",)) for name in TEXTS
        ),
        n_ratings_per_item=2,
    )


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts")
    write_finished_run(folder, TEXTS)
    return folder


def test_scores_are_found_by_prompt_and_text_for_every_system_of_an_item(artifacts: Path) -> None:
    found = automatic_scores(artifacts, plan_of_run())
    # Nobody scores "tone"; the shared answer has a row for each of its systems.
    assert set(found["criterion"]) == {"empathy"}
    assert found[["source_item", "system"]].to_numpy().tolist() == [
        ["set/0", "base"],
        ["set/0", "best"],
        ["set/1", "base"],
        ["set/1", "best"],
    ]
    assert found["score"].tolist() == pytest.approx([SCORES["empathy"]] * 4)


def test_a_text_that_no_run_wrote_has_no_score(artifacts: Path) -> None:
    plan = plan_of_run()
    changed = replace(plan, items=tuple(replace(item, response="?") for item in plan.items))
    assert automatic_scores(artifacts, changed).empty


def test_weights_are_those_of_the_run_and_the_base_has_none(artifacts: Path) -> None:
    found = system_weights(artifacts, plan_of_run())
    assert found.columns.tolist() == ["system", *OBJECTIVES]
    assert found.to_numpy().tolist() == [["best", 0.9375, 0.59375, 0.09375]]


def test_systems_of_two_runs_keep_the_scores_of_both_and_a_place_if_the_runs_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id, place in (("one", (1.0, 0.0, 0.0)), ("two", (0.0, 1.0, 0.0))):
        texts = {name: [f"{name} of {run_id}"] for name in ("base", "adapter:empathy", "best")}
        write_finished_run(
            tmp_path,
            texts,
            name=run_id,
            prompts=[f"A prompt of {run_id}."],
            weights={"adapter:empathy": (0.0, 1.0, 0.0), "best": place},
        )
    # Both runs read data of one name in this test; the study has two data sets.
    monkeypatch.setattr(sources, "_data_set", lambda run: run.run_id)
    plan = sealed(
        tmp_path,
        sources=(
            *system_sources("base", "adapter:empathy", "best", run_id="one"),
            *system_sources("base", "adapter:empathy", "best", run_id="two"),
        ),
    )
    assert {system.run_ids for system in plan.systems} == {("one", "two")}
    found = automatic_scores(tmp_path, plan)
    assert sorted(found["source_item"].unique()) == ["one/0", "two/0"]
    assert len(found) == 2 * 3 * 3
    # "best" has other weights in each run: its ratings belong to no single place.
    assert system_weights(tmp_path, plan).to_numpy().tolist() == [
        ["adapter:empathy", 0.0, 1.0, 0.0]
    ]


def test_a_run_that_is_gone_leaves_the_study_readable(artifacts: Path, tmp_path: Path) -> None:
    shutil.copytree(artifacts, tmp_path / "all")
    shutil.rmtree(tmp_path / "all" / "runs" / "demo")
    write_plan(tmp_path / "all", plan_of_run())
    material = read_material(tmp_path / "all", "study")
    assert material.data.automatic.empty
    assert material.data.answers.empty
    assert system_weights(tmp_path / "all", material.plan).empty
    assert material.unblinded_at is None
    assert isinstance(material.current, pd.DataFrame)
