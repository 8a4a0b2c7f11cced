"""The tree of prefixes against plain decoding, with much memory and with little."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emorl.atlas.cells import Floats
from emorl.decoding.levels.hidden_state import hidden_state_scores
from emorl.decoding.loop import decode
from emorl.decoding.memory import BYTES_OF_RECORDS
from emorl.decoding.nodes import NodeStore, NoRoomError
from emorl.decoding.winners import possible_winners
from emorl.errors import MemoryBudgetError
from tests.support.atlas_fields import ENDS, fake_tree
from tests.support.fake_forward import FakeForward, fake_prompts

MIB = 2**20
N_TOKENS = 5


def decoded(forward: FakeForward, n_prompts: int, weights: Floats) -> list[list[list[int]]]:
    return decode(
        forward,
        hidden_state_scores,
        *fake_prompts(n_prompts),
        torch.from_numpy(weights).float(),
        max_new_tokens=N_TOKENS,
        eos_token_ids=ENDS,
    )


def dyadic_weights(n_members: int, n_vectors: int, seed: int) -> Floats:
    """Return weights in multiples of 1/64 that sum to one.

    With the fake's integers all sums are exact in float32, so that both ways of decoding see
    the very same numbers, ties included.
    """
    rng = np.random.default_rng(seed)
    weights: Floats = rng.multinomial(64, rng.dirichlet(np.ones(n_members)), n_vectors) / 64
    return weights


@pytest.mark.parametrize("n", [2, 3, 4])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_vectors=st.integers(1, 30), with_bias=st.booleans())
def test_the_tree_decodes_as_plain_decoding_does(
    n: int, seed: int, n_vectors: int, with_bias: bool
) -> None:
    weights = dyadic_weights(n, n_vectors, seed)
    expected = decoded(FakeForward(n, seed=seed, with_bias=with_bias), 3, weights)
    forward = FakeForward(n, seed=seed, with_bias=with_bias)
    tree = fake_tree(forward, 3)
    assert tree.decode(weights) == expected
    assert tree.n_forwards == forward.n_reads

    # Known weights cost nothing; each of them alone gives what it gave among others.
    assert tree.decode(weights) == expected
    assert [tree.decode(vector[None])[0] for vector in weights] == expected
    assert forward.n_reads == tree.n_forwards == sum(tree.forwards_by_prompt)

    more = dyadic_weights(n, 10, seed + 1)
    assert tree.decode(more) == decoded(FakeForward(n, seed=seed, with_bias=with_bias), 3, more)


def test_known_weights_need_no_forward() -> None:
    forward = FakeForward(3)
    tree = fake_tree(forward, 4)
    weights = dyadic_weights(3, 50, 0)
    tree.decode(weights)
    n_reads = forward.n_reads
    tree.decode(weights[::-1])
    assert forward.n_reads == n_reads == tree.n_forwards


def test_only_the_direction_of_the_weights_matters_whatever_the_bias() -> None:
    # One vector on a fresh tree combines the states before the head, where scaled weights would
    # meet a bias that is not scaled.
    for vector in dyadic_weights(3, 20, 0):
        once, scaled = (
            fake_tree(FakeForward(3, with_bias=True), 4).decode(scale * vector[None])
            for scale in (1.0, 64.0)
        )
        assert once == scaled


def test_no_weights_give_no_texts() -> None:
    assert fake_tree(FakeForward(2), 2).decode(np.empty((0, 2))) == []


# One node of the fake takes 1,024 bytes of cache and 3 members x 6 states x 4 bytes.
NODE = 1024 + 72 + BYTES_OF_RECORDS


@pytest.mark.parametrize("nodes_in_budget", [7, 12, 40])
def test_little_memory_gives_the_same_texts_within_the_budget(nodes_in_budget: int) -> None:
    weights = dyadic_weights(3, 60, 0)
    expected = fake_tree(FakeForward(3), 4).decode(weights)
    forward = FakeForward(3)
    budget = nodes_in_budget * NODE
    tree = fake_tree(forward, 4, memory_mib=budget / MIB)
    peaks: list[int] = []
    forward.after_grow = lambda: peaks.append(tree.bytes_held)
    assert tree.decode(weights) == expected
    assert tree.decode(weights) == expected
    assert len(peaks) > 2
    assert max(peaks) <= budget
    assert forward.most_held <= nodes_in_budget


def test_memory_is_asked_for_before_it_is_taken() -> None:
    # ``bytes_held`` is looked at when the new nodes are held but not yet counted: add them.
    forward = FakeForward(3)
    tree = fake_tree(forward, 4, memory_mib=12 * NODE / MIB)
    held: list[float] = []
    grow = forward.grow

    def watched(parents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        held.append(tree.bytes_held + len(tokens) * NODE)
        return grow(parents, tokens)

    forward.grow = watched  # type: ignore[method-assign]
    tree.decode(dyadic_weights(3, 60, 0))
    assert max(held) <= 12 * NODE


def test_a_budget_below_one_response_is_refused() -> None:
    # Responses of 5 tokens need 4 nodes beside the prompt; none of these ends early.
    tree = fake_tree(FakeForward(3), 4, memory_mib=2 * NODE / MIB)
    with pytest.raises(MemoryBudgetError, match="Raise it"):
        tree.decode(dyadic_weights(3, 20, 0))
    with pytest.raises(MemoryBudgetError, match=r"policy\.memory_mib"):
        tree.expand([0] * 3, [1, 2, 3])


def test_what_was_forgotten_is_read_again_when_asked_for() -> None:
    forward = FakeForward(3)
    tree = fake_tree(forward, 1, memory_mib=7 * NODE / MIB)
    deep = [0]
    for token in (1, 2, 3):
        deep += tree.expand([deep[-1]], [token])
    tree.decide(deep)
    before = tree.logits([deep[-1]])
    for token in range(1, 6):
        tree.expand(tree.expand([0], [token]), [4])
    n_reads = forward.n_reads
    torch.testing.assert_close(tree.logits([deep[-1]]), before, rtol=0, atol=0)
    assert forward.n_reads > n_reads
    assert tree.prefix(deep[-1]) == (1, 2, 3)


def test_winners_are_forgotten_last_and_never_those_that_are_needed_now() -> None:
    store = NodeStore(FakeForward(3), *fake_prompts(1), room=2 * NODE)
    store.add([0], [1])
    store.add([0], [2])
    store.set_winners(1, np.array([3]), np.zeros((1, 3)))
    # The third node has room when the caches of the others go.
    store.add([0], [3])
    assert store.winners(1) is not None
    # Both fit without the winners, and not with them.
    with pytest.raises(NoRoomError):
        store.hold([1, 2], keep_winners=[1])
    assert store.winners(1) is not None
    store.hold([1, 2])
    assert store.winners(1) is None
    assert store.bytes_held == 2 * NODE
    assert store.states([1, 2]).shape == (3, 2, 6)


def test_the_winners_of_an_undecided_node_are_refused() -> None:
    tree = fake_tree(FakeForward(2), 1)
    with pytest.raises(ValueError, match="not decided"):
        tree.winners(0)


@pytest.mark.parametrize("n", [2, 3, 4])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_token_that_wins_somewhere_is_a_possible_winner(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.integers(-3, 4, size=(n, 5, 40))).float()
    weights = dyadic_weights(n, 100, seed)
    for node, (tokens, vectors) in enumerate(possible_winners(logits, torch.nn.Identity())):
        assert tokens.tolist() == sorted(set(tokens.tolist()))
        assert (vectors == logits[:, node].numpy()[:, tokens].T).all()
        scores = weights @ logits[:, node].double().numpy()
        assert (tokens[(weights @ vectors.T).argmax(axis=1)] == scores.argmax(axis=1)).all()
