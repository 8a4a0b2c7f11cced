"""The weighted sum of log scores: with equal weights, the log of the geometric mean.

"Uniform Weighted" of EMORL's comparison (arXiv:2505.02579, table 2) and of DynaOpt's code: rewards
are summed as logarithms there, so that it is no linear scalarisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emorl.scalarizers.protocol import Floats, GroupScores, OverAll


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``sum_i w_i log r_i``."""

    kind: str = "log_sum"


class LogSum(OverAll):
    """``sum_i w_i log r_i``: a score near 0 on one objective outweighs the others."""

    def reward(self, scores: GroupScores, weights: Floats) -> Floats:
        """Return the weighted sum."""
        reward: Floats = np.einsum("pks,ps->pk", scores.logs, weights)
        return reward


def load(config: Config, objectives: Sequence[str]) -> LogSum:
    """Return the scalarizer."""
    del config
    return LogSum(objectives)
