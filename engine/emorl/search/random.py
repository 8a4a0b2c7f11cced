"""Random search: weights drawn evenly from all that the system takes.

Source: Bergstra and Bengio, "Random search for hyper-parameter optimization", JMLR 13, 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emorl.config.checks import check_at_least
from emorl.search.grid import FixedSearch
from emorl.weights import WeightSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Weights drawn evenly: from the simplex where only directions count, else from the cube."""

    kind: str = "random"

    max_evaluations: int = 135
    """Weight vectors drawn; at least 1."""

    directions_per_batch: int = 9
    """Weights decoded together; results are stored and shown after each batch. At least 1."""

    def __post_init__(self) -> None:
        check_at_least("search.max_evaluations", self.max_evaluations, 1)
        check_at_least("search.directions_per_batch", self.directions_per_batch, 1)


def load(config: Config, space: WeightSpace, seed: int) -> FixedSearch:
    """Return the search; the first weights are the same however many are drawn."""
    rng = np.random.default_rng(seed)
    n = len(space.names)
    if space.scale_free:
        drawn = rng.dirichlet(np.ones(n), config.max_evaluations)  # even on the simplex
    else:
        drawn = rng.random((config.max_evaluations, n))
    return FixedSearch([tuple(point) for point in drawn.tolist()])
