"""Which vectors of objective means are worth having: undominated ones, and supported ones."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from engine.atlas.field import simplex_grid

Floats = NDArray[np.float64]
Place = TypeVar("Place")

EQUAL = 1e-12
"""Means that differ by less dominate each other."""

_GRID_POINTS = 2_000


class Undominated(Generic[Place]):
    """Places none of which is as good as another in every objective."""

    def __init__(self, n_objectives: int) -> None:
        """Begin with none."""
        self.places: list[Place] = []
        self.means: Floats = np.empty((0, n_objectives))
        """Of the places, ``(n_places, n_objectives)``."""

    def dominate(self, means: Floats) -> bool:
        """Tell whether one of them is as good in every objective."""
        return bool((self.means >= means - EQUAL).all(axis=1).any())

    def add(self, means: Floats, place: Place) -> None:
        """Take in one that is not dominated, and drop those that it dominates."""
        kept = np.flatnonzero((self.means - EQUAL > means).any(axis=1))
        self.means = np.concatenate([self.means[kept], means[None]])
        self.places = [*(self.places[own] for own in kept), place]


def fine_grid(n_parts: int) -> Floats:
    """Return a regular grid of at most ``_GRID_POINTS`` points on the simplex."""
    steps = 1
    while math.comb(steps + n_parts, n_parts - 1) <= _GRID_POINTS:
        steps += 1
    return simplex_grid(n_parts, steps)


def supported(means: Floats) -> list[bool]:
    """Tell for which points some weighting of the objectives has no better point.

    Args:
        means: Points, ``(n_points, n_objectives)``.
    """
    if not len(means):
        return []
    weightings = fine_grid(means.shape[1])
    extreme = np.zeros(len(means), dtype=bool)
    extreme[np.unique((weightings @ means.T).argmax(axis=1))] = True
    return [
        bool(extreme[place])
        # The few extreme points are enough to refute nearly all others.
        or (_can_win(point, means[extreme]) and _can_win(point, means))
        for place, point in enumerate(means)
    ]


def _can_win(point: Floats, others: Floats) -> bool:
    """Tell whether some weighting has none of the others ahead of a point."""
    ahead = others - point
    ahead /= max(float(np.abs(ahead).max(initial=0.0)), EQUAL)
    n_objectives = len(point)
    found = linprog(
        c=[0.0] * n_objectives + [1.0],
        A_ub=np.concatenate([ahead, -np.ones((len(ahead), 1))], axis=1),
        b_ub=np.zeros(len(ahead)),
        A_eq=[[1.0] * n_objectives + [0.0]],
        b_eq=[1.0],
        bounds=[(0.0, 1.0)] * n_objectives + [(0.0, None)],
    )
    return bool(found.fun is not None and found.fun <= 1e-9)
