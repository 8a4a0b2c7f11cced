"""Formulas of self-critical sequence training: tensors in, tensors out.

Notation: P prompts, k samples each, N = P k responses of M tokens in all, those of one response
side by side and its end token included; V vocabulary entries; d, the width of a state.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

LOWEST_REWARD, HIGHEST_REWARD = 1e-4, 0.9999


def log_rewards(rewards: Tensor) -> Tensor:
    """Return ``log(clip(r, 1e-4, 0.9999))`` of rewards in [0, 1], any shape.

    Source:
        DynaOpt (Pérez-Rosas et al. 2024), whose reward EMORL trains with.
    """
    return rewards.clamp(LOWEST_REWARD, HIGHEST_REWARD).log()


def group_advantages(rewards: Tensor) -> Tensor:
    """Subtract from each reward the mean of its prompt's samples, itself included.

    Args:
        rewards: ``(P, k)``.

    Returns:
        Advantages ``(P, k)``; each row sums to zero. Not divided by a standard deviation.

    Source:
        Laban et al. 2021, Keep It Simple (k-SCST).
    """
    return rewards - rewards.mean(dim=1, keepdim=True)


@dataclass(frozen=True, slots=True)
class SampledTokens:
    """M tokens that an adapter sampled, and how its loss weighs them."""

    tokens: Tensor
    """``(M,)``."""
    advantages: Tensor
    """Of each token's response, ``(M,)``."""
    n_responses: int
    temperature: float
    kl_coefficient: float


def training_loss(
    sampled: SampledTokens,
    states: Tensor,
    reference_states: Tensor,
    head: nn.Module,
    *,
    tokens_at_once: int,
) -> tuple[Tensor, Tensor]:
    """Return the mean over responses of ``sum over tokens of (- advantage log p + c KL)``.

    The KL is a sum over a response's tokens, not a mean: the policy gradient is one too, and a
    mean is too weak beside it.

    Both terms are of the whole next-token distributions p of the policy and q of the base, at
    every sampled prefix, tempered as the samples were: the log-ratio of sampled tokens would have
    more variance. The gradient holds the prefixes fixed; with respect to a token's logits it is
    ``(advantage (p - onehot) + c p (log p - log q - KL)) / (temperature N)``.

    Logits of whole vocabularies would be nearly all that a step holds, several times over. They
    are made of some tokens at a time, and turned at once into the gradient of these tokens'
    states: the head is frozen, nothing else needs them.

    Args:
        sampled: The tokens; their ``kl_coefficient`` is ``c``.
        states: What the head reads to predict them, ``(M, d)``, with gradients.
        reference_states: The base's, ``(M, d)``, constants.
        head: States -> logits, ``(m, d)`` -> ``(m, V)``; its own gradient is not wanted.
        tokens_at_once: How many.

    Returns:
        The loss, a scalar whose gradient reaches ``states``, and the mean KL of a response in
        nats, without one.

    Source:
        EMORL, arXiv:2505.02579, section 5.1; Rennie et al. 2017, equation 7.
    """
    gradients = torch.empty_like(states)
    losses, kls = [], []
    scratch: list[Tensor] = []
    for first in range(0, len(states), tokens_at_once):
        rows = slice(first, first + tokens_at_once)
        own = states[rows].detach().requires_grad_()
        with torch.enable_grad():
            logits = head(own)
        scratch = scratch or [torch.empty_like(logits, dtype=torch.float32) for _ in range(3)]
        with torch.no_grad():
            loss, kl, of_logits = _loss_and_gradient(
                logits, head(reference_states[rows]), sampled, rows, scratch
            )
        (gradients[rows],) = torch.autograd.grad(logits, own, of_logits)
        losses.append(loss)
        kls.append(kl)
    # Worth nothing; its gradient is the one that was found.
    carrier = ((states - states.detach()) * gradients).sum()
    n_responses = sampled.n_responses
    return torch.stack(losses).sum() / n_responses + carrier, torch.stack(kls).sum() / n_responses


def _loss_and_gradient(
    logits: Tensor,
    reference_logits: Tensor,
    sampled: SampledTokens,
    rows: slice,
    room: list[Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return loss and KL, summed over some tokens, and the gradient of the mean by the logits.

    All is written into ``room``: of large vocabularies, fresh memory costs more than the numbers.
    """
    temperature, c = sampled.temperature, sampled.kl_coefficient
    log_p, excess, p = (part[: len(logits)] for part in room)
    _log_softmax(logits, temperature, log_p, spare=p)
    _log_softmax(reference_logits, temperature, excess, spare=p)
    torch.sub(log_p, excess, out=excess)
    torch.exp(log_p, out=p)
    kl = torch.linalg.vecdot(p, excess).unsqueeze(1)
    tokens = sampled.tokens[rows].unsqueeze(1)
    advantages = sampled.advantages[rows].unsqueeze(1)
    loss = c * kl.sum() - (advantages * log_p.gather(1, tokens)).sum()
    gradient = excess.sub_(kl).mul_(c).add_(advantages).mul_(p)
    gradient.scatter_add_(1, tokens, -advantages)
    gradient /= temperature * sampled.n_responses
    return loss, kl.sum(), gradient.to(logits.dtype)


def _log_softmax(logits: Tensor, temperature: float, found: Tensor, spare: Tensor) -> None:
    # Tempered in single precision: that of bfloat16 would round away what near policies differ by.
    tempered = logits if temperature == 1 else spare.copy_(logits).div_(temperature)
    torch.log_softmax(tempered, dim=-1, dtype=torch.float32, out=found)
