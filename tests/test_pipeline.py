"""Complete runs of a tiny random policy with formula rewards."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM

from emorl.config import RunConfig
from emorl.config.files import read_config
from emorl.errors import (
    ConfigError,
    DataError,
    DiskError,
    ModelError,
    RewardError,
    WeightsError,
)
from emorl.execution.context import NoProgress
from emorl.execution.pipeline import execute
from emorl.inference import load_run_models
from emorl.runs.folder import RunFolder, run_folder
from emorl.runs.schema import COLUMNS
from emorl.runs.store import RunStore
from emorl.runs.summary import summarise
from tests.support.tiny_runs import OBJECTIVES, tiny_run, write_prompts

pytestmark = pytest.mark.slow

TIMES = {"seconds", "stored_at"}
"""Columns that differ between two runs of one seed."""


def rows(folder: RunFolder, name: str) -> list[dict[str, Any]]:
    table = pq.read_table(folder.published / f"{name}.parquet").to_pylist()
    return [{k: v for k, v in row.items() if k not in TIMES} for row in table]


def results(folder: RunFolder) -> dict[str, list[dict[str, Any]]]:
    return {name: rows(folder, name) for name in COLUMNS}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def finished(root: Path) -> tuple[RunConfig, RunFolder]:
    config = tiny_run(root)
    folder = run_folder(root, config.name)
    execute(config, folder, NoProgress())
    return config, folder


def test_a_run_stores_every_evaluated_combination(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    _, folder = finished
    evaluations = rows(folder, "evaluations")
    # 2 rounds of 27 points.
    assert len(evaluations) == 54
    measured = [row for row in evaluations if row["kind"] == "measured"]
    assert len(rows(folder, "responses")) == len(measured) * 2  # 2 aggregation prompts
    assert [row["round"] for row in rows(folder, "rounds")] == [1, 2]


def test_scores_of_a_combination_are_the_means_of_its_responses(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    _, folder = finished
    responses = rows(folder, "responses")
    for row in rows(folder, "evaluations"):
        if row["kind"] != "zero":
            own = [r["scores"] for r in responses if r["direction_key"] == row["direction_key"]]
            means = [sum(column) / len(own) for column in zip(*own, strict=True)]
            assert row["means"] == pytest.approx(means)
            assert row["mean_reward"] == pytest.approx(sum(means) / len(means))


def test_training_is_recorded_step_by_step(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    steps = rows(folder, "training_steps")
    assert [(s["adapter"], s["step"]) for s in steps] == [
        (name, step) for name in sorted(OBJECTIVES) for step in range(1, 7)
    ]
    assert [s["data_points"] for s in steps[:6]] == [4, 8, 12, 16, 20, 24]
    validations = rows(folder, "validations")
    assert [v["step"] for v in validations[:4]] == [0, 2, 4, 6]


def test_the_first_validation_of_every_adapter_is_of_the_same_policy(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    # A new adapter changes nothing, so the policies are equal; their samples are not.
    _, folder = finished
    first = [step for step in rows(folder, "training_steps") if step["step"] == 1]
    assert [step["kl"] for step in first] == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)


def test_kl_and_reward_move_while_training(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    last = [step for step in rows(folder, "training_steps") if step["step"] == 6]
    assert all(step["kl"] > 0 for step in last)


def test_adapters_are_loadable_by_plain_peft(finished: tuple[RunConfig, RunFolder]) -> None:
    config, folder = finished
    for name in OBJECTIVES:
        base = AutoModelForSeq2SeqLM.from_pretrained(config.policy.model)
        model = PeftModel.from_pretrained(base, str(folder.adapters / name))
        updates = [p for key, p in model.named_parameters() if "lora_B" in key]
        assert any(bool(update.any()) for update in updates)
    assert not any(folder.checkpoints.iterdir())


def test_two_runs_with_one_seed_are_equal(
    finished: tuple[RunConfig, RunFolder], root: Path
) -> None:
    _, folder = finished
    again = tiny_run(root, name="again")
    execute(again, run_folder(root, "again"), NoProgress())
    assert results(run_folder(root, "again")) == results(folder)


def test_another_seed_gives_another_run(finished: tuple[RunConfig, RunFolder], root: Path) -> None:
    _, folder = finished
    execute(
        tiny_run(root, name="other", seed=1), run_folder(root, "other"), NoProgress(), ("train",)
    )
    other = rows(run_folder(root, "other"), "training_steps")
    assert other != rows(folder, "training_steps")


def test_training_first_and_searching_later_is_the_same_run(
    finished: tuple[RunConfig, RunFolder], root: Path
) -> None:
    config = tiny_run(root, name="parts")
    folder = run_folder(root, "parts")
    execute(config, folder, NoProgress(), ("train",))
    status = folder.read_status()
    assert status is not None
    assert status.state() == "paused"
    assert "emorl search parts" in status.message
    execute(config, folder, NoProgress(), ("search",))
    assert results(folder) == results(finished[1])


def test_a_finished_run_is_not_repeated(finished: tuple[RunConfig, RunFolder]) -> None:
    config, folder = finished
    before = folder.published.joinpath("evaluations.parquet").read_bytes()
    execute(config, folder, NoProgress())
    assert folder.published.joinpath("evaluations.parquet").read_bytes() == before
    status = folder.read_status()
    assert status is not None
    assert status.state() == "finished"


def test_a_run_keeps_its_settings_and_refuses_others(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    config, folder = finished
    with pytest.raises(ConfigError, match="exists with other settings"):
        execute(replace(config, seed=5), folder, NoProgress())


def test_a_first_try_without_results_can_be_mended_under_the_same_name(root: Path) -> None:
    config = tiny_run(root, name="mended")
    folder = run_folder(root, "mended")
    nowhere = replace(config, policy=replace(config.policy, model=str(root / "none")))
    with pytest.raises(ModelError):
        execute(nowhere, folder, NoProgress())
    execute(config, folder, NoProgress(), ("train",))
    assert read_config(folder.config) == config


def test_a_resumed_run_refuses_other_prompts(root: Path, tmp_path: Path) -> None:
    data = write_prompts(tmp_path / "prompts.csv")
    config = tiny_run(root, name="moved")
    config = replace(config, data=replace(config.data, path=str(data)))
    folder = run_folder(root, "moved")
    execute(config, folder, NoProgress(), ("train",))
    lines = data.read_text(encoding="utf-8").splitlines()
    data.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="The data changed since this run began"):
        execute(config, folder, NoProgress())


def test_a_deleted_adapter_is_trained_again(
    finished: tuple[RunConfig, RunFolder], root: Path
) -> None:
    config = tiny_run(root, name="deleted")
    folder = run_folder(root, "deleted")
    execute(config, folder, NoProgress(), ("train",))
    shutil.rmtree(folder.adapters / "brevity")
    execute(config, folder, NoProgress())
    assert results(folder) == results(finished[1])


def test_a_run_whose_tables_cannot_be_published_still_says_why(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_store: RunStore, folder: Path) -> list[str]:
        raise DiskError(f"Cannot write {folder}: no space left.")

    monkeypatch.setattr(RunStore, "publish", refuse)
    folder = run_folder(root, "full")
    with pytest.raises(DiskError):
        execute(tiny_run(root, name="full"), folder, NoProgress())
    status = folder.read_status()
    assert status is not None
    assert status.state() == "failed"
    assert "no space left" in status.message


def test_a_failed_run_says_why_and_goes_on_when_mended(root: Path) -> None:
    config = tiny_run(root, name="failing")
    bad = replace(config.rewards["letters"], target="tests.support.formula_rewards:too_high")
    broken = replace(config, rewards=config.rewards | {"letters": bad})
    folder = run_folder(root, "failing")
    with pytest.raises(RewardError, match="letters"):
        execute(broken, folder, NoProgress())
    status = folder.read_status()
    assert status is not None
    assert status.state() == "failed"
    assert "letters" in status.message


def test_the_summary_has_what_scripts_need(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    found = json.loads(json.dumps(summarise(folder)))
    assert found["objectives"] == list(OBJECTIVES)
    assert set(found["base"]) == set(OBJECTIVES)
    assert set(found["adapters"]["brevity"]) == {*OBJECTIVES, "distinct_responses"}
    assert set(found["own_reward"]["variety"]) == {"base", "adapter"}
    assert set(found["best"]) == {"weights", "scores", "mean_reward"}
    assert found["evaluations"] == 54
    assert found["prompts"] == {"train": 16, "aggregation": 2, "inference": 2}
    assert found["mean_reward_span"] >= 0


def test_cost_is_counted_in_both_ways(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    found = summarise(folder)
    # Each training consumed 6 steps of 4 prompts; each measured direction 2 prompts.
    aggregation = 2 * found["measured_directions"]
    assert found["cost"]["parallel"]["data_points"] == 24 + aggregation
    assert found["cost"]["total"]["data_points"] == 3 * 24 + aggregation
    assert found["cost"]["total"]["samples"] == 3 * 48 + aggregation


def test_a_finished_run_answers_prompts(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    models = load_run_models(folder)
    answers = models.compare("I can not sleep.", (0.5, 0.5, 0.0))
    assert list(answers) == ["ensemble", "base", *(f"adapter:{name}" for name in OBJECTIVES)]
    assert all(0 <= score <= 1 for a in answers.values() for score in a.scores)
    one_hot = models.compare("I can not sleep.", (0.0, 1.0, 0.0))
    assert one_hot["ensemble"] == one_hot["adapter:brevity"]
    with pytest.raises(WeightsError, match="at least one weight above 0"):
        models.compare("I can not sleep.", (0.0, 0.0, 0.0))
