"""The linear inequalities that bound a cell: ``w @ normal >= 0`` for each of its normals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from emorl.atlas.cells import PromptAtlas

Floats = NDArray[np.float64]

_CONSTANT = 1e-12
"""A normal whose part along the simplex is a smaller share of it is the same everywhere."""

_MOST_DOUBLINGS = 60
_BISECTIONS = 60


def cell_normals(atlas: PromptAtlas) -> list[Floats]:
    """Return, per cell, the normals of all choices on the way to it, ``(n_normals, n_members)``.

    The sides of the simplex (``w_i >= 0``) are not among them.
    """
    found: list[Floats] = [np.empty((0, atlas.n_members))] * len(atlas.cells)
    above: dict[int, list[Floats]] = {0: []}
    for position, branch in enumerate(atlas.branches):
        path = above.pop(position)
        for place, child in enumerate(branch.children):
            others = np.delete(branch.vectors, place, axis=0)
            normals = [*path, branch.vectors[place] - others]
            if child < 0:
                found[-1 - child] = np.concatenate(normals)
            else:
                above[child] = normals
    return found


def in_plane(normals: Floats) -> Floats:
    """Return the normals' parts along the simplex, where all moves of weights sum to zero."""
    flat: Floats = normals - normals.mean(axis=1, keepdims=True)
    return flat


def inner_circle(normals: Floats) -> tuple[Floats, float]:
    """Return the centre and radius of the largest ball of weights within a part of the simplex.

    Distances are Euclidean, among weights that sum to one.

    Args:
        normals: ``(n_normals, n_members)``; the sides of the simplex are added.

    Returns:
        Weights ``(n_members,)``, and the largest radius around them that fits; 0 for a part
        without inside, and then the weights may be outside of it.
    """
    n_members = normals.shape[1]
    scaled = _scaled_in_plane(np.concatenate([normals, np.eye(n_members)]))
    # Maximise r where scaled @ w >= r and sum(w) = 1.
    found = linprog(
        c=[0.0] * n_members + [-1.0],
        A_ub=np.concatenate([-scaled, np.ones((len(scaled), 1))], axis=1),
        b_ub=np.zeros(len(scaled)),
        A_eq=[[1.0] * n_members + [0.0]],
        b_eq=[1.0],
        bounds=[(0.0, 1.0)] * n_members + [(0.0, None)],
    )
    if found.x is None:
        return np.full(n_members, 1.0 / n_members), 0.0
    weights: Floats = np.maximum(found.x[:-1], 0.0)
    weights /= weights.sum()
    return weights, radius_around(normals, weights)


def radius_around(normals: Floats, weights: Floats) -> float:
    """Return the radius of the largest ball around weights within a part, 0 if they are outside.

    Args:
        normals: As for ``inner_circle``.
        weights: ``(n_members,)``, sum one.
    """
    scaled = _scaled_in_plane(np.concatenate([normals, np.eye(len(weights))]))
    return max(0.0, float((scaled @ weights).min()))


def distances_outside(normals: Floats, weights: Floats) -> Floats:
    """Return how far the nearest weights are for which each inequality fails.

    The nearest point of the simplex beyond a line is the projection of ``w - t * normal`` onto
    the simplex, for the smallest ``t`` that gets there; ``t`` is found by bisection.

    Args:
        normals: ``(n_normals, n_members)``.
        weights: ``(n_members,)``, sum one.

    Returns:
        Euclidean distances ``(n_normals,)`` among weights that sum to one; 0 where the
        inequality fails already, infinite where it never does.
    """
    found = np.full(len(normals), np.inf)
    can_fail = normals.min(axis=1, initial=np.inf) < 0
    chosen = normals[can_fail] / np.abs(normals[can_fail]).max(axis=1, keepdims=True)

    def moved(steps: Floats) -> Floats:
        return _onto_simplex(weights - steps[:, None] * chosen)

    def still_holds(steps: Floats) -> NDArray[np.bool_]:
        holds: NDArray[np.bool_] = (moved(steps) * chosen).sum(axis=1) > 0
        return holds

    low, high = np.zeros(len(chosen)), np.ones(len(chosen))
    for _ in range(_MOST_DOUBLINGS):
        near = still_holds(high)
        if not near.any():
            break
        low, high = np.where(near, high, low), np.where(near, 2 * high, high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        near = still_holds(middle)
        low, high = np.where(near, middle, low), np.where(near, high, middle)
    found[can_fail] = np.linalg.norm(moved(low) - weights, axis=1)
    found[normals @ weights < 0] = 0.0
    return found


def _scaled_in_plane(normals: Floats) -> Floats:
    """Scale normals so that heights are distances along the simplex.

    Those that hold everywhere are left out; those that hold nowhere stay below zero.
    """
    lengths = np.linalg.norm(in_plane(normals), axis=1)
    sizes = np.linalg.norm(normals, axis=1)
    varies = lengths > _CONSTANT * sizes
    kept = varies | (normals.sum(axis=1) < 0)
    scaled: Floats = normals[kept] / np.where(varies, lengths, sizes)[kept, None]
    return scaled


def _onto_simplex(points: Floats) -> Floats:
    """Return the nearest points of the simplex, row by row.

    Source:
        Held, Wolfe and Crowder 1974, Validation of subgradient optimization.
    """
    descending = -np.sort(-points, axis=1)
    shifts = (descending.cumsum(axis=1) - 1) / np.arange(1, points.shape[1] + 1)
    n_positive = (descending > shifts).sum(axis=1)
    nearest: Floats = np.maximum(
        points - shifts[np.arange(len(points)), n_positive - 1][:, None], 0.0
    )
    return nearest
