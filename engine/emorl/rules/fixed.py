"""The same weights for every prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emorl.errors import ConfigError
from emorl.rules.protocol import Floats
from emorl.weights import check_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One weight vector."""

    kind: str = "fixed"

    weights: tuple[float, ...] = ()
    """One number per objective, 0 or above, not all 0; empty: equal weights of sum one."""

    def __post_init__(self) -> None:
        if self.weights and not any(check_weights(self.weights, len(self.weights))):
            raise ConfigError(f"rule.weights must not be all 0, got {list(self.weights)}.")


class Fixed:
    """Gives every prompt the same weights."""

    def __init__(self, weights: Sequence[float]) -> None:
        """Remember the weights."""
        self._weights = np.array(weights, dtype=np.float64)

    def weights(self, prompts: Sequence[str], rng: np.random.Generator) -> Floats:
        """Return the weights, once per prompt."""
        del rng
        return np.tile(self._weights, (len(prompts), 1))


def load(config: Config, n: int) -> Fixed:
    """Return the rule for n objectives.

    Raises:
        WeightsError: If there is not one weight per objective.
    """
    return Fixed(check_weights(config.weights, n) if config.weights else [1 / n] * n)
