"""Augmented Chebyshev scalarisation: the objective that is furthest from its best decides.

It reaches points of a front that no weighted sum reaches. It is taken per response (expected
scalarised return, not scalarised expected return): each text is judged by its own worst objective.

Source: Steuer and Choo, "An interactive weighted Tchebycheff procedure for multiple objective
programming", Mathematical Programming 26, 1983; the ideal point is 1 on every objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emorl.config.checks import check_between
from emorl.scalarizers.protocol import Floats, GroupScores, OverAll


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``- max_i w_i (1 - r_i) + augmentation * mean_i r_i``."""

    kind: str = "chebyshev"

    augmentation: float = 0.05
    """Share of the plain mean, which tells apart responses with the same worst objective; 0 to
    1."""

    def __post_init__(self) -> None:
        check_between("scalarizer.augmentation", self.augmentation, 0.0, 1.0)


class Chebyshev(OverAll):
    """The negative weighted distance of the worst objective from 1."""

    def __init__(self, objectives: Sequence[str], augmentation: float) -> None:
        """Remember objectives and share of the mean."""
        super().__init__(objectives)
        self._augmentation = augmentation

    def reward(self, scores: GroupScores, weights: Floats) -> Floats:
        """Return the augmented distance, at most ``augmentation``."""
        missing = weights[:, None, :] * (1 - scores.values)
        reward: Floats = self._augmentation * scores.values.mean(axis=-1) - missing.max(axis=-1)
        return reward


def load(config: Config, objectives: Sequence[str]) -> Chebyshev:
    """Return the scalarizer."""
    return Chebyshev(objectives, config.augmentation)
