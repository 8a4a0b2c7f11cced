"""Probabilities are combined: a mixture of the members.

A method of its own: its greedy text is not that of the other levels, and it has no atlas here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``log sum_i w_i p_i``."""

    kind: str = "probability"


@dataclass(frozen=True, slots=True)
class Probability:
    """``log sum_i w_i p_i``, with weights of sum one."""

    name: str = "probability"
    scale_free: bool = True
    merges: bool = False
    mixes_states: bool = False
    writes_as_states: bool = False
    needs_logits: bool = True

    def scores(self, states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
        """Combine the probabilities; see ``Level``."""
        return probability_scores(states, weights, head)


def probability_scores(states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Return ``log sum_i w_i p_i``, ``(n, vocab)``; arguments as in ``Level.scores``."""
    log_probs = torch.log_softmax(head(states), dim=-1)
    shares = weights.to(log_probs.dtype) / weights.sum(-1, keepdim=True)
    return torch.logsumexp(shares.log().T.unsqueeze(-1) + log_probs, dim=0)


def load(config: Config) -> Probability:
    """Return the level."""
    del config
    return Probability()
