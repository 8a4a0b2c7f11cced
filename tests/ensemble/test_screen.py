"""The screen of the head: never a token less than the full product, and hardly one more."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from emorl.decoding.screen import (
    Product,
    Screen,
    double_product,
    has_fast_integers,
    integer_product,
)
from emorl.decoding.winners import best_tokens, possible_winners

PRODUCTS: dict[str, Product] = {"double": double_product}
"""Every way to multiply that this processor has; the exact one in double precision always runs."""
if has_fast_integers():
    PRODUCTS["integer"] = integer_product


@pytest.fixture(params=PRODUCTS)
def product(request: pytest.FixtureRequest) -> Product:
    return PRODUCTS[request.param]


def _head(weight: Tensor) -> nn.Linear:
    head = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    head.weight = nn.Parameter(weight, requires_grad=False)
    return head


def _screen(head: nn.Linear, product: Product = double_product) -> Screen:
    screen = Screen(head, product)
    screen.may_copy = True
    return screen


def _random(seed: int, n_members: int, vocabulary: int) -> tuple[nn.Linear, Tensor]:
    """Return a head whose rows have very different lengths, and states that are close."""
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(vocabulary, 32, generator=rng)
    weight *= torch.exp(2 * torch.randn(vocabulary, 1, generator=rng))
    weight[vocabulary // 2] = 0
    weight[vocabulary // 3] = weight[-1]  # two tokens that are always even
    states = torch.randn(1, 6, 32, generator=rng)
    states = states + 0.3 * torch.randn(n_members, 6, 32, generator=rng)
    states[:, 0] *= 1e-20
    states[:, 1] *= 1e6
    return _head(weight), states


@pytest.mark.parametrize("n_members", [1, 2, 3])
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    vocabulary=st.integers(3, 700),
    name=st.sampled_from(sorted(PRODUCTS)),
)
def test_what_wins_under_any_weights_is_never_screened_out(
    n_members: int, seed: int, vocabulary: int, name: str
) -> None:
    head, states = _random(seed, n_members, vocabulary)
    found = _screen(head, PRODUCTS[name]).candidates(states)
    assume(found is not None)  # there may be too many for a gain
    assert found is not None
    exact = head(states).double()
    weights = torch.from_numpy(np.random.default_rng(seed).dirichlet([0.7] * n_members, 60))
    winners = torch.einsum("wn,nmv->wmv", weights, exact).argmax(dim=-1)
    for row in range(states.shape[1]):
        tokens = found.tokens[found.rows == row].tolist()
        assert tokens == sorted(set(tokens))
        assert set(winners[:, row].tolist()) <= set(tokens)
    scores = exact[:, found.rows, found.tokens]
    lengths = states[:, found.rows].norm(dim=-1) * head.weight[found.tokens].norm(dim=-1)
    assert ((found.scores - scores).abs() <= 1e-6 * lengths).all()


def test_few_tokens_are_left_of_many(product: Product) -> None:
    rng = torch.Generator().manual_seed(0)
    head = _head(torch.randn(32_000, 256, generator=rng))
    states = torch.randn(1, 20, 256, generator=rng).expand(3, -1, -1)
    found = _screen(head, product).candidates(
        states + 0.01 * torch.randn(3, 20, 256, generator=rng)
    )
    assert found is not None
    assert len(found.tokens) < 10 * 20
    assert set(found.rows.tolist()) == set(range(20))


def test_screened_and_full_products_leave_the_same_winners(product: Product) -> None:
    rng = torch.Generator().manual_seed(1)
    head = _head(torch.randn(5_000, 64, generator=rng))
    states = torch.randn(1, 50, 64, generator=rng) + 0.2 * torch.randn(3, 50, 64, generator=rng)
    screened = possible_winners(states, head, _screen(head, product))
    full = possible_winners(states, head)
    assert max(len(tokens) for tokens, _ in full) > 2
    for (tokens, vectors), (expected, logits) in zip(screened, full, strict=True):
        assert tokens.tolist() == expected.tolist()
        np.testing.assert_allclose(vectors, logits, atol=1e-4)
    assert best_tokens(states[0], head, _screen(head, product)).equal(
        head(states[0]).argmax(dim=-1)
    )


def test_of_even_tokens_the_first_one_is_best() -> None:
    head = _head(torch.ones(300, 8))
    assert best_tokens(torch.ones(2, 8), head, _screen(head)).tolist() == [0, 0]
    # So many candidates are no gain: the full product is asked.
    assert _screen(head).candidates(torch.ones(1, 2, 8)) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_states_that_are_not_finite_are_not_screened(value: float) -> None:
    head = _head(torch.eye(300, 8))
    states = torch.ones(2, 3, 8)
    states[1, 2, 4] = value
    assert _screen(head).candidates(states) is None


def test_without_memory_nothing_is_screened() -> None:
    screen = Screen(_head(torch.eye(300, 8)))
    assert screen.candidates(torch.ones(2, 3, 8)) is None
    assert screen.bytes_of_copy == 3 * (128 * (8 + 8 + 4 * 96) + 4)


def test_a_weight_that_changed_is_rounded_again() -> None:
    head = _head(torch.eye(300, 8))
    states = torch.nn.functional.one_hot(torch.tensor([3, 5]), 8).float()
    screen = _screen(head)
    assert best_tokens(states, head, screen).tolist() == [3, 5]
    head.weight.copy_(torch.eye(300, 8).flip(1))
    assert best_tokens(states, head, screen).tolist() == [4, 2]


def test_heads_that_are_small_or_have_a_bias_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emorl.decoding.screen.has_fast_integers", lambda: True)
    assert Screen.pays_for(nn.Linear(256, 10_000, bias=False))
    assert not Screen.pays_for(nn.Linear(256, 10_000))
    assert not Screen.pays_for(nn.Linear(16, 100, bias=False))
    assert not Screen.pays_for(nn.Linear(256, 10_000, bias=False, dtype=torch.bfloat16))


def test_no_head_is_screened_where_integers_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emorl.decoding.screen.has_fast_integers", lambda: False)
    assert not Screen.pays_for(nn.Linear(256, 10_000, bias=False))
