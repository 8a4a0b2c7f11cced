"""Every way to decode gives the oracle's tokens: 100,000 of them, near ties counted apart.

The oracle is the generic back end, one level of prefixes after the other; that it does what the
definition says is shown in ``test_ensemble``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from emorl.decoding.backend import Forward
from emorl.decoding.choice import Backend
from emorl.decoding.forward import HuggingFaceForward
from emorl.decoding.levels.hidden_state import hidden_state_scores
from emorl.decoding.levels.logit import logit_scores
from emorl.decoding.loop import Aggregate, StopRule, decode
from emorl.decoding.screen import Screen
from emorl.decoding.stacked import stacked_forward
from emorl.decoding.tree import PrefixTree
from emorl.models.policy import Policy
from emorl.systems.ensemble import Ensemble
from emorl.weights import canonical_direction
from tests.support.policies import ADAPTERS, FAMILIES, PROMPTS, tiny_policy

pytestmark = pytest.mark.slow

N_TOKENS = 24
NEAR_TIE = 2e-5
"""Relative gap of the two largest scores below which rounding may decide."""

SCALES = (1.0, 0.25, 1000.0, 2.0**-20)
RAYS = [
    tuple(scale * part for part in ray)
    for ray in ((2.0, 1.0, 0.5), (0.375, 0.125, 0.75), (0.0, 3.0, 1.0))
    for scale in SCALES
]
"""Weights as a caller gives them, ray by ray: not scaled to sum one, but without rounding."""

Tokens = list[list[list[int]]]


def many_weights() -> NDArray[np.float64]:
    """One-hot, pairs, a grid, points on one ray, and random vectors."""
    rng = np.random.default_rng(0)
    grid = [
        (a, b, c) for a in (0, 0.5, 1) for b in (0, 0.5, 1) for c in (0, 0.5, 1) if a or b or c
    ]
    rays = [(0.25, 0.5, 0.125), (0.5, 1.0, 0.25)]
    vectors = [*grid, *rays, *rng.dirichlet(np.ones(3), size=122)]
    return np.array([canonical_direction(tuple(map(float, vector))) for vector in vectors])


@dataclass(slots=True)
class Comparison:
    """What became of the comparisons of all families."""

    tokens: int = 0
    mismatches: int = 0
    near_ties: int = 0

    def compare(
        self,
        policy: Policy,
        ours: Tokens,
        theirs: Tokens,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        weights = many_weights() if weights is None else weights
        for place, (own_row, other_row) in enumerate(zip(ours, theirs, strict=True)):
            for prompt, (own, other) in enumerate(zip(own_row, other_row, strict=True)):
                self.tokens += len(other)
                if own == other:
                    continue
                first = next(
                    (
                        i
                        for i, pair in enumerate(zip(own, other, strict=False))
                        if len(set(pair)) > 1
                    ),
                    min(len(own), len(other)),
                )
                if gap(policy, PROMPTS[prompt], other[:first], weights[place]) < NEAR_TIE:
                    self.near_ties += 1
                else:
                    self.mismatches += 1


def gap(policy: Policy, prompt: str, prefix: Sequence[int], weights: NDArray[np.float64]) -> float:
    """Return the relative gap of the two largest scores after a prefix."""
    forward = HuggingFaceForward(policy, ADAPTERS)
    states = forward.start(*policy.encode([prompt]))
    for node, token in enumerate(prefix):
        states = forward.grow(torch.tensor([node]), torch.tensor([token]))
    scores = hidden_state_scores(states, torch.from_numpy(weights[None]).float(), forward.head)
    first, second = scores[0].topk(2).values.tolist()
    return float((first - second) / max(abs(first), 1e-9))


def decoded(
    policy: Policy,
    forward: Forward,
    aggregate: Aggregate,
    stop: StopRule = "eos",
    weights: NDArray[np.float64] | None = None,
) -> Tokens:
    return decode(
        forward,
        aggregate,
        *policy.encode(PROMPTS),
        torch.from_numpy(many_weights() if weights is None else weights).float(),
        max_new_tokens=N_TOKENS,
        eos_token_ids=policy.eos_token_ids,
        stop=stop,
    )


def by_tree(policy: Policy, forward: Forward) -> Tokens:
    tree = PrefixTree(
        forward,
        *policy.encode(PROMPTS),
        max_new_tokens=N_TOKENS,
        eos_token_ids=policy.eos_token_ids,
        memory_mib=256,
    )
    first, second = np.array_split(many_weights(), 2)  # as two rounds of a search
    return tree.decode(first) + tree.decode(second)


def asked(
    ensemble: Ensemble, weights: Sequence[Sequence[float]], monkeypatch: pytest.MonkeyPatch
) -> Tokens:
    """Return the tokens of what the public front writes; its texts leave special ones out."""
    with monkeypatch.context() as patch:
        patch.setattr(Policy, "decode", lambda _, tokens: " ".join(map(str, tokens)))
        written = ensemble.generate(PROMPTS, weights)
    return [[[int(token) for token in text.text.split()] for text in row] for row in written]


def test_all_ways_to_decode_agree_with_the_oracle_token_for_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Comparison()
    for family in FAMILIES:
        policy = tiny_policy(family, tmp_path / family, max_new_tokens=N_TOKENS)

        def generic(policy: Policy = policy) -> Forward:
            return HuggingFaceForward(policy, ADAPTERS)

        def stacked(policy: Policy = policy) -> Forward:
            return stacked_forward(policy, ADAPTERS)

        oracle = decoded(policy, generic(), hidden_state_scores)
        found.compare(policy, by_tree(policy, stacked()), oracle)
        with monkeypatch.context() as patch:  # as large heads are, where integers are fast
            patch.setattr(Screen, "pays_for", lambda _: True)
            screened = stacked()
            assert screened.screen is not None
            found.compare(policy, by_tree(policy, screened), oracle)
        found.compare(policy, by_tree(policy, generic()), oracle)
        found.compare(policy, decoded(policy, stacked(), hidden_state_scores), oracle)
        found.compare(policy, decoded(policy, stacked(), logit_scores), oracle)
        found.compare(
            policy,
            decoded(policy, stacked(), hidden_state_scores, "reference"),
            decoded(policy, generic(), hidden_state_scores, "reference"),
        )
    assert found.tokens >= 100_000
    assert found.mismatches == 0, found
    assert found.near_ties <= found.tokens / 10_000


@pytest.mark.parametrize("backend", ["stacked", "generic"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_ensemble_asked_with_weights_of_any_scale_gives_the_oracles_tokens(
    family: str, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tiny_policy(family, tmp_path, max_new_tokens=N_TOKENS)
    weights = np.array(RAYS)
    # The oracle adds up with the weights as they are.
    oracle = decoded(
        policy, HuggingFaceForward(policy, ADAPTERS), hidden_state_scores, weights=weights
    )
    found = Comparison()
    for level in ("hidden_state", "logit"):
        ours = asked(Ensemble(policy, ADAPTERS, level, backend=backend), RAYS, monkeypatch)
        found.compare(policy, ours, oracle, weights)
        # One ray has one text to the last token, whatever rounding does to a near tie.
        for first in range(0, len(RAYS), len(SCALES)):
            assert all(row == ours[first] for row in ours[first : first + len(SCALES)])
    assert found.mismatches == 0, found
    assert found.near_ties <= 1
    assert len({str(row) for row in oracle}) == len(RAYS) / len(SCALES)  # the rays differ


@pytest.mark.parametrize("backend", ["stacked", "generic"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_zero_vector_gives_the_oracles_tokens(
    family: str, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tiny_policy(family, tmp_path, max_new_tokens=N_TOKENS)
    zero = (0.0, 0.0, 0.0)
    [silent] = decoded(
        policy,
        HuggingFaceForward(policy, ADAPTERS),
        hidden_state_scores,
        weights=np.array([zero]),
    )
    # All scores are equal: the first token of the vocabulary, which ends no text.
    assert silent == [[0] * N_TOKENS] * len(PROMPTS)
    for level in ("hidden_state", "logit"):
        ensemble = Ensemble(policy, ADAPTERS, level, backend=backend)
        # Between others, of which the trees are made.
        ours = asked(ensemble, [RAYS[0], zero, RAYS[-1], zero], monkeypatch)
        assert ours[1] == ours[3] == silent
        assert ours[0] != silent != ours[2]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_rule_keeps_what_comes_after_an_early_end(
    family: str, tmp_path: Path
) -> None:
    policy = tiny_policy(family, tmp_path, max_new_tokens=N_TOKENS)
    usual = decoded(policy, HuggingFaceForward(policy, ADAPTERS), hidden_state_scores)
    as_published = decoded(
        policy, HuggingFaceForward(policy, ADAPTERS), hidden_state_scores, "reference"
    )
    for texts, longer in zip(usual, as_published, strict=True):
        lengths = {len(text) for text in longer}
        assert len(lengths) == 1  # all prompts of one weight vector stop together
        for text, long in zip(texts, longer, strict=True):
            assert long[: len(text)] == text
