"""Atlases and proofs of whole runs, through the pipeline and the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.__main__ import main
from engine.artifacts import RunFolder, run_folder
from engine.atlas.rows import ScoredAtlas, reward_field, scored_atlases
from engine.config import AtlasConfig, RunConfig
from engine.inference import load_ensemble, load_run_models
from engine.mapping import wrong_cells
from engine.pipeline import execute
from engine.records import Weights
from engine.snapshots import snapshot_rows
from tests.runs import Silent, tiny_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, RunFolder]:
    root = tmp_path_factory.mktemp("explored")
    config = tiny_run(root)
    folder = run_folder(root, config.name)
    execute(config, folder, Silent())
    return config, folder


def stored(folder: RunFolder, split: str = "aggregation") -> list[ScoredAtlas]:
    tables = [snapshot_rows(folder, n) for n in ("atlases", "atlas_branches", "atlas_cells")]
    return [one for one in scored_atlases(*tables) if one.split == split]


def prompts(folder: RunFolder, split: str) -> list[str]:
    found = [row for row in snapshot_rows(folder, "prompts") if row["split"] == split]
    return [row["prompt"] for row in sorted(found, key=lambda row: row["prompt_index"])]


def test_a_run_maps_every_aggregation_prompt(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    scored = stored(folder)
    assert [one.prompt_index for one in scored] == list(range(len(prompts(folder, "aggregation"))))
    for one in scored:
        assert one.atlas.is_complete
        assert one.atlas.covered + one.atlas.dropped == pytest.approx(1.0, abs=1e-9)
        assert np.isfinite(one.scores).all()


def test_the_field_is_what_direct_evaluation_gives(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    field = reward_field(stored(folder))
    models = load_run_models(folder)
    texts = prompts(folder, "aggregation")
    weights: list[Weights] = [
        tuple(w) for w in np.random.default_rng(0).dirichlet(np.ones(3), size=100).tolist()
    ]
    generated = models.ensemble.generate(texts, weights)
    direct = np.array(
        [models.rewards.score(texts, [one.text for one in row]).mean(axis=0) for row in generated]
    )
    np.testing.assert_allclose(field.means(weights), direct, atol=1e-12)


def test_every_evaluation_of_the_search_is_in_the_field(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    _, folder = finished
    field = reward_field(stored(folder))
    measured = [row for row in snapshot_rows(folder, "evaluations") if row["means"] is not None]
    means = field.means([row["weights"] for row in measured])
    np.testing.assert_allclose(means, [row["means"] for row in measured], atol=1e-12)


def test_the_proof_bounds_every_evaluation(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    (proof,) = snapshot_rows(folder, "certificates")
    measured = [row["mean_reward"] for row in snapshot_rows(folder, "evaluations")]
    best = max(reward for reward in measured if reward is not None)
    assert proof["gap"] == 0.0
    assert proof["mean_reward"] == pytest.approx(proof["upper_bound"])
    assert proof["mean_reward"] >= best - 1e-12
    assert proof["regret"] == pytest.approx(proof["mean_reward"] - best, abs=1e-12)
    field = reward_field(stored(folder))
    assert field.means([proof["weights"]]).mean() == pytest.approx(proof["mean_reward"])
    front = snapshot_rows(folder, "front")
    assert proof["mean_reward"] == pytest.approx(max(np.mean(row["means"]) for row in front))


def test_a_run_says_how_it_decoded(finished: tuple[RunConfig, RunFolder]) -> None:
    _, folder = finished
    status = folder.read_status()
    assert status is not None
    assert status.backend.startswith("stacked: knows t5")


def test_an_atlas_that_meets_its_budget_is_told_and_completed_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_run(tmp_path, name="short")
    config = replace(config, atlas=AtlasConfig(nodes_per_prompt=2))
    folder = run_folder(tmp_path, "short")
    execute(config, folder, Silent())
    status = folder.read_status()
    assert status is not None
    assert any("Not all atlases are complete" in warning for warning in status.warnings)
    assert not all(one.atlas.is_complete for one in stored(folder))
    (proof,) = snapshot_rows(folder, "certificates")
    assert proof["upper_bound"] >= proof["mean_reward"]
    command = ["--quiet", "--artifacts", str(tmp_path)]
    assert main(["atlas", "short", "--nodes", "5000", *command]) == 0
    assert all(one.atlas.is_complete for one in stored(folder))
    status = folder.read_status()
    assert status is not None
    assert not any("Not all atlases" in warning for warning in status.warnings)
    assert main(["search", "short", "--method", "certified", "--artifacts", str(tmp_path)]) == 0
    assert "(gap 0.0000)" in capsys.readouterr().out
    assert snapshot_rows(folder, "certificates")[0]["gap"] == 0.0


def test_a_cell_with_another_text_than_its_weights_give_is_found(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    ensemble = load_ensemble(finished[1].root)
    texts = prompts(finished[1], "inference")[:2]
    right, other = ensemble.atlases(texts)
    assert wrong_cells(ensemble, texts, [right, other]) == []
    false = replace(other, cells=(replace(other.cells[0], text="Never said."), *other.cells[1:]))
    assert wrong_cells(ensemble, texts, [right, false]) == [(1, 0)]


def test_a_prompt_of_ones_own_gets_an_atlas(
    finished: tuple[RunConfig, RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    config, folder = finished
    artifacts = str(folder.root.parent.parent)
    command = ["atlas", folder.run_id, "--prompt", "My own words.", "--artifacts", artifacts]
    assert main(command) == 0
    assert main([*command, "--prompt", "And others.", "--check"]) == 0
    told = capsys.readouterr().out
    assert "100.000 % of the weights covered" in told
    status = folder.read_status()
    assert status is not None
    assert not any("come out different" in warning for warning in status.warnings)
    scored = stored(folder, "own")
    assert [one.prompt_index for one in scored] == [0, 1]
    ensemble = load_ensemble(folder.root)
    again = ensemble.atlases(["My own words."])[0]
    assert [cell.text for cell in again.cells] == [cell.text for cell in scored[0].atlas.cells]
    execute(config, folder, Silent())  # a run with prompts of one's own still goes on
    assert len(stored(folder)) == len(prompts(folder, "aggregation"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["atlas", "nowhere"], "nowhere"),
        (["atlas", "tiny", "--prompt", "  "], "The prompt is empty"),
        (["atlas", "tiny", "--prompt", "word " * 500], "tokens"),
        (["search", "nowhere", "--method", "certified"], "nowhere"),
    ],
)
def test_wrong_requests_are_told_in_words(
    finished: tuple[RunConfig, RunFolder],
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, folder = finished
    arguments = [folder.run_id if word == "tiny" else word for word in arguments]
    assert main([*arguments, "--artifacts", str(folder.root.parent.parent)]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--nodes", "0"], ["--nodes", "x"], ["--seconds", "nan"]])
def test_wrong_budgets_are_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["atlas", "tiny", *option])
    assert stop.value.code == 2
    assert option[0] in capsys.readouterr().err
