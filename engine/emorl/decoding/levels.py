"""Aggregation levels: how several adapters decide one token.

All adapters have read the same prefix. ``states`` are the head's inputs for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Level = Literal["hidden_state", "logit", "probability", "parameter"]
"""``parameter`` merges the adapters before any token is decided (see ``parameters``): the merged
model is the one member, of weight 1."""


def hidden_state_scores(states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Combine the hidden states, then ask the head once: ``W (sum_i w_i f_i)``.

    Args:
        states: Head inputs, ``(n_members, n, d_model)``.
        weights: ``(n, n_members)``, no unit.
        head: The shared language-model head.

    Returns:
        Scores over the vocabulary, ``(n, vocab)``.

    Source:
        EMORL, arXiv:2505.02579, equation 2.
    """
    mixed = torch.einsum("nm,mnd->nd", weights.to(states.dtype), states)
    scores: Tensor = head(mixed)
    return scores


def logit_scores(states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Combine the log-probabilities: ``sum_i w_i log p_i`` (MOD with the reverse KL).

    The head is shared and linear and the log-softmax shifts each member's logits by a constant,
    so the argmax is that of ``hidden_state_scores``. Shapes as there.

    Source:
        Shi et al. 2024, Decoding-Time Language Model Alignment with Multiple Objectives.
    """
    log_probs = torch.log_softmax(head(states), dim=-1)
    return torch.einsum("nm,mnv->nv", weights.to(log_probs.dtype), log_probs)


def probability_scores(states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Combine the probabilities: ``log sum_i w_i p_i``, a mixture of the members.

    A method of its own: its argmax is not that of the other levels, and no atlas is exact for
    it. Shapes as in ``hidden_state_scores``; weights are scaled to sum one.
    """
    log_probs = torch.log_softmax(head(states), dim=-1)
    shares = weights.to(log_probs.dtype) / weights.sum(-1, keepdim=True)
    return torch.logsumexp(shares.log().T.unsqueeze(-1) + log_probs, dim=0)


LEVELS: dict[Level, Callable[[Tensor, Tensor, nn.Module], Tensor]] = {
    "hidden_state": hidden_state_scores,
    "logit": logit_scores,
    "probability": probability_scores,
    "parameter": hidden_state_scores,
}
"""How each level turns the members' states into the scores of the next token."""
