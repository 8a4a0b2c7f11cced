"""Atlases and proofs of whole runs, through the pipeline and the command line."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorl.__main__ import main
from emorl.atlas.cells import PromptAtlas
from emorl.atlas.field import RewardField
from emorl.atlas.rows import ScoredAtlas, reward_field, scored_atlases
from emorl.config import AtlasConfig, RunConfig
from emorl.config.files import config_text
from emorl.config.kinds import REWARDS
from emorl.decoding.atlas import AtlasBudget
from emorl.execution.context import NoProgress
from emorl.execution.pipeline import execute
from emorl.inference import load_ensemble, load_run_models
from emorl.records import Weights
from emorl.runs.folder import RunFolder, run_folder
from emorl.runs.snapshots import snapshot_rows
from emorl.runs.summary import summarise
from emorl.search import hierarchical
from emorl.search.certificates import certificate_rows, merge_certificates
from emorl.search.certified import SearchBudget
from emorl.systems.ensemble import Ensemble
from emorl.systems.mapping import map_prompts, mismatched_cells
from tests.benchmarks.lookups import agreement, random_weights
from tests.support.atlas_fields import fake_atlases
from tests.support.atlas_fields import scored as random_scores
from tests.support.tiny_runs import tiny_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, RunFolder]:
    root = tmp_path_factory.mktemp("explored")
    config = tiny_run(root)
    folder = run_folder(root, config.name)
    execute(config, folder, NoProgress())
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
    settings = tmp_path / "short.toml"
    settings.write_text(config_text(config), encoding="utf-8")
    command = ["--quiet", "--artifacts", str(tmp_path)]
    assert main(["run", str(settings), *command]) == 0
    status = folder.read_status()
    assert status is not None
    assert any("Not all atlases are complete" in warning for warning in status.warnings)
    assert not all(one.atlas.is_complete for one in stored(folder))
    (proof,) = snapshot_rows(folder, "certificates")
    assert proof["upper_bound"] >= proof["mean_reward"]
    assert main(["atlas", "short", "--nodes", "5000", *command]) == 0
    assert all(one.atlas.is_complete for one in stored(folder))
    status = folder.read_status()
    assert status is not None
    assert not any("Not all atlases" in warning for warning in status.warnings)
    assert main(["search", "short", "--searcher", "certified", "--artifacts", str(tmp_path)]) == 0
    assert "(gap 0.0000)" in capsys.readouterr().out
    assert snapshot_rows(folder, "certificates")[0]["gap"] == 0.0
    # The settings file names the run as well; changed settings are refused, not left out.
    certify = ["search", str(settings), "--searcher", "certified", "--artifacts", str(tmp_path)]
    assert main(certify) == 0
    assert "(gap 0.0000)" in capsys.readouterr().out
    before = snapshot_rows(folder, "certificates")
    for changed in (["--set", "search.n_rounds=3"], ["--seed", "7"]):
        assert main([*certify, *changed]) == 2
        assert "a proof is about a run as it was trained" in capsys.readouterr().err
    for changed in (["--set", "search.n_rounds=3"], ["--seed", "7"], ["--name", "other"]):
        assert main(["search", "short", *certify[2:], *changed]) == 2
        assert "its settings are fixed" in capsys.readouterr().err
    assert main([*certify, "--name", "other"]) == 2
    assert "other" in capsys.readouterr().err
    assert snapshot_rows(folder, "certificates") == before


def test_responses_that_are_not_in_their_place_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "turned.toml"
    settings.write_text(config_text(tiny_run(tmp_path, name="turned")), encoding="utf-8")
    command = ["--quiet", "--artifacts", str(tmp_path)]
    assert main(["train", str(settings), *command]) == 0
    monkeypatch.setattr(PromptAtlas, "misplaced", lambda _: [0])
    assert main(["atlas", "turned", *command]) == 0
    status = run_folder(tmp_path, "turned").read_status()
    assert status is not None
    assert any(warning.startswith("2 responses of the atlas") for warning in status.warnings)


def test_a_smaller_budget_does_not_replace_a_better_proof(
    finished: tuple[RunConfig, RunFolder],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = finished[1]

    def proven() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        rows = [snapshot_rows(folder, name) for name in ("certificates", "front")]
        told = [[row for row in table if row.pop("stored_at")] for table in rows]
        return told[0][0], told[1]

    before = proven()
    assert before[0]["gap"] == 0.0
    assert all(row["is_complete"] for row in before[1])

    def stopped(*settings: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        row, front = certificate_rows(*settings)
        row |= {"gap": 0.25, "upper_bound": row["mean_reward"] + 0.25}
        return row, [one | {"is_complete": False} for one in front]

    command = ["search", folder.run_id, "--searcher", "certified", "--quiet"]
    command += ["--artifacts", str(folder.root.parent.parent)]
    with monkeypatch.context() as patched:
        patched.setattr("emorl.execution.searching.certificate_rows", stopped)
        assert main(command) == 0
    assert "The stored proof is kept: its gap is 0.0000, and that of this budget 0.2500" in (
        caplog.text
    )
    assert "The stored front is kept" in caplog.text
    assert proven() == before
    caplog.clear()
    assert main(command) == 0  # one that is as good replaces it
    assert "kept" not in caplog.text


def test_of_two_proofs_the_smaller_gap_and_the_longer_front_are_kept() -> None:
    field = random_scores(fake_atlases(3, 6, seed=2, disagreement=16), 3)
    prompts = [
        ScoredAtlas("aggregation", place, atlas, scores, 0.1)
        for place, (atlas, scores) in enumerate(zip(field.atlases, field.scores, strict=True))
    ]
    whole = certificate_rows(prompts, None, SearchBudget())
    short = certificate_rows(prompts, (1.0, 0.0, 0.0), SearchBudget(regions=1))
    assert short[0]["gap"] > whole[0]["gap"] == 0.0
    assert len(short[1]) < len(whole[1])
    assert merge_certificates(None, short) is short
    assert merge_certificates(short, whole) == whole
    row, front = merge_certificates(whole, short)
    assert front is whole[1]
    # What the search found is as far below the kept proof as it is by a look-up.
    searched = float(field.means([(1.0, 0.0, 0.0)]).mean())
    assert row["regret"] == pytest.approx(whole[0]["mean_reward"] - searched)
    assert {**row, "searched_weights": None, "regret": None} == whole[0]


def prompts_with_scores(
    atlases: list[PromptAtlas], *, seed: int = 2
) -> tuple[list[ScoredAtlas], RewardField]:
    field = random_scores(atlases, 3, seed=seed)
    return [
        ScoredAtlas("aggregation", place, atlas, scores, 0.1)
        for place, (atlas, scores) in enumerate(zip(field.atlases, field.scores, strict=True))
    ], field


def measured(weights: Weights, *means: float) -> dict[str, Any]:
    """Return what the certificate reads of a row of ``evaluations``."""
    mean_reward = sum(means) / len(means) if means else None
    return {"weights": list(weights), "means": list(means) or None, "mean_reward": mean_reward}


def test_the_zero_vector_is_worth_what_was_measured_and_is_no_candidate() -> None:
    scored, _ = prompts_with_scores(fake_atlases(3, 6, seed=2, disagreement=16))
    zero = (0.0, 0.0, 0.0)
    whole, _ = certificate_rows(scored, None, SearchBudget())
    row, _ = certificate_rows(scored, zero, SearchBudget(), [measured(zero, 0.2, 0.3, 0.1)])
    assert row["regret"] == pytest.approx(whole["mean_reward"] - 0.2)
    # It lies outside the simplex: what it earns is no bound for the weights in it.
    row, _ = certificate_rows(scored, zero, SearchBudget(), [measured(zero, 1.0, 1.0, 1.0)])
    assert row["weights"] == whole["weights"]
    assert row["mean_reward"] == row["upper_bound"] == whole["mean_reward"]
    assert row["regret"] == pytest.approx(whole["mean_reward"] - 1.0)
    row, _ = certificate_rows(scored, zero, SearchBudget(), [measured(zero)])
    assert row["regret"] is None


def test_measured_weights_are_the_lower_bound_where_atlases_are_open() -> None:
    scored, field = prompts_with_scores(
        fake_atlases(3, 4, seed=1, budget=AtlasBudget(nodes_per_prompt=1))
    )
    best, other = (0.5, 0.25, 0.25), (1.0, 0.0, 0.0)
    blind, _ = certificate_rows(scored, best, SearchBudget())
    assert np.isnan(field.means([best])).any()
    assert blind["regret"] is None
    evaluations = [measured(other, 0.6, 0.6, 0.6), measured((1.0, 0.5, 0.5), 0.9, 0.8, 1.0)]
    evaluations += [measured(best, 0.9, 0.8, 1.0), measured((0.0, 0.0, 0.0))]
    row, _ = certificate_rows(scored, best, SearchBudget(), evaluations)
    assert row["mean_reward"] == pytest.approx(0.9)
    assert row["means"] == (0.9, 0.8, 1.0)
    assert row["weights"] == best  # on the simplex
    assert row["upper_bound"] == blind["upper_bound"] > 0.9
    assert row["gap"] == pytest.approx(row["upper_bound"] - 0.9)
    assert row["regret"] == 0.0
    # How far they may move is not known.
    assert (row["radius"], row["area"], row["corners"]) == (0.0, 0.0, list(best))
    row, _ = certificate_rows(scored, other, SearchBudget(), evaluations)
    assert row["regret"] == pytest.approx(0.3)


def test_a_short_proof_knows_the_region_of_measured_weights() -> None:
    scored, field = prompts_with_scores(fake_atlases(3, 6, seed=8, disagreement=16))
    whole, _ = certificate_rows(scored, None, SearchBudget())
    short, _ = certificate_rows(scored, None, SearchBudget(regions=0))
    assert short["mean_reward"] < whole["mean_reward"] - 0.01
    means = field.means([whole["weights"]])[0]
    evaluations = [measured(whole["weights"], *means.tolist())]
    row, _ = certificate_rows(scored, whole["weights"], SearchBudget(regions=0), evaluations)
    assert row["mean_reward"] == pytest.approx(whole["mean_reward"])
    assert row["radius"] > 0
    assert row["upper_bound"] >= whole["upper_bound"] - 1e-12
    # No proof is above what was measured, be it in a sliver that the proof leaves out.
    row, _ = certificate_rows(scored, None, SearchBudget(), [measured((1.0, 0.0, 0.0), 1, 1, 1)])
    assert row["mean_reward"] == row["upper_bound"] == 1.0
    assert row["gap"] == row["radius"] == 0.0


def test_of_two_proofs_the_better_weights_and_the_lower_bound_are_kept() -> None:
    scored, _ = prompts_with_scores(
        fake_atlases(3, 4, seed=1, budget=AtlasBudget(nodes_per_prompt=1))
    )
    best = (0.5, 0.25, 0.25)
    blind, front = certificate_rows(scored, None, SearchBudget())
    new, _ = certificate_rows(scored, best, SearchBudget(), [measured(best, 0.9, 0.9, 0.9)])
    # The new gap is 0.1: larger than the first old one, smaller than the second.
    for lower in (0.86, 0.5):
        old = blind | {"mean_reward": lower, "upper_bound": 0.95, "gap": 0.95 - lower}
        row, _ = merge_certificates((old, front), (new, front))
        assert (row["mean_reward"], row["upper_bound"]) == (pytest.approx(0.9), 0.95)
        assert row["weights"] == best
        assert row["gap"] == pytest.approx(0.05)
        assert row["regret"] == pytest.approx(0.0)


def worthless(_prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """Reward 0, so that all weights are as good as the zero vector, which comes first."""
    return [0.0] * len(responses)


def test_a_search_that_finds_the_zero_vector_best_gets_its_proof(tmp_path: Path) -> None:
    config = tiny_run(tmp_path, name="zero")
    reward = REWARDS.config("callable", target="tests.test_exploration:worthless")
    config = replace(
        config,
        search=hierarchical.Config(n_rounds=1, mode="reference"),
        rewards=dict.fromkeys(config.objectives, reward),
    )
    folder = run_folder(tmp_path, "zero")
    execute(config, folder, NoProgress())
    (proof,) = snapshot_rows(folder, "certificates")
    assert not any(proof["searched_weights"])
    assert proof["regret"] == proof["gap"] == proof["mean_reward"] == 0.0
    assert any(proof["weights"])


def test_open_atlases_are_certified_with_what_the_search_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_run(tmp_path, name="open")
    config = replace(config, atlas=AtlasConfig(nodes_per_prompt=2))
    folder = run_folder(tmp_path, "open")
    settings = tmp_path / "open.toml"
    settings.write_text(config_text(config), encoding="utf-8")
    command = ["--quiet", "--artifacts", str(tmp_path)]
    assert main(["train", str(settings), *command]) == 0
    # Proven before the search, from open atlases alone.
    assert main(["search", "open", "--searcher", "certified", *command]) == 0
    (blind,) = snapshot_rows(folder, "certificates")
    assert blind["regret"] is None
    assert summarise(folder)["atlas"]["certificate"]["radius"] is None
    assert main(["search", "open", *command]) == 0
    rewards = [row["mean_reward"] for row in snapshot_rows(folder, "evaluations")]
    best = max(reward for reward in rewards if reward is not None)
    (proof,) = snapshot_rows(folder, "certificates")
    assert blind["mean_reward"] < best == pytest.approx(proof["mean_reward"])
    assert proof["upper_bound"] == pytest.approx(blind["upper_bound"])
    assert proof["gap"] == pytest.approx(proof["upper_bound"] - best)
    assert proof["regret"] == pytest.approx(0.0)
    # Proving once more, and the same in one go, come to the same.
    capsys.readouterr()
    assert main(["search", "open", "--searcher", "certified", *command[1:]]) == 0
    told = capsys.readouterr().out
    assert f"mean reward at least {best:.4f}, and none has more" in told
    assert "How far they may move is not known" in told
    assert "found within the budget; there may be more" in told
    assert main(["run", str(settings), "--name", "at_once", *command]) == 0
    for name in ("open", "at_once"):
        (again,) = snapshot_rows(run_folder(tmp_path, name), "certificates")
        for column in ("mean_reward", "upper_bound", "gap", "regret", "weights"):
            assert again[column] == pytest.approx(proof[column])
    capsys.readouterr()
    assert main(["summary", "open", "--artifacts", str(tmp_path)]) == 0
    assert f"mean reward above {proof['upper_bound']:.4f}" in (told := capsys.readouterr().out)
    assert f"the best found have at least {best:.4f} (weights " in told
    assert main(["summary", "open", "--json", "--artifacts", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["atlas"]["certificate"]["regret"] == (
        pytest.approx(0.0)
    )


def test_prompts_are_decoded_scored_and_handed_on_a_few_at_a_time(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    texts = [f"Prompt {n}." for n in range(10)]

    def mapped(skip: Collection[int] = ()) -> tuple[Iterator[list[ScoredAtlas]], Ensemble]:
        models = load_run_models(finished[1])
        found = map_prompts(
            models.ensemble, models.rewards, "own", texts, AtlasBudget(), skip=skip
        )
        return found, models.ensemble

    def reads(ensemble: Ensemble) -> list[int]:
        [tree] = ensemble.trees.trees
        return tree.forwards_by_prompt

    undisturbed, ensemble = mapped()
    first = next(undisturbed)
    # All ten prompts are read, but of the responses to the last two nothing is yet.
    assert min(reads(ensemble)[:8]) > 1
    assert reads(ensemble)[8:] == [1, 1]
    [rest] = undisturbed
    # After a stop only what was not handed on is decoded, and comes out the same.
    resumed, ensemble = mapped(skip=range(8))
    [again] = resumed
    assert reads(ensemble)[:8] == [1] * 8
    assert [one.prompt_index for one in first + again] == list(range(10))
    for one, other in zip(again, rest, strict=True):
        assert one.atlas.cells[0].tokens == other.atlas.cells[0].tokens
        for mine, theirs in zip(one.atlas.branches, other.atlas.branches, strict=True):
            np.testing.assert_array_equal(mine.vectors, theirs.vectors)
    # One that is open is decoded anew, but not its neighbours: the texts come out the same.
    reopened, ensemble = mapped(skip={*range(10)} - {3})
    [[one]] = reopened
    assert one.prompt_index == 3
    assert min(reads(ensemble)[3:4]) > 1
    assert sum(reads(ensemble)) == 9 + reads(ensemble)[3]
    texts_of = [cell.text for cell in one.atlas.cells]
    assert sorted(texts_of) == sorted(cell.text for cell in first[3].atlas.cells)


def test_a_stop_loses_no_prompt_that_is_scored(
    finished: tuple[RunConfig, RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = load_run_models(finished[1])
    texts = [f"Prompt {n}." for n in range(10)]
    mapped = map_prompts(models.ensemble, models.rewards, "own", texts, AtlasBudget())
    # Ten prompts are decoded and scored by eight.
    assert [one.prompt_index for one in next(mapped)] == list(range(8))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(models.rewards, "score", stopped)
    with pytest.raises(KeyboardInterrupt):
        next(mapped)


def test_a_cell_with_another_text_than_its_weights_give_is_found(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    ensemble = load_ensemble(finished[1].root)
    texts = prompts(finished[1], "inference")[:2]
    right, other = ensemble.atlases(texts)
    assert mismatched_cells(ensemble, texts, [right, other]) == []
    false = replace(other, cells=(replace(other.cells[0], text="Never said."), *other.cells[1:]))
    assert mismatched_cells(ensemble, texts, [right, false]) == [(1, 0)]


def test_look_ups_that_are_not_what_decoding_writes_are_counted(
    finished: tuple[RunConfig, RunFolder],
) -> None:
    models = load_run_models(finished[1])
    oracle = Ensemble(models.policy, models.ensemble.members, backend="generic")
    one, weights = stored(finished[1])[0], random_weights(100, 3, seed=0)
    text = prompts(finished[1], "aggregation")[0]
    right = agreement(oracle, text, one, weights)
    assert (right.n_compared, right.n_open, right.wrong) == (100, 0, ())
    first = one.atlas.cells[0]
    others = one.atlas.cells[1:]
    n_first = int((one.atlas.lookup(weights) == 0).sum())
    false = replace(first, text="Never said.", tokens=(1, 2, 3))
    spoiled = replace(one, atlas=replace(one.atlas, cells=(false, *others)))
    assert len(agreement(oracle, text, spoiled, weights).wrong) == n_first > 0
    unknown = replace(one, atlas=replace(one.atlas, cells=(replace(first, is_open=True), *others)))
    assert agreement(oracle, text, unknown, weights).n_open == n_first


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
    execute(config, folder, NoProgress())  # a run with prompts of one's own still goes on
    assert len(stored(folder)) == len(prompts(folder, "aggregation"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["atlas", "nowhere"], "nowhere"),
        (["atlas", "tiny", "--prompt", "  "], "The prompt is empty"),
        (["atlas", "tiny", "--prompt", "word " * 500], "tokens"),
        (["search", "nowhere", "--searcher", "certified"], "nowhere"),
        (["search", "tiny", "--seconds", "5"], "it needs --searcher certified"),
        (["atlas", "tiny", "--prompt", "Hi.", "--split", "inference"], "Leave one of them out"),
        (["atlas", "tiny", "--prompt", "\udcff bad"], "no Unicode text"),
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


def test_a_smaller_budget_does_not_replace_a_larger_atlas(
    finished: tuple[RunConfig, RunFolder],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = finished[1]
    artifacts = str(folder.root.parent.parent)

    def map_again(*budget: str) -> PromptAtlas:
        prompt = ["--prompt", "Open for long.", "--artifacts", artifacts]
        assert main(["atlas", folder.run_id, *prompt, *budget]) == 0
        (place,) = (
            row["prompt_index"]
            for row in snapshot_rows(folder, "prompts")
            if row["prompt"] == "Open for long."
        )
        return next(one for one in stored(folder, "own") if one.prompt_index == place).atlas

    complete = load_ensemble(folder.root).atlases(["Open for long."])[0]
    first = map_again("--nodes", str(complete.node_forwards - 1))
    assert 0 < first.covered < 1
    assert "kept" not in caplog.text
    capsys.readouterr()
    for budget in (("--nodes", "2"), ("--seconds", "1e-9")):
        caplog.clear()
        assert map_again(*budget).covered == first.covered
        assert "Stored open atlases kept: 1." in caplog.text
        assert f"{100 * first.covered:.3f} % of the weights" in capsys.readouterr().out
    caplog.clear()
    assert map_again("--nodes", "5000").is_complete
    assert "kept" not in caplog.text
