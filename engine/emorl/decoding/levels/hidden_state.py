"""Hidden states are combined, and the head is asked once: EMORL's own level.

Source: EMORL, arXiv:2505.02579, equation 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``W (sum_i w_i f_i)``."""

    kind: str = "hidden_state"


@dataclass(frozen=True, slots=True)
class HiddenState:
    """``W (sum_i w_i f_i)``, with a prefix tree and an exact atlas."""

    name: str = "hidden_state"
    scale_free: bool = True
    merges: bool = False
    mixes_states: bool = True
    writes_as_states: bool = True
    needs_logits: bool = False

    def scores(self, states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
        """Combine the states, then ask the head; see ``Level``."""
        return hidden_state_scores(states, weights, head)


def hidden_state_scores(states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
    """Return ``W (sum_i w_i f_i)``, ``(n, vocab)``; arguments as in ``Level.scores``."""
    mixed = torch.einsum("nm,mnd->nd", weights.to(states.dtype), states)
    scores: Tensor = head(mixed)
    return scores


def load(config: Config) -> HiddenState:
    """Return the level."""
    del config
    return HiddenState()
