"""Formulas against numbers worked out by hand."""

from __future__ import annotations

import math

import torch

from engine.training.convergence import has_converged
from engine.training.losses import (
    group_advantages,
    kl_per_response,
    log_rewards,
    next_token_log_probs,
    policy_gradient_loss,
    token_log_probs,
)


def test_log_rewards_clip_both_ends() -> None:
    rewards = log_rewards(torch.tensor([0.0, 0.5, 1.0]))
    expected = torch.tensor([math.log(1e-4), math.log(0.5), math.log(0.9999)])
    torch.testing.assert_close(rewards, expected)


def test_advantages_are_rewards_less_the_mean_of_their_prompt() -> None:
    # Means 2 and 5; the group's spread is not divided out.
    advantages = group_advantages(torch.tensor([[1.0, 2.0, 3.0], [4.0, 4.0, 7.0]]))
    torch.testing.assert_close(advantages, torch.tensor([[-1.0, 0.0, 1.0], [-1.0, -1.0, 2.0]]))


def test_token_log_probs_are_those_of_the_tempered_policy() -> None:
    # Logits (ln 1, ln 4) at temperature 2 are (0, ln 2): probabilities 1/3 and 2/3.
    logits = torch.tensor([[[0.0, math.log(4.0)], [0.0, math.log(4.0)]]])
    mask = torch.tensor([[True, False]])
    log_probs = next_token_log_probs(logits, mask, temperature=2.0)
    torch.testing.assert_close(log_probs, torch.tensor([[1 / 3, 2 / 3]]).log())
    log_probs = token_log_probs(log_probs, torch.tensor([[1, 0]]), mask)
    torch.testing.assert_close(log_probs, torch.tensor([[math.log(2 / 3), 0.0]]))


def test_the_policy_gradient_sums_over_tokens_and_leaves_out_padding() -> None:
    log_probs = torch.tensor([[-1.0, -2.0, -9.0], [-0.5, -9.0, -9.0]], requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    loss = policy_gradient_loss(log_probs, mask, torch.tensor([2.0, -2.0]))
    # -(2 * (-1 - 2) + -2 * (-0.5)) / 2 = 2.5
    torch.testing.assert_close(loss, torch.tensor(2.5))
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(log_probs.grad, torch.tensor([[-1.0, -1.0, 0.0], [1.0, 0.0, 0.0]]))


def kl_of(logits: torch.Tensor, reference: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    log_probs = next_token_log_probs(logits, mask, 1.0)
    return kl_per_response(log_probs, next_token_log_probs(reference, mask, 1.0), mask)


def test_kl_is_summed_over_the_tokens_of_a_response() -> None:
    # p = (1/2, 1/2), q = (1/4, 3/4): KL = 1/2 ln(1/2 / 1/4) + 1/2 ln(1/2 / 3/4).
    logits = torch.zeros(1, 3, 2)
    reference = torch.tensor([0.25, 0.75]).log().expand(1, 3, 2)
    mask = torch.tensor([[True, True, False]])
    one_token = 0.5 * math.log(2.0) + 0.5 * math.log(2.0 / 3.0)
    torch.testing.assert_close(kl_of(logits, reference, mask), torch.tensor([2 * one_token]))


def test_the_kl_has_a_gradient_that_pulls_to_the_reference() -> None:
    logits = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    kl = kl_of(logits, torch.zeros(1, 1, 2), torch.tensor([[True]]))
    kl.sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    # Going against the gradient lowers the first logit, towards the uniform reference.
    assert logits.grad[0, 0, 0] > 0 > logits.grad[0, 0, 1]


def test_impossible_tokens_behind_the_end_do_not_count() -> None:
    log_probs = torch.tensor([[-1.0, -torch.inf]])
    mask = torch.tensor([[True, False]])
    loss = policy_gradient_loss(log_probs, mask, torch.tensor([1.0]))
    torch.testing.assert_close(loss, torch.tensor(1.0))


def test_kl_of_near_policies_is_not_negative_in_low_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(20, 4, 50, generator=generator)
    logits = reference + 0.02 * torch.randn(20, 4, 50, generator=generator)
    every_token = torch.ones(20, 4, dtype=torch.bool)
    kl = kl_of(logits.bfloat16(), reference.bfloat16(), every_token)
    assert bool((kl >= 0).all())


def test_convergence_needs_a_full_window_that_stands_still() -> None:
    assert not has_converged([0.9] * 19, 20, 0.015)
    assert has_converged([0.1] + [0.9] * 20, 20, 0.015)
    # 0.8 and 1.0 in turn: standard deviation 0.1, mean 0.9, ratio 0.11.
    assert not has_converged([0.8, 1.0] * 10, 20, 0.015)
    assert has_converged([0.8, 1.0] * 10, 20, 0.12)


def test_nothing_earned_is_not_convergence() -> None:
    assert not has_converged([0.0] * 20, 20, 0.015)
