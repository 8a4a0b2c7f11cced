"""Every level keeps the same contract; one from outside the package decodes like the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from emorl.config.kinds import LEVELS
from emorl.decoding.levels.protocol import Level, checked_scores, load_level
from emorl.errors import PlugInError, WeightsError
from emorl.models.policy import Policy
from emorl.systems.ensemble import Ensemble
from tests.support import harmonic
from tests.support.policies import ADAPTERS, FAMILIES, PROMPTS, tiny_policy

HARMONIC = "tests.support.harmonic:KIND"
WEIGHTS = ((0.5, 0.3, 0.2), (0.1, 0.1, 0.8), (1.0, 0.0, 0.0))


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return tiny_policy(request.param, tmp_path_factory.mktemp("policy"), max_new_tokens=8)


def _states() -> tuple[Tensor, nn.Module]:
    generator = torch.Generator().manual_seed(0)
    head = nn.Linear(8, 11, bias=False)
    head.weight = nn.Parameter(torch.randn(11, 8, generator=generator), requires_grad=False)
    return torch.randn(3, 4, 8, generator=generator), head


@pytest.mark.parametrize("name", [*LEVELS.names(), HARMONIC])
def test_a_level_keeps_its_contract(name: str) -> None:
    level = load_level(name)
    assert level.name == name.rpartition(":")[2].replace("KIND", "harmonic")
    if level.merges:
        assert not level.scale_free
        return
    states, head = _states()
    weights = torch.rand(4, 3, generator=torch.Generator().manual_seed(1)) + 0.05
    scores = checked_scores(level)(states, weights, head)
    assert scores.shape == (4, 11)
    # No cross-talk between rows, and members come with their weights in any order.
    alone = checked_scores(level)(states[:, 2:3], weights[2:3], head)
    torch.testing.assert_close(alone, scores[2:3])
    order = [2, 0, 1]
    torch.testing.assert_close(
        checked_scores(level)(states[order], weights[:, order], head), scores
    )
    if level.scale_free:
        scaled = checked_scores(level)(states, 4 * weights, head)
        assert scaled.argmax(dim=-1).equal(scores.argmax(dim=-1))
    if level.writes_as_states:
        mixed = load_level("hidden_state").scores(states, weights, head)
        assert scores.argmax(dim=-1).equal(mixed.argmax(dim=-1))


def test_a_level_of_another_package_decodes_by_its_own_formula(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS, HARMONIC)
    texts = ensemble.generate(PROMPTS, WEIGHTS)
    # A weight of one leaves the member as it is, and twice the weights are the same direction.
    assert texts[2] == Ensemble(policy, ADAPTERS[:1]).generate(PROMPTS, [(1.0,)])[0]
    assert ensemble.generate(PROMPTS, [(1.0, 0.6, 0.4)])[0] == texts[0]
    assert texts[:2] != Ensemble(policy, ADAPTERS).generate(PROMPTS, WEIGHTS[:2])
    with pytest.raises(WeightsError, match="this ensemble has 3, 'eos' and 'harmonic'"):
        ensemble.atlases(PROMPTS)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("shape", r"level 'harmonic' must return scores \(\d+, vocabulary\), got \(\d+,\)"),
        ("type", r"must return scores .* got float"),
        ("raises", "level 'harmonic' failed: ZeroDivisionError"),
    ],
)
def test_a_level_that_fails_is_named(
    fault: str, words: str, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harmonic, "FAULT", fault)
    with pytest.raises(PlugInError, match=words):
        Ensemble(policy, ADAPTERS, HARMONIC).generate(PROMPTS, WEIGHTS)


def test_the_space_of_an_ensemble_follows_from_its_level(policy: Policy, tmp_path: Path) -> None:
    del tmp_path
    spaces: Sequence[tuple[str, bool]] = (("hidden_state", True), ("parameter", False))
    for name, scale_free in spaces:
        space = Ensemble(policy, ADAPTERS, name).space
        assert (space.names, space.scale_free) == (ADAPTERS, scale_free)


def test_harmonic_scores_are_those_of_the_formula() -> None:
    level: Level = load_level(HARMONIC)
    states, head = _states()
    weights = torch.tensor([[0.5, 0.25, 0.25]] * 4)
    probabilities = torch.softmax(head(states), dim=-1)
    expected = 1 / torch.einsum("nm,mnv->nv", weights, 1 / probabilities)
    torch.testing.assert_close(level.scores(states, weights, head).exp(), expected)
