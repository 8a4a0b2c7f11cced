"""Formulas against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from emorl.training.convergence import has_converged
from emorl.training.losses import (
    SampledTokens,
    group_advantages,
    log_rewards,
    training_loss,
)


def test_log_rewards_clip_both_ends() -> None:
    rewards = log_rewards(torch.tensor([0.0, 0.5, 1.0]))
    expected = torch.tensor([math.log(1e-4), math.log(0.5), math.log(0.9999)])
    torch.testing.assert_close(rewards, expected)


def test_advantages_are_rewards_less_the_mean_of_their_prompt() -> None:
    # Means 2 and 5; the group's spread is not divided out.
    advantages = group_advantages(torch.tensor([[1.0, 2.0, 3.0], [4.0, 4.0, 7.0]]))
    torch.testing.assert_close(advantages, torch.tensor([[-1.0, 0.0, 1.0], [-1.0, -1.0, 2.0]]))


def loss_of(
    logits: torch.Tensor, reference: torch.Tensor, **sampled: float
) -> tuple[float, float, torch.Tensor]:
    """Loss, KL and gradient of one response of one token, the first of all."""
    given = logits.clone().requires_grad_()
    one = SampledTokens(
        torch.tensor([0]),
        torch.tensor([sampled.get("advantage", 0.0)]),
        n_responses=1,
        temperature=sampled.get("temperature", 1.0),
        kl_coefficient=sampled.get("kl_coefficient", 0.0),
    )
    loss, kl = training_loss(one, given, reference, nn.Identity(), tokens_at_once=8)
    loss.backward()  # type: ignore[no-untyped-call]
    assert given.grad is not None
    return float(loss.detach()), float(kl), given.grad


def test_the_policy_gradient_is_that_of_the_tempered_policy() -> None:
    # Logits (ln 1, ln 4) at temperature 2 are (0, ln 2): probabilities 1/3 and 2/3.
    logits = torch.tensor([[1.0, 4.0]]).log()
    loss, _, gradient = loss_of(logits, logits, advantage=3.0, temperature=2.0)
    assert loss == pytest.approx(-3 * math.log(1 / 3))
    torch.testing.assert_close(gradient, torch.tensor([[-1.0, 1.0]]))


def test_the_kl_pulls_to_the_reference() -> None:
    # p = (1/2, 1/2), q = (1/4, 3/4): KL = 1/2 ln(1/2 / 1/4) + 1/2 ln(1/2 / 3/4).
    reference = torch.tensor([[0.25, 0.75]]).log()
    loss, kl, gradient = loss_of(torch.zeros(1, 2), reference, kl_coefficient=0.1)
    assert kl == pytest.approx(0.5 * math.log(2.0) + 0.5 * math.log(2.0 / 3.0))
    assert loss == pytest.approx(0.1 * kl)
    assert gradient[0, 0] > 0 > gradient[0, 1]


def test_kl_of_near_policies_is_not_negative_in_low_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(80, 1, 50, generator=generator)
    logits = reference + 0.02 * torch.randn(80, 1, 50, generator=generator)
    for near, other in zip(logits.bfloat16(), reference.bfloat16(), strict=True):
        assert loss_of(near, other)[1] >= 0


def test_low_precision_is_tempered_in_single_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = (3 * torch.randn(1, 500, generator=generator)).bfloat16()
    logits = (reference + 0.05 * torch.randn(1, 500, generator=generator)).bfloat16()
    _, kl, gradient = loss_of(logits, reference, temperature=0.7, kl_coefficient=1.0)
    _, expected_kl, expected = loss_of(
        logits.float(), reference.float(), temperature=0.7, kl_coefficient=1.0
    )
    assert kl == pytest.approx(expected_kl, rel=1e-5)
    torch.testing.assert_close(gradient.float(), expected, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("tokens_at_once", [1, 4, 7, 100])
def test_loss_and_gradient_are_those_of_the_formula_however_many_tokens_are_held(
    tokens_at_once: int,
) -> None:
    # The formula over whole responses, of 2, 1 and 4 tokens, with a gradient by autograd.
    generator = torch.Generator().manual_seed(0)
    head = nn.Linear(5, 11).requires_grad_(requires_grad=False)
    states, reference = torch.randn(2, 7, 5, generator=generator)
    tokens = torch.randint(11, (7,), generator=generator)
    advantages = torch.tensor([0.5, -2.0, 1.5])
    responses = [slice(0, 2), slice(2, 3), slice(3, 7)]

    whole = states.clone().requires_grad_()
    log_p = (head(whole) / 0.7).log_softmax(-1)
    divergence = (log_p.exp() * (log_p - (head(reference) / 0.7).log_softmax(-1))).sum(-1)
    own = log_p[torch.arange(7), tokens]
    gains = [a * own[rows].sum() for a, rows in zip(advantages, responses, strict=True)]
    mean_kl = torch.stack([divergence[rows].sum() for rows in responses]).mean()
    expected = -torch.stack(gains).mean() + 0.3 * mean_kl
    expected.backward()  # type: ignore[no-untyped-call]

    of_tokens = advantages.repeat_interleave(torch.tensor([2, 1, 4]))
    sampled = SampledTokens(tokens, of_tokens, 3, temperature=0.7, kl_coefficient=0.3)
    given = states.clone().requires_grad_()
    loss, kl = training_loss(sampled, given, reference, head, tokens_at_once=tokens_at_once)
    (2 * loss).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(kl, mean_kl)
    assert given.grad is not None
    assert whole.grad is not None
    torch.testing.assert_close(given.grad, 2 * whole.grad)


def test_convergence_needs_a_full_window_that_stands_still() -> None:
    assert not has_converged([0.9] * 19, 20, 0.015)
    assert has_converged([0.1] + [0.9] * 20, 20, 0.015)
    # 0.8 and 1.0 in turn: standard deviation 0.1, mean 0.9, ratio 0.11.
    assert not has_converged([0.8, 1.0] * 10, 20, 0.015)
    assert has_converged([0.8, 1.0] * 10, 20, 0.12)


def test_nothing_earned_is_not_convergence() -> None:
    assert not has_converged([0.0] * 20, 20, 0.015)
