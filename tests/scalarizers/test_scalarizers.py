"""Every kind of scalarizer keeps the same contract, and has the values of its formula."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

from emorl.config import AdapterConfig, TrainingConfig
from emorl.config.kinds import RULES, SCALARIZERS
from emorl.errors import ConfigError, PlugInError, WeightsError
from emorl.policies import PolicySpec, policies_of_objectives
from emorl.rules import dirichlet, fixed
from emorl.rules.protocol import checked_weights
from emorl.scalarizers import chebyshev, linear, log_sum, single
from emorl.scalarizers.protocol import (
    Feedback,
    Floats,
    GroupScores,
    OverAll,
    Scalarizer,
    checked_progress,
)

OBJECTIVES = ("calm", "bright", "brief")
CONFIGS: dict[str, Any] = {
    "single": single.Config(objective="bright"),
    "log_sum": log_sum.Config(),
    "linear": linear.Config(),
    "chebyshev": chebyshev.Config(),
}


def scores_of(values: Any) -> GroupScores:
    found = np.asarray(values, dtype=np.float64)
    return GroupScores(found, np.log(np.clip(found, 1e-4, 0.9999)))


def loaded(kind: str) -> Scalarizer:
    scalarizer: Scalarizer = SCALARIZERS.load(CONFIGS[kind], OBJECTIVES)
    return scalarizer


def sample(kind: str, seed: int = 0, p: int = 5, k: int = 3) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    s = len(loaded(kind).signals())
    return rng.random((p, k, s)), rng.dirichlet(np.ones(s), p)


def test_every_kind_is_tested_here() -> None:
    assert set(SCALARIZERS.names()) == set(CONFIGS)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_scalarizer_keeps_its_contract(kind: str) -> None:
    scalarizer = loaded(kind)
    values, weights = sample(kind)
    before = values.copy()
    reward = scalarizer.reward(scores_of(values), weights)
    assert reward.shape == (5, 3)
    assert np.isfinite(scalarizer.reward(scores_of(np.round(values)), weights)).all()  # 0 and 1
    assert (values == before).all()
    again = SCALARIZERS.load(pickle.loads(pickle.dumps(CONFIGS[kind])), OBJECTIVES)
    again.restore(json.loads(json.dumps(scalarizer.state())))
    assert (again.reward(scores_of(values), weights) == reward).all()
    scalarizer.observe(Feedback(1, (0.5, 0.5, 0.5)))
    assert 0 <= scalarizer.progress(values.mean(axis=(0, 1)), weights.mean(axis=0)) <= 1


@pytest.mark.parametrize("kind", CONFIGS)
def test_no_response_is_worse_for_a_higher_score(kind: str) -> None:
    scalarizer = loaded(kind)
    values, weights = sample(kind)
    reward = scalarizer.reward(scores_of(values), weights)
    for signal in range(values.shape[-1]):
        higher = values.copy()
        higher[..., signal] += 0.5 * (1 - higher[..., signal])
        assert (scalarizer.reward(scores_of(higher), weights) >= reward - 1e-12).all()


@pytest.mark.parametrize("kind", [kind for kind in CONFIGS if kind != "single"])
def test_the_order_of_objectives_does_not_matter(kind: str) -> None:
    values, weights = sample(kind)
    order = [2, 0, 1]
    one = loaded(kind).reward(scores_of(values), weights)
    other = loaded(kind).reward(scores_of(values[..., order]), weights[:, order])
    np.testing.assert_allclose(one, other)


def test_a_response_is_valued_by_the_formula() -> None:
    scores = scores_of([[[0.5, 0.25, 1.0]]])
    weights = np.array([[0.5, 0.25, 0.25]])
    # log 1/2, log 1/4 and log 0.9999 under the weights.
    expected = 0.5 * np.log(0.5) + 0.25 * np.log(0.25) + 0.25 * np.log(0.9999)
    assert loaded("log_sum").reward(scores, weights) == pytest.approx(expected)
    # 0.5 x 0.5 + 0.25 x 0.25 + 0.25 x 1 = 0.5625, whatever the weights' sum.
    assert loaded("linear").reward(scores, 4 * weights) == pytest.approx(np.log(0.5625))
    # Distances 0.25, 0.1875, 0: the largest counts; the mean of the scores is 7/12.
    assert loaded("chebyshev").reward(scores, weights) == pytest.approx(0.05 * 7 / 12 - 0.25)
    assert loaded("single").reward(scores_of([[[0.25]]]), np.ones((1, 1))) == np.log(0.25)


def test_equal_weights_of_log_scores_are_the_log_of_the_geometric_mean() -> None:
    values, _ = sample("log_sum")
    weights = RULES.load(fixed.Config(), 3).weights(["x"] * 5, np.random.default_rng(0))
    expected = np.log(np.clip(values, 1e-4, 0.9999).prod(axis=-1) ** (1 / 3))
    np.testing.assert_allclose(loaded("log_sum").reward(scores_of(values), weights), expected)


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"scalarizer\.objective must be one of"):
        single.load(single.Config(objective="loud"), OBJECTIVES)


def test_rules_give_each_prompt_its_weights() -> None:
    rng = np.random.default_rng(0)
    assert set(RULES.names()) == {"fixed", "dirichlet"}
    given = RULES.load(fixed.Config(weights=(1.0, 3.0)), 2).weights(["a", "b"], rng)
    assert given.tolist() == [[1.0, 3.0], [1.0, 3.0]]
    drawn = RULES.load(dirichlet.Config(), 3).weights(["x"] * 20_000, rng)
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    np.testing.assert_allclose(drawn.mean(axis=0), 1 / 3, atol=0.01)
    one, other = (
        RULES.load(dirichlet.Config(), 3).weights(["x"], np.random.default_rng(4))
        for _ in range(2)
    )
    assert (one == other).all()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: fixed.load(fixed.Config(weights=(1.0,)), 2), WeightsError, "2 objectives, got 1"),
        (lambda: fixed.Config(weights=(0.0, 0.0)), ConfigError, "must not be all 0"),
        (lambda: dirichlet.Config(concentration=0.0), ConfigError, r"rule\.concentration"),
        (lambda: chebyshev.Config(augmentation=2.0), ConfigError, r"scalarizer\.augmentation"),
    ],
)
def test_impossible_rules_and_settings_are_refused(
    make: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_policy_is_named_by_its_content() -> None:
    spec = PolicySpec(label="calm", scalarizer=single.Config(objective="calm"))
    assert spec.key == PolicySpec(label="other", scalarizer=single.Config(objective="calm")).key
    others = [
        PolicySpec(label="calm", scalarizer=single.Config(objective="brief")),
        PolicySpec(label="calm", scalarizer=log_sum.Config()),
        PolicySpec(label="calm", scalarizer=spec.scalarizer, seed=1),
        PolicySpec(label="calm", scalarizer=spec.scalarizer, preferences=dirichlet.Config()),
    ]
    assert len({spec.key, *(other.key for other in others)}) == 5
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_a_policy_of_one_objective_draws_by_the_objectives_name() -> None:
    training = [TrainingConfig(max_steps=steps) for steps in (1, 2, 3)]
    specs = policies_of_objectives(OBJECTIVES, training, AdapterConfig(), seed=7)
    assert [spec.training.max_steps for spec in specs] == [1, 2, 3]
    assert [spec.stream for spec in specs] == list(OBJECTIVES)
    uniform = PolicySpec(label="u", scalarizer=log_sum.Config())
    assert uniform.stream == uniform.key


class _Rule:
    def __init__(self, given: Any) -> None:
        self._given = given

    def weights(self, prompts: Any, rng: Any) -> Any:
        del prompts, rng
        if isinstance(self._given, Exception):
            raise self._given
        return self._given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([[1.0]], r"'mine' must return 2 weights for each of 1 prompts, got shape \(1, 1\)"),
        ([[1.0, float("nan")]], "'mine' must return weights that are finite"),
        ([[1.0, -1.0]], "0 or above"),
        ([[0.0, 0.0]], "not all 0"),
        (ValueError("no"), "'mine' failed: ValueError: no"),
        ("text", "'mine' failed: ValueError"),
    ],
)
def test_a_rule_that_gives_no_weights_is_named(given: Any, words: str) -> None:
    with pytest.raises(PlugInError, match=words):
        checked_weights("mine", _Rule(given), ["x"], np.random.default_rng(0), 2)


class _Figure(OverAll):
    def __init__(self, figure: Any) -> None:
        super().__init__(OBJECTIVES)
        self._figure = figure

    def reward(self, scores: GroupScores, weights: Floats) -> Floats:
        del weights
        return scores.values[..., 0]

    def progress(self, means: Floats, weights: Floats) -> Any:
        del means, weights
        return self._figure


@pytest.mark.parametrize("figure", [1.5, -0.1, float("nan"), "much", None])
def test_a_figure_that_is_none_is_named(figure: Any) -> None:
    with pytest.raises(PlugInError, match=r"'mine'.*progress\(\)"):
        checked_progress("mine", _Figure(figure), np.array([0.5]), np.array([1.0]))
