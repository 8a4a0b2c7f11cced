"""The log of the weighted mean of scores: linear scalarisation under SCST's logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emorl.scalarizers.protocol import Floats, GroupScores, OverAll

_LOWEST = 1e-4
"""The floor of SCST's logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``log(sum_i w_i r_i / sum_i w_i)``."""

    kind: str = "linear"


class Linear(OverAll):
    """``log`` of the weighted mean: a high score on one objective makes up for the others."""

    def reward(self, scores: GroupScores, weights: Floats) -> Floats:
        """Return the log of the weighted mean."""
        shares = weights / weights.sum(axis=1, keepdims=True)
        mean = np.einsum("pks,ps->pk", scores.values, shares)
        reward: Floats = np.log(np.clip(mean, _LOWEST, 1 - _LOWEST))
        return reward


def load(config: Config, objectives: Sequence[str]) -> Linear:
    """Return the scalarizer."""
    del config
    return Linear(objectives)
