"""A finished run becomes a blind plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.study.creation import create_study, runs_without_study
from dashboard.study.plan import read_plan
from engine.artifacts import Phase, Status, run_folder
from engine.errors import RunNotFoundError, StoreError, StudyError
from tests.dashboard.study.samples import SYSTEMS, write_finished_run

# Prompt 0: all five differ. Prompt 1: base and two adapters agree. Prompt 2: all agree.
TEXTS = {
    system: [f"Text {n}", "Shared" if n < 3 else f"Own {n}", "Everybody says this"]
    for n, system in enumerate(SYSTEMS)
}


def test_equal_texts_to_one_prompt_are_one_item_that_counts_for_each_system(
    tmp_path: Path,
) -> None:
    write_finished_run(tmp_path, TEXTS)
    plan = create_study(tmp_path, "demo")
    # 5 + (1 shared + 2 own) + 1 = 9 items for 5 systems x 3 prompts.
    assert len(plan.items) == 9
    rated_for = [(s, item.prompt_index) for item in plan.items for s in item.systems]
    assert sorted(rated_for) == sorted((s, index) for s in SYSTEMS for index in range(3))
    shared = next(item for item in plan.items if item.response == "Shared")
    assert set(shared.systems) == set(SYSTEMS[:3])


def test_items_are_greedy_responses_with_the_prompts_of_the_inference_split(
    tmp_path: Path,
) -> None:
    write_finished_run(tmp_path, TEXTS)
    for item in create_study(tmp_path, "demo").items:
        assert item.prompt == f"Client {item.prompt_index} says this."
        assert item.response == TEXTS[item.systems[0]][item.prompt_index]


def test_the_order_of_items_in_the_plan_is_that_of_their_codes(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    codes = [item.code for item in create_study(tmp_path, "demo").items]
    assert codes == sorted(codes)


def test_the_same_seed_gives_the_same_codes_and_no_seed_gives_new_ones(tmp_path: Path) -> None:
    def codes(folder: str, seed: str | None) -> set[str]:
        write_finished_run(tmp_path / folder, TEXTS)
        return {item.code for item in create_study(tmp_path / folder, "demo", seed=seed).items}

    assert codes("a", "one") == codes("b", "one")
    assert not codes("c", None) & codes("d", None)


def test_a_changed_run_does_not_change_its_study(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    plan = create_study(tmp_path, "demo")
    for file in run_folder(tmp_path, "demo").published.iterdir():
        file.unlink()
    assert read_plan(tmp_path, "demo") == plan


def test_a_run_has_one_study(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    assert runs_without_study(tmp_path) == ["demo"]
    create_study(tmp_path, "demo")
    assert runs_without_study(tmp_path) == []
    with pytest.raises(StudyError, match="exists already"):
        create_study(tmp_path, "demo")


@pytest.mark.parametrize("phase", ["training", "searching", "failed", "interrupted"])
def test_an_unfinished_run_is_refused_with_what_to_do(tmp_path: Path, phase: Phase) -> None:
    write_finished_run(tmp_path, TEXTS)
    run_folder(tmp_path, "demo").write_status(Status(run_id="demo", phase=phase))
    assert runs_without_study(tmp_path) == []
    with pytest.raises(
        StudyError, match=r"needs the final responses of a finished run.*emorl run"
    ):
        create_study(tmp_path, "demo")
    assert not (tmp_path / "studies").exists()


def test_an_unknown_run_names_those_that_are_there(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    with pytest.raises(RunNotFoundError, match=r"no run 'other'.*there are: demo"):
        create_study(tmp_path, "other")


def test_a_missing_snapshot_is_refused_with_its_path(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    (run_folder(tmp_path, "demo").published / "system_responses.parquet").unlink()
    with pytest.raises(StoreError, match=r"system_responses\.parquet.*publishes it anew"):
        create_study(tmp_path, "demo")
