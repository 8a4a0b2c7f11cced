"""Weights drawn anew for every prompt: one policy learns all preferences (Yang et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emorl.config.checks import check_positive
from emorl.rules.protocol import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A Dirichlet distribution over the simplex."""

    kind: str = "dirichlet"

    concentration: float = 1.0
    """Above 0; 1 is even over the simplex, less prefers its corners, more its middle."""

    def __post_init__(self) -> None:
        check_positive("rule.concentration", self.concentration)


class Dirichlet:
    """Draws weights of sum one."""

    def __init__(self, concentration: float, n: int) -> None:
        """Remember the distribution."""
        self._alpha = np.full(n, concentration)

    def weights(self, prompts: Sequence[str], rng: np.random.Generator) -> Floats:
        """Draw the weights of each prompt."""
        return rng.dirichlet(self._alpha, len(prompts))


def load(config: Config, n: int) -> Dirichlet:
    """Return the rule for n objectives."""
    return Dirichlet(config.concentration, n)
