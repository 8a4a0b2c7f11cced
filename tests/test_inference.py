"""A run's loaded models: answers, explanations and atlases agree with each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emorl.config import PolicyConfig, RunConfig
from emorl.config.files import config_text, preset
from emorl.config.kinds import REWARDS
from emorl.errors import ModelError, PromptError, WeightsError
from emorl.inference import RunModels, load_run_models
from emorl.rewards import load_rewards
from emorl.runs.folder import RunFolder
from emorl.systems.ensemble import Ensemble, base_alone
from tests.support.atlas_fields import random_weights
from tests.support.policies import ADAPTERS, PROMPTS, tiny_policy

WEIGHTS = (1.0, 0.6, 0.1)
MOST_STEPS = 50


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> RunModels:
    policy = tiny_policy("encoder-decoder", tmp_path_factory.mktemp("models"), max_new_tokens=5)
    targets = dict(zip(ADAPTERS, ("letters", "brevity", "variety"), strict=True))
    config = RunConfig(
        name="tiny",
        objectives=ADAPTERS,
        policy=PolicyConfig(model="tiny"),
        rewards={
            name: REWARDS.config("callable", target=f"tests.support.formula_rewards:{target}")
            for name, target in targets.items()
        },
    )
    ensemble = Ensemble(policy, ADAPTERS)
    return RunModels(policy, load_rewards(config, device="cpu"), ensemble, base_alone(policy))


def test_comparing_is_answering_beside_the_members(models: RunModels) -> None:
    together = models.compare(PROMPTS[0], WEIGHTS)
    assert together == {"ensemble": models.answer(PROMPTS[0], WEIGHTS)} | models.alone(PROMPTS[0])
    assert list(together) == ["ensemble", "base", *(f"adapter:{name}" for name in ADAPTERS)]


def test_an_adapter_alone_is_the_ensemble_of_its_one_hot_weights(models: RunModels) -> None:
    assert models.answer(PROMPTS[1], (0.0, 3.0, 0.0)) == models.alone(PROMPTS[1])["adapter:brief"]


def test_the_explained_tokens_are_the_answer(models: RunModels) -> None:
    for prompt in PROMPTS:
        tokens = models.explain(prompt, WEIGHTS)
        answer = models.answer(prompt, WEIGHTS)
        assert len(tokens) == answer.n_tokens
        words = "".join(token.text for token in tokens)
        assert words.replace(" ", "") == answer.text.replace(" ", "")
        for token in tokens:
            assert token.margin >= -1e-6  # greedy: never behind the runner-up
            assert token.margin_parts[token.decided_by] == max(token.margin_parts)
            assert len(token.alone) == len(ADAPTERS)


def test_one_hot_weights_leave_the_margin_to_one_adapter(models: RunModels) -> None:
    for token in models.explain(PROMPTS[0], (0.0, 1.0, 0.0)):
        assert token.margin_parts == (0.0, token.margin, 0.0)
        assert token.decided_by == 1
        assert token.alone[1] == token.text


def test_an_atlas_in_steps_becomes_the_one_made_at_once(models: RunModels) -> None:
    steps = [models.map_prompt("Hello there", 4)]
    while not steps[-1].atlas.is_complete:
        steps.append(models.map_prompt("Hello there", 100))
        assert len(steps) < MOST_STEPS
    assert len(steps) > 1
    assert np.isnan(steps[0].scores[[cell.is_open for cell in steps[0].atlas.cells]]).all()
    covered = [step.atlas.covered for step in steps]
    assert covered == sorted(covered)
    weights = random_weights(len(ADAPTERS), 100, seed=3)
    atlas, scores = steps[-1].atlas, steps[-1].scores
    for vector, cell in zip(weights, atlas.lookup(weights), strict=True):
        answer = models.answer("Hello there", tuple(vector.tolist()))
        assert answer.text == atlas.cells[cell].text
        assert answer.scores == pytest.approx(scores[cell].tolist())


def test_a_run_in_bfloat16_says_that_it_is_not_exact(tmp_path: Path) -> None:
    config = preset("embedded", seed=0, name="run")
    config = replace(config, policy=replace(config.policy, precision="bfloat16"))
    folder = RunFolder(tmp_path)
    folder.config.write_text(config_text(config), encoding="utf-8")
    with (
        pytest.warns(UserWarning, match="not exact") as caught,
        pytest.raises(ModelError, match="no adapter"),
    ):
        load_run_models(folder)
    assert [Path(one.filename) for one in caught] == [Path(__file__)]


def test_what_does_not_fit_is_refused(models: RunModels) -> None:
    for ask in (models.answer, models.explain, models.compare):
        with pytest.raises(WeightsError, match="at least one weight above 0"):
            ask(PROMPTS[0], (0.0, 0.0, 0.0))
        with pytest.raises(PromptError, match="empty"):
            ask("  ", WEIGHTS)
    with pytest.raises(PromptError):
        models.map_prompt(" ", 4)
