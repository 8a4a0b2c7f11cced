"""The standard grid: all weights in steps of ``1 / intervals``, without a choice.

Where only directions count, the grid is that of the simplex (weights of sum one): the cube's
``(intervals + 1)^n`` points hold the same directions many times. Three objectives in steps of
1/32 have 561 directions; EMORL (arXiv:2505.02579, figure 9) compares with 32,768 grid points.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from emorl.atlas.field import simplex_grid
from emorl.config.checks import check_at_least
from emorl.errors import ConfigError
from emorl.records import SearchRound, Weights
from emorl.search.protocol import Best, Result, Trial
from emorl.weights import WeightSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every point of a regular grid."""

    kind: str = "grid"

    intervals: int = 0
    """Steps from 0 to 1 along each weight; 0 is as many as ``max_evaluations`` allows."""

    max_evaluations: int = 135
    """Most points of the grid where ``intervals`` is 0; at least 1. The default is as many as five
    rounds of the hierarchical search have for three objectives."""

    directions_per_batch: int = 9
    """Weights decoded together; results are stored and shown after each batch. At least 1."""

    def __post_init__(self) -> None:
        check_at_least("search.intervals", self.intervals, 0)
        check_at_least("search.max_evaluations", self.max_evaluations, 1)
        check_at_least("search.directions_per_batch", self.directions_per_batch, 1)


class FixedSearch:
    """Measures weights that are all known before; a ``Searcher``."""

    def __init__(self, points: Sequence[Weights]) -> None:
        """Search among points."""
        self._points = list(points)
        self._is_asked = False
        self._best = Best()

    @property
    def n_expected(self) -> int:
        """Number of points."""
        return len(self._points)

    def ask(self) -> list[Trial]:
        """Return all points at once."""
        if self._is_asked:
            return []
        self._is_asked = True
        return [Trial(number, weights) for number, weights in enumerate(self._points)]

    def tell(self, results: Sequence[Result]) -> list[SearchRound]:
        """End the one round."""
        self._best.add(results)
        return self._best.whole_space(len(self._points[0]))

    def best(self) -> Weights | None:
        """Return the best point."""
        return self._best.weights


def n_grid_points(n: int, intervals: int, *, scale_free: bool) -> int:
    """Return the number of points of a grid over n weights."""
    return comb(intervals + n - 1, n - 1) if scale_free else (intervals + 1) ** n


def _finest(n: int, most: int, scale_free: bool) -> int:
    """Return the most intervals whose grid has no more than so many points."""
    fitting = [
        intervals
        for intervals in range(1, most + 1)
        if n_grid_points(n, intervals, scale_free=scale_free) <= most
    ]
    if not fitting:
        coarsest = n_grid_points(n, 1, scale_free=scale_free)
        raise ConfigError(
            f"The coarsest grid over {n} weights has {coarsest} points, and "
            f"search.max_evaluations is {most}. Raise it, or set search.intervals = 1."
        )
    return max(fitting)


def load(config: Config, space: WeightSpace, seed: int) -> FixedSearch:
    """Return the search; nothing about it is random.

    Raises:
        ConfigError: If even the coarsest grid has more points than are allowed.
    """
    del seed
    n = len(space.names)
    intervals = config.intervals or _finest(n, config.max_evaluations, space.scale_free)
    if space.scale_free:
        return FixedSearch([tuple(point) for point in simplex_grid(n, intervals).tolist()])
    axis = [step / intervals for step in range(intervals + 1)]
    return FixedSearch(list(itertools.product(axis, repeat=n)))
