"""Adapters are merged before any token is decided: the merged model is one member of weight 1.

Source: EMORL, arXiv:2505.02579, equation 4; ``merging`` makes the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from emorl.decoding.levels.hidden_state import hidden_state_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``theta_0 + sum_i w_i s_i B_i A_i``."""

    kind: str = "parameter"


@dataclass(frozen=True, slots=True)
class Parameter:
    """``theta_0 + sum_i w_i s_i B_i A_i``: weights are points, not directions."""

    name: str = "parameter"
    scale_free: bool = False
    merges: bool = True
    mixes_states: bool = False
    writes_as_states: bool = False
    needs_logits: bool = False

    def scores(self, states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
        """Return the merged model's scores, whose weight is 1; see ``Level``."""
        return hidden_state_scores(states, weights, head)


def load(config: Config) -> Parameter:
    """Return the level."""
    del config
    return Parameter()
