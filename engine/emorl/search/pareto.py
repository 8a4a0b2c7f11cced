"""Which vectors of objective means are worth having: undominated ones, and supported ones.

Everything is maximised.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from emorl.atlas.field import simplex_grid
from emorl.errors import InputError

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Place = TypeVar("Place")

EQUAL = 1e-12
"""Means that differ by less dominate each other."""

_GRID_POINTS = 2_000
_ROWS_AT_ONCE = 256


def on_front(means: Floats) -> Booleans:
    """Tell which points no other point dominates; points that are equal stay together.

    Args:
        means: Points, ``(n_points, n_objectives)``; one with a NaN is never on the front.

    Returns:
        ``(n_points,)``.
    """
    marks = np.zeros(len(means), dtype=bool)
    known = np.flatnonzero(~np.isnan(means).any(axis=1))
    # A point that dominates another comes before it in this order.
    order = known[np.lexsort(tuple(-means[known].T[::-1]))]
    front: Floats = np.empty((0, means.shape[1]))
    for start in range(0, len(order), _ROWS_AT_ONCE):
        block = order[start : start + _ROWS_AT_ONCE]
        block = block[~_dominated(means[block], front)]
        block = block[~_dominated(means[block], means[block])]
        marks[block] = True
        front = np.concatenate([front, means[block]])
    return marks


def hypervolume(means: Floats, reference: Sequence[float]) -> float:
    """Return the exact volume that points dominate, above a reference point.

    Args:
        means: Points, ``(n_points, n_objectives)``; those with a NaN, or not above the reference
            in every objective, add nothing.
        reference: ``n_objectives`` numbers.

    Raises:
        InputError: For fewer than two objectives or more than three, whose exact volume takes
            too long for a page.
    """
    n_objectives = means.shape[1]
    if n_objectives not in (2, 3) or len(reference) != n_objectives:
        raise InputError(
            f"The hypervolume needs 2 or 3 objectives and one reference number for each; got "
            f"{n_objectives} objectives and {len(reference)} numbers. Choose 2 or 3 of them."
        )
    above = means - np.asarray(reference, dtype=np.float64)
    above = above[(above > 0).all(axis=1)]
    above = above[on_front(above)]
    if not len(above):
        return 0.0
    return _area(above) if n_objectives == 2 else _volume(above)


def _dominated(points: Floats, by: Floats) -> Booleans:
    """Tell which points another point reaches everywhere and exceeds somewhere."""
    if not len(by) or not len(points):
        return np.zeros(len(points), dtype=bool)
    reached = np.ones((len(points), len(by)), dtype=bool)
    exceeded = np.zeros((len(points), len(by)), dtype=bool)
    for own, other in zip(points.T, by.T, strict=True):
        reached &= other[None] >= own[:, None]
        exceeded |= other[None] > own[:, None]
    return np.asarray((reached & exceeded).any(axis=1))


def _area(points: Floats) -> float:
    """Return the area between zero and points in the plane: strips under a staircase."""
    order = np.argsort(points[:, 0])[::-1]
    widths = points[order, 0] - np.append(points[order[1:], 0], 0.0)
    return float((widths * np.maximum.accumulate(points[order, 1])).sum())


def _volume(points: Floats) -> float:
    """Return the volume between zero and points in space: slices from the highest down."""
    points = points[np.argsort(-points[:, 2])]
    floors = np.append(points[1:, 2], 0.0)
    # Stairs of the slice: first coordinates ascending, second descending.
    xs, ys = [0.0, math.inf], [math.inf, 0.0]
    area = volume = 0.0
    for (x, y, height), floor in zip(points.tolist(), floors.tolist(), strict=True):
        right = bisect.bisect_left(xs, x)
        if ys[right] < y:
            left = right
            # Steps that the new one covers fall away, from right to left.
            while ys[left - 1] <= y:
                left -= 1
            covered = sum((xs[step] - xs[step - 1]) * ys[step] for step in range(left, right))
            covered += (x - xs[right - 1]) * ys[right]
            area += (x - xs[left - 1]) * y - covered
            at = right + 1 if xs[right] == x else right
            xs[left:at], ys[left:at] = [x], [y]
        volume += area * (height - floor)
    return volume


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
