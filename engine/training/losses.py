"""Formulas of self-critical sequence training: tensors in, tensors out.

Notation: P prompts, k samples each, N = P k responses of at most T tokens, V vocabulary entries.
``mask`` is True where a response token was sampled, the end token included.
"""

from __future__ import annotations

import torch
from torch import Tensor

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


def next_token_log_probs(logits: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Return the log-probabilities of all tokens under the tempered policy, at M sampled tokens.

    Args:
        logits: ``(N, T, V)``.
        mask: ``(N, T)``, M times True. What is behind a response's end costs no work: most
            responses are much shorter than the longest.
        temperature: The one that the tokens were sampled with; only then is the gradient
            on-policy.

    Returns:
        ``(M, V)``, in nats, in single precision; response by response.
    """
    # Not by the mask itself: the gradient of that sorts its indices.
    sampled = logits.flatten(0, 1).index_select(0, mask.flatten().nonzero().squeeze(1)).float()
    # A division by one would read and write all of it, here and in the gradient.
    return torch.log_softmax(sampled if temperature == 1 else sampled / temperature, dim=-1)


def token_log_probs(log_probs: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """Return the log-probability of each sampled token.

    Args:
        log_probs: Of ``next_token_log_probs``, ``(M, V)``.
        tokens: ``(N, T)``.
        mask: ``(N, T)``.

    Returns:
        ``(N, T)``, in nats; 0 outside of ``mask``.
    """
    return _laid_out(log_probs.gather(-1, tokens[mask].unsqueeze(-1)).squeeze(-1), mask)


def policy_gradient_loss(log_probs: Tensor, mask: Tensor, advantages: Tensor) -> Tensor:
    """Return ``- mean over responses of (advantage * sum over its tokens of log p)``.

    Args:
        log_probs: ``(N, T)``, with gradients.
        mask: ``(N, T)``.
        advantages: ``(N,)``, constants.

    Returns:
        A scalar.

    Source:
        EMORL, arXiv:2505.02579, section 5.1; Rennie et al. 2017, equation 7.
    """
    per_response = log_probs.where(mask, 0.0).sum(dim=1)
    return -(advantages.detach() * per_response).mean()


def kl_per_response(log_probs: Tensor, reference_log_probs: Tensor, mask: Tensor) -> Tensor:
    """Return KL(policy || reference), summed over each response's tokens.

    The whole next-token distributions are compared at each sampled prefix, which has less
    variance than the log-ratio of the sampled tokens. It is a sum, not a mean, over tokens: the
    policy gradient is one too, and a mean is too weak beside it. The gradient holds the sampled
    prefixes fixed.

    Args:
        log_probs: Of the policy, tempered as the sampled one is, ``(M, V)``, with gradients.
        reference_log_probs: Of the base, tempered likewise, ``(M, V)``.
        mask: ``(N, T)``, M times True.

    Returns:
        ``(N,)``, in nats per response, not negative.
    """
    per_token = (log_probs.exp() * (log_probs - reference_log_probs.detach())).sum(dim=-1)
    return _laid_out(per_token, mask).sum(dim=1)


def _laid_out(values: Tensor, mask: Tensor) -> Tensor:
    """Put one value per sampled token, in order, at its place in ``(N, T)``; 0 elsewhere."""
    return torch.zeros_like(mask, dtype=values.dtype).masked_scatter(mask, values)
