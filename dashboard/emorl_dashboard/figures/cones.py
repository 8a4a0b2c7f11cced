"""Surfaces of equal score in the cube of three weights.

The score of three weights depends on their direction only, so the surface where it passes a level
is made of rays from zero: the curve where it passes the level on the outer faces of the cube,
joined to zero. That is exact in the rays, and a hundredth of the triangles of a dense grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
N_FACES = 3


def cone_mesh(faces: Floats, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Return the triangles of the surfaces where a score passes levels.

    Args:
        faces: Scores ``(3, n_steps, n_steps)`` on the faces where the first, the second and the
            third weight is 1; the other two weights rise from 0 to 1 along the axes, in their
            order. NaN is below every level.
        levels: Scores.

    Returns:
        Corners ``(n_triangles, 3, 3)``, the first of each is zero; and the level of each.
    """
    found, own = [], []
    for face in range(N_FACES):
        places, scores = _face_triangles(faces[face])
        for level in levels:
            segments = _crossings(places, scores, level)
            corners = np.zeros((len(segments), 3, 3))
            rest = [axis for axis in range(N_FACES) if axis != face]
            corners[:, 1:, face] = 1.0
            corners[:, 1:, rest] = segments
            found.append(corners)
            own.append(np.full(len(segments), level))
    return np.concatenate(found), np.concatenate(own)


def _face_triangles(scores: Floats) -> tuple[Floats, Floats]:
    """Cut the squares of a face in two: corners ``(n, 3, 2)`` and their scores ``(n, 3)``."""
    n_steps = len(scores)
    known = np.where(np.isnan(scores), -np.inf, scores)
    ticks = np.linspace(0.0, 1.0, n_steps)
    grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1)
    places, values = [], []
    for steps in (((0, 0), (1, 0), (1, 1)), ((0, 0), (1, 1), (0, 1))):
        cuts = [(slice(a, n_steps - 1 + a), slice(b, n_steps - 1 + b)) for a, b in steps]
        places.append(np.stack([grid[cut].reshape(-1, 2) for cut in cuts], axis=1))
        values.append(np.stack([known[cut].ravel() for cut in cuts], axis=1))
    return np.concatenate(places), np.concatenate(values)


def _crossings(places: Floats, scores: Floats, level: float) -> Floats:
    """Return where a level passes through triangles, ``(n_segments, 2 ends, 2)``."""
    is_above = scores >= level
    n_above = is_above.sum(axis=1)
    passed = (n_above == 1) | (n_above == 2)
    places, scores = places[passed], scores[passed]
    # The corner that is alone on its side; the line crosses both of its edges.
    alone = is_above[passed] == (n_above[passed] == 1)[:, None]
    first = alone.argmax(axis=1)
    rows = np.arange(len(first))
    ends = []
    for step in (1, 2):
        other = (first + step) % 3
        here, there = scores[rows, first], scores[rows, other]
        with np.errstate(invalid="ignore"):
            share = (level - here) / (there - here)
        # Beside what is not shown, the line is at the border of what is.
        share = np.where(np.isneginf(here), 1.0, np.where(np.isneginf(there), 0.0, share))
        start, end = places[rows, first], places[rows, other]
        ends.append(start + share[:, None] * (end - start))
    segments: Floats = np.stack(ends, axis=1)
    return segments
