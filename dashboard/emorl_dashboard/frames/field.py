"""Scores over all weights: from the atlases, or from the nearest evaluated direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from emorl.records import Weights
from emorl_dashboard.frames.filters import Filters, passing, value_of
from emorl_dashboard.frames.weight_space import MEAN_REWARD, SMALLEST_SHARE

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]


class Field(Protocol):
    """Anything that knows the mean of every objective at any weights."""

    def means(self, weights: Floats) -> Floats:
        """Return ``(n_queries, n_objectives)``; NaN where it is unknown."""
        ...


class NearestDirection:
    """The means of the evaluated direction at the smallest angle: a field without an atlas."""

    def __init__(self, frame: pd.DataFrame, objectives: Sequence[str]) -> None:
        """Collect the scored rows of ``weight_space.evaluation_frame``; at least one."""
        scored = frame[frame[MEAN_REWARD].notna()].drop_duplicates("direction_key")
        rays = scored[[f"w_{name}" for name in objectives]].to_numpy(dtype=np.float64)
        self._tree = cKDTree(_unit(rays))
        self._means: Floats = scored[list(objectives)].to_numpy(dtype=np.float64)

    def means(self, weights: Floats) -> Floats:
        """Return the means of the nearest direction, ``(n_queries, n_objectives)``."""
        _, nearest = self._tree.query(_unit(weights))
        found: Floats = self._means[nearest]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A field at many weights."""

    weights: Floats
    """``(n_points, n_objectives)``; NaN or zero rows are places without a direction."""
    means: Floats
    """In the shape of ``weights``; NaN without a direction."""

    def values(self, objectives: Sequence[str], value: str, filters: Filters) -> Floats32:
        """Return one score per point, NaN where the filters' lowest values are not reached."""
        scores = value_of(self.means, objectives, value)
        passes = passing(self.means, objectives, filters)
        return np.where(passes, scores, np.nan).astype(np.float32)


def sample(field: Field, weights: Floats) -> Sample:
    """Look a field up at many weights.

    Args:
        field: What to look up.
        weights: ``(n_points, n_objectives)``, none negative; zero and NaN rows are left out.
    """
    has_direction = weights.sum(axis=1) > 0  # False for NaN
    means = np.full(weights.shape, np.nan)
    if has_direction.any():
        means[has_direction] = field.means(weights[has_direction])
    return Sample(weights, means)


def box_grid(axes: Sequence[int], at: Weights, n_steps: int) -> Floats:
    """Return a regular grid of weights over some axes of the unit cube.

    Args:
        axes: Places of the weights that vary; the last one varies fastest.
        at: The other weights, and how many there are.
        n_steps: Points along each axis, both ends included.

    Returns:
        ``(n_steps ** n_axes, n_objectives)``.
    """
    ticks = np.linspace(0.0, 1.0, n_steps)
    columns = np.meshgrid(*[ticks] * len(axes), indexing="ij")
    grid = np.tile(np.asarray(at, dtype=np.float64), (columns[0].size, 1))
    for axis, column in zip(axes, columns, strict=True):
        grid[:, axis] = column.ravel()
    return grid


def face_grid(n_steps: int) -> Floats:
    """Return weights on the outer faces of the unit cube: every direction of three weights.

    Returns:
        ``(3 * n_steps ** 2, 3)``: the faces where the first, the second and the third weight is
        1, each with the last of the other two varying fastest.
    """
    grids = []
    for face in range(3):
        rest = [axis for axis in range(3) if axis != face]
        grid = box_grid(rest, (1.0,) * 3, n_steps)
        grids.append(grid)
    return np.concatenate(grids)


def through(shares: Floats, axes: Sequence[int], at: Weights) -> Floats:
    """Return weights of a triangle in the simplex of all objectives that holds a direction.

    Args:
        shares: Of three objectives, summing to one, ``(n_points, 3)``.
        axes: Places of the three.
        at: The direction; the others keep their shares of it.

    Returns:
        ``(n_points, n_objectives)``, summing to one.
    """
    total = sum(at)
    full = np.tile(np.asarray(at, dtype=np.float64) / (total or 1.0), (len(shares), 1))
    others = [place for place in range(len(at)) if place not in axes]
    rest = float(full[0, others].sum()) if total else 0.0
    if (
        rest > 1 - SMALLEST_SHARE
    ):  # the three have no share to divide: the triangle without the others
        full[:, others] = 0.0
        rest = 0.0
    full[:, list(axes)] = shares * (1.0 - rest)
    return full


def _unit(rays: Floats) -> Floats:
    unit: Floats = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return unit
