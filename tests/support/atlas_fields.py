"""Small atlases and reward fields over the fake back end, for any number of members."""

from __future__ import annotations

import numpy as np

from emorl.atlas.cells import PromptAtlas
from emorl.atlas.field import Floats, RewardField
from emorl.decoding.atlas import AtlasBudget, build_atlases
from emorl.decoding.tree import PrefixTree
from tests.support.fake_forward import FakeForward, fake_prompts, fake_text

ENDS = (0,)


def fake_tree(
    forward: FakeForward, n_prompts: int, *, max_new_tokens: int = 5, memory_mib: float = 100.0
) -> PrefixTree:
    return PrefixTree(
        forward,
        *fake_prompts(n_prompts),
        max_new_tokens=max_new_tokens,
        eos_token_ids=ENDS,
        memory_mib=memory_mib,
    )


def fake_atlases(
    n_members: int,
    n_prompts: int,
    *,
    seed: int = 0,
    disagreement: int = 8,
    max_new_tokens: int = 5,
    budget: AtlasBudget | None = None,
) -> list[PromptAtlas]:
    forward = FakeForward(n_members, disagreement=disagreement, seed=seed)
    tree = fake_tree(forward, n_prompts, max_new_tokens=max_new_tokens)
    return build_atlases(tree, fake_text, budget)


def scored(
    atlases: list[PromptAtlas], n_objectives: int, *, seed: int = 0, levels: int = 10**6
) -> RewardField:
    """Score cells at random, in multiples of ``1 / levels``; few levels give many equal scores."""
    rng = np.random.default_rng(seed)
    scores = []
    for atlas in atlases:
        own = rng.integers(0, levels + 1, size=(len(atlas.cells), n_objectives)) / levels
        own[[cell.is_open for cell in atlas.cells]] = np.nan
        scores.append(own)
    return RewardField(tuple(atlases), tuple(scores))


def random_weights(n_members: int, n_vectors: int, seed: int = 0) -> Floats:
    """Return weights that sum to one, a quarter of them on the border of the simplex."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(n_members), size=n_vectors)
    at_border = np.arange(0, n_vectors, 4)
    weights[at_border, rng.integers(0, n_members, size=len(at_border))] = 0.0
    normal: Floats = weights / weights.sum(axis=1, keepdims=True)
    return normal
