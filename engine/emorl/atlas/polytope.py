"""Convex parts of the simplex of weights, and cutting them along linear functions.

Weights live on the simplex ``{w >= 0, sum w = 1}``. A part is kept by its corners, ``(n_corners,
n_members)``: two members make intervals, three make polygons (corners in order around), more make
polytopes, for which Qhull finds the corners.
"""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

Floats = NDArray[np.float64]

SMALLEST_AREA = 1e-12
"""Fraction of the simplex below which a part is no part. For three members that is the size of
rounding errors; for n members a cube of this volume has sides of ``1e-12 ** (1 / (n - 1))``."""

_POLYGON = 3

_SECONDS_PER_POINT = 2e-4
"""What Qhull takes in six or seven dimensions, about; less in fewer."""


class TooSlowError(Exception):
    """A part cannot be cut in the time there is; never leaves the building of an atlas."""


def whole_simplex(n_members: int) -> Floats:
    """Return the corners of the simplex: the one-hot weights."""
    return np.eye(n_members)


def area(corners: Floats) -> float:
    """Return a part's length, area or volume as a fraction of the simplex's."""
    n_members = corners.shape[1]
    if len(corners) < n_members:
        return 0.0
    flat = corners[:, :-1]  # the last weight follows from the others
    if n_members == 1:
        return 1.0
    if n_members == 2:
        return float(flat.max() - flat.min())
    if n_members == _POLYGON:
        x, y = (flat - flat[0]).T  # near zero the products of a small part keep their digits
        return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
    try:
        return float(ConvexHull(flat).volume) * math.factorial(n_members - 1)
    except QhullError:  # flat: its corners lie in a plane
        return 0.0


def clip(corners: Floats, normal: Floats, *, until: float = math.inf) -> Floats:
    """Return the corners of the part where ``w @ normal >= 0``; none if there is no such part.

    Raises:
        TooSlowError: If it would take longer than ``until``, a reading of ``time.monotonic``.
    """
    heights = corners @ normal
    inside = heights >= 0
    if inside.all():
        return corners
    if not inside.any():
        return corners[:0]
    if corners.shape[1] == _POLYGON:
        return _clip_polygon(corners, heights)
    # The segments between all corners on either side include all edges that are cut, and lie in
    # the part: the hull of their cuts and the corners inside is what is left.
    above, below = corners[inside], corners[~inside]
    n_points = len(above) * (1 + len(below))
    if until < math.inf and time.monotonic() + n_points * _SECONDS_PER_POINT > until:
        raise TooSlowError
    up, down = heights[inside], heights[~inside]
    shares = up[:, None] / (up[:, None] - down[None, :])
    cuts = above[:, None] + shares[..., None] * (below[None, :] - above[:, None])
    return _hull(np.concatenate([above, cuts.reshape(-1, corners.shape[1])]))


def split(
    corners: Floats, vectors: Floats, *, until: float = math.inf
) -> list[tuple[int, Floats]]:
    """Cut a part along the upper envelope of linear functions ``w @ vectors[k]``.

    Linear support: cut along the functions that win at the corners, look for others that win at
    the new corners, and cut again until there are none. Finite and exact, as a linear function
    that is above the envelope anywhere is above it at a corner.

    Args:
        corners: ``(n_corners, n_members)``.
        vectors: ``(n_functions, n_members)``. Of equal functions the first wins.
        until: When to give up, a reading of ``time.monotonic``. It is looked at for four members
            and more, as their parts can have thousands of corners.

    Returns:
        The functions that win on a part of positive area, in ascending order, with its corners;
        they tile the part but for pieces below ``SMALLEST_AREA``.

    Raises:
        TooSlowError: If it would take longer.

    Source:
        Cheng 1988, Algorithms for partially observable Markov decision processes.
    """
    known = set((corners @ vectors.T).argmax(axis=1).tolist())
    while True:
        parts = [(k, _winning_part(corners, vectors, k, known, until)) for k in sorted(known)]
        new = set()
        for k, part in parts:
            if len(part):
                values = part @ vectors.T
                best = values.argmax(axis=1)
                gain = values[np.arange(len(part)), best] - values[:, k]
                scale = 1e-12 * (1.0 + np.abs(values[:, k]))
                new |= set(best[gain > scale].tolist())
        if new <= known:
            return [(k, part) for k, part in parts if area(part) > SMALLEST_AREA]
        known |= new


def centre(corners: Floats) -> Floats:
    """Return the mean of the corners: a point inside."""
    mean: Floats = corners.mean(axis=0)
    return mean


def _winning_part(
    corners: Floats, vectors: Floats, winner: int, rivals: set[int], until: float
) -> Floats:
    for rival in sorted(rivals):
        difference = vectors[winner] - vectors[rival]
        if rival == winner or (winner < rival and not difference.any()):
            continue
        if not difference.any():  # equal to an earlier one, which wins
            return corners[:0]
        corners = clip(corners, difference, until=until)
        if not len(corners):
            break
    return corners


def _clip_polygon(corners: Floats, heights: Floats) -> Floats:
    kept: list[Floats] = []
    for here, height, after, next_height in zip(
        corners,
        heights,
        np.roll(corners, -1, axis=0),
        np.roll(heights, -1),
        strict=True,
    ):
        if height >= 0:
            kept.append(here)
        if (height > 0 > next_height) or (height < 0 < next_height):
            kept.append(here + height / (height - next_height) * (after - here))
    return np.array(kept)


def _hull(points: Floats) -> Floats:
    n_members = points.shape[1]
    if n_members == 2:
        return points[[points[:, 0].argmin(), points[:, 0].argmax()]]
    if len(points) < n_members:
        return points[:0]
    try:
        on_hull: Floats = points[ConvexHull(points[:, :-1]).vertices]
    except QhullError:  # flat: no part of positive volume
        return points[:0]
    return on_hull
