"""One objective alone: what EMORL trains each of its adapters with (arXiv:2505.02579, 5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emorl.errors import ConfigError
from emorl.scalarizers.protocol import Floats, GroupScores, Stateless


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The logarithm of one objective's score."""

    kind: str = "single"

    objective: str
    """Name of the objective."""


class Single(Stateless):
    """Reads one objective; the others are not even scored while training."""

    def __init__(self, objective: str) -> None:
        """Remember the objective."""
        self._objective = objective

    def signals(self) -> tuple[str, ...]:
        """Return the objective."""
        return (self._objective,)

    def reward(self, scores: GroupScores, weights: Floats) -> Floats:
        """Return ``log r``; a weight would be a learning rate."""
        del weights
        return scores.logs[..., 0]

    def progress(self, means: Floats, weights: Floats) -> float:
        """Return the objective's mean."""
        del weights
        return float(means[0])


def load(config: Config, objectives: Sequence[str]) -> Single:
    """Return the scalarizer.

    Raises:
        ConfigError: If there is no such objective.
    """
    if config.objective not in objectives:
        raise ConfigError(
            f"scalarizer.objective must be one of {list(objectives)}, got {config.objective!r}."
        )
    return Single(config.objective)
