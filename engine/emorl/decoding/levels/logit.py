"""Log-probabilities are combined (MOD with the reverse KL).

The head is shared and linear, and the log-softmax shifts each member's logits by a constant, so
that the greedy text is that of hidden states.

Source: Shi et al. 2024, Decoding-Time Language Model Alignment with Multiple Objectives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``sum_i w_i log p_i``."""

    kind: str = "logit"


@dataclass(frozen=True, slots=True)
class Logit:
    """``sum_i w_i log p_i``."""

    name: str = "logit"
    scale_free: bool = True
    merges: bool = False
    mixes_states: bool = False
    writes_as_states: bool = True
    needs_logits: bool = True

    def scores(self, states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
        """Combine the log-probabilities; see ``Level``."""
        return logit_scores(states, weights, head)


def logit_scores(states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Return ``sum_i w_i log p_i``, ``(n, vocab)``; arguments as in ``Level.scores``."""
    log_probs = torch.log_softmax(head(states), dim=-1)
    return torch.einsum("nm,mnv->nv", weights.to(log_probs.dtype), log_probs)


def load(config: Config) -> Logit:
    """Return the level."""
    del config
    return Logit()
