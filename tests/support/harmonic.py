"""A level from outside the package, for tests: the harmonic mean of probabilities.

It is the power mean with exponent -1, which is MOD with the forward KL (Shi et al. 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

FAULT = ""
"""What goes wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``1 / sum_i (w_i / p_i)``."""

    kind: str = "tests.support.harmonic:KIND"


@dataclass(frozen=True, slots=True)
class Harmonic:
    """``log (1 / sum_i (w_i / p_i))``, with weights of sum one."""

    name: str = "harmonic"
    scale_free: bool = True
    merges: bool = False
    mixes_states: bool = False
    writes_as_states: bool = False
    needs_logits: bool = True

    def scores(self, states: Tensor, weights: Tensor, head: nn.Module) -> Any:
        if FAULT == "raises":
            raise ZeroDivisionError
        if FAULT == "type":
            return 0.5
        log_probs = torch.log_softmax(head(states), dim=-1)
        shares = (weights / weights.sum(-1, keepdim=True)).log().T.unsqueeze(-1)
        found = -torch.logsumexp(shares - log_probs, dim=0)
        return found[:, 0] if FAULT == "shape" else found


class KIND:
    """What ``level`` names."""

    Config = Config

    @staticmethod
    def load(config: Any) -> Harmonic:
        del config
        return Harmonic()
