"""The levels that are methods of their own, sampling, and the choice of a back end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from emorl.config import PolicyConfig
from emorl.decoding.choice import choose_backend
from emorl.decoding.forward import BASE, HuggingFaceForward
from emorl.decoding.levels.probability import probability_scores
from emorl.decoding.merging import merged_adapter
from emorl.errors import ModelError, PromptError, WeightsError
from emorl.models.policy import Policy, load_policy
from emorl.systems.ensemble import Ensemble
from tests.support.policies import ADAPTERS, FAMILIES, PROMPTS, tiny_policy
from tests.support.tiny_models import save_tiny_gpt2

pytestmark = pytest.mark.slow

WEIGHTS = (0.5, 0.3, 0.2)


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return tiny_policy(request.param, tmp_path_factory.mktemp("policy"))


def test_a_mixture_of_probabilities_is_their_weighted_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(3, 2, 8, generator=generator)
    head = torch.nn.Linear(8, 11, bias=False)
    weights = torch.tensor([[2.0, 1.0, 1.0], [0.0, 0.0, 3.0]])
    with torch.no_grad():
        probabilities = torch.softmax(head(states), dim=-1)
        expected = torch.einsum(
            "nm,mnv->nv", weights / weights.sum(1, keepdim=True), probabilities
        )
        torch.testing.assert_close(probability_scores(states, weights, head).exp(), expected)


def test_a_mixture_is_another_method_but_agrees_at_the_corners(policy: Policy) -> None:
    mixture = Ensemble(policy, ADAPTERS, "probability")
    hidden = Ensemble(policy, ADAPTERS)
    one_hot = [tuple(float(a == b) for b in ADAPTERS) for a in ADAPTERS]
    assert mixture.generate(PROMPTS, one_hot) == hidden.generate(PROMPTS, one_hot)
    mixed = [WEIGHTS, (0.4, 0.2, 0.4), (0.1, 0.5, 0.4)]
    assert mixture.generate(PROMPTS, mixed) != hidden.generate(PROMPTS, mixed)


def test_merged_parameters_are_the_weighted_sum_of_the_adapters(policy: Policy) -> None:
    model: Any = policy.model
    layers = [m for m in model.modules() if hasattr(m, "lora_A") and ADAPTERS[0] in m.lora_A]
    rng = torch.Generator().manual_seed(0)
    with merged_adapter(policy, ADAPTERS, WEIGHTS) as name:
        for layer in layers[:5]:
            rows = torch.randn(4, layer.in_features, generator=rng)
            with torch.no_grad():
                alone = {
                    adapter: layer.lora_B[adapter](layer.lora_A[adapter](rows))
                    * layer.scaling[adapter]
                    for adapter in (*ADAPTERS, name)
                }
            expected = sum(w * alone[a] for w, a in zip(WEIGHTS, ADAPTERS, strict=True))
            torch.testing.assert_close(alone[name], expected, atol=1e-4, rtol=1e-4)
    assert name not in model.peft_config
    assert model.active_adapters


def test_the_parameter_level_gives_each_adapters_text_at_the_corners(policy: Policy) -> None:
    merged = Ensemble(policy, ADAPTERS, "parameter")
    hidden = Ensemble(policy, ADAPTERS)
    one_hot = [tuple(float(a == b) for b in ADAPTERS) for a in ADAPTERS]
    assert merged.generate(PROMPTS, one_hot) == hidden.generate(PROMPTS, one_hot)
    nothing = merged.generate(PROMPTS, [(0.0, 0.0, 0.0)])
    assert nothing == Ensemble(policy, (BASE,)).generate(PROMPTS, [(1.0,)])


@pytest.mark.parametrize("level", ["hidden_state", "logit", "probability", "parameter"])
def test_samples_repeat_with_their_seed_and_differ_among_themselves(
    policy: Policy, level: Any
) -> None:
    ensemble = Ensemble(policy, ADAPTERS, level)
    drawn = ensemble.sample(PROMPTS, WEIGHTS, n_samples=2, seed=1)
    assert drawn == ensemble.sample(PROMPTS, WEIGHTS, n_samples=2, seed=1)
    assert drawn != ensemble.sample(PROMPTS, WEIGHTS, n_samples=2, seed=2)
    assert drawn[0] != drawn[1]


def test_cold_samples_are_the_greedy_text(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    cold = ensemble.sample(PROMPTS, WEIGHTS, temperature=1e-5)
    assert cold == ensemble.generate(PROMPTS, [WEIGHTS])


def test_zero_weights_take_the_first_token_of_the_vocabulary(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    both = ensemble.generate(PROMPTS, [(0.0, 0.0, 0.0), WEIGHTS])
    assert {generated.n_tokens for generated in both[0]} == {policy.config.max_new_tokens}
    assert both[1] == ensemble.generate(PROMPTS, [WEIGHTS])[0]


def test_both_back_ends_give_the_same_atlas(policy: Policy) -> None:
    fast = Ensemble(policy, ADAPTERS, backend="stacked").atlases(PROMPTS[:1])[0]
    slow = Ensemble(policy, ADAPTERS, backend="generic").atlases(PROMPTS[:1])[0]
    assert {cell.text for cell in fast.cells if cell.area > 1e-4} == {
        cell.text for cell in slow.cells if cell.area > 1e-4
    }
    assert abs(fast.covered - slow.covered) < 1e-4


def test_an_atlas_is_refused_where_cells_are_not_convex(policy: Policy) -> None:
    for ensemble in (
        Ensemble(policy, ADAPTERS, "probability"),
        Ensemble(policy, ADAPTERS, stop="reference"),
        Ensemble(policy, (ADAPTERS[0],)),
    ):
        with pytest.raises(WeightsError, match="An atlas needs"):
            ensemble.atlases(PROMPTS)


def test_impossible_requests_are_refused_in_words(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    for weights in ((float("nan"), 0, 0), (float("inf"), 0, 0), (-1.0, 0, 0), (1.0, 0)):
        with pytest.raises(WeightsError):
            ensemble.generate(PROMPTS, [weights])
        with pytest.raises(WeightsError):
            ensemble.sample(PROMPTS, weights)
    with pytest.raises(WeightsError, match="zero vector"):
        ensemble.sample(PROMPTS, (0.0, 0.0, 0.0))
    for prompts in ([], ["  "]):
        with pytest.raises(PromptError):
            ensemble.generate(prompts, [WEIGHTS])
        with pytest.raises(PromptError):
            ensemble.atlases(prompts)
    with pytest.raises(ModelError, match="no adapter 'brave'"):
        Ensemble(policy, ("warm", "brave"))


def test_the_choice_of_a_back_end_says_why(policy: Policy, tmp_path: Path) -> None:
    chosen = choose_backend(policy, ADAPTERS)
    assert chosen.name == "stacked"
    assert policy.base.config.model_type in chosen.reason
    assert isinstance(choose_backend(policy, ADAPTERS, "generic").make(), HuggingFaceForward)
    other = load_policy(PolicyConfig(model=str(save_tiny_gpt2(tmp_path / "gpt2")), device="cpu"))
    unknown = choose_backend(other, (BASE,))
    assert (unknown.name, "no fast back end" in unknown.reason) == ("generic", True)
    with pytest.raises(ModelError, match="does not fit"):
        choose_backend(other, (BASE,), "stacked")
