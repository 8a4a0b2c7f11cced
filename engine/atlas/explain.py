"""Why weights give the response they give: how far each may move before the response changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.atlas.cells import PromptAtlas
from engine.atlas.constraints import cell_normals, distances_outside
from engine.atlas.field import checked_queries

Floats = NDArray[np.float64]
Direction = Literal["less", "more"]

_BEYOND = 1e-9
"""How far behind a border its other side is looked up, as a fraction of the weights' sum."""

_FARTHEST_BEYOND = 1e-5
"""A border that is not crossed even this far behind it is an error of rounding."""


@dataclass(frozen=True, slots=True)
class Border:
    """Where the response changes when one weight moves and the others stay."""

    member: int
    direction: Direction
    weight: float
    """The member's weight on the border, in the scale of the weights asked about."""
    cell: int
    """The cell behind the border."""


@dataclass(frozen=True, slots=True)
class CellExplanation:
    """The place of weights in an atlas."""

    cell: int
    borders: tuple[Border, ...]
    """At most one per member and direction; none where the response never changes."""
    radius: float
    """Distance to the nearest weights outside the cell, among weights that sum to one; infinite
    if one response covers the simplex."""


def explain_weights(atlas: PromptAtlas, weights: Sequence[float]) -> CellExplanation:
    """Tell how far each weight may move before the response changes, and into which cell.

    Raises:
        WeightsError: If the weights do not fit.
    """
    vector = checked_queries([weights], atlas.n_members)[0]
    scale = float(vector.max())
    vector = vector / scale
    cell = int(atlas.lookup(vector[None])[0])
    normals = cell_normals(atlas)[cell]
    borders = [
        Border(member, direction, min(scale * weight, np.finfo(np.float64).max), behind)
        for member in range(atlas.n_members)
        for direction in _SIGNS
        for weight, behind in _borders(atlas, vector, cell, normals, member, direction)
    ]
    distances = distances_outside(normals, vector / vector.sum())
    return CellExplanation(
        cell=cell, borders=tuple(borders), radius=float(distances.min(initial=np.inf))
    )


def same_response(atlas: PromptAtlas, one: Sequence[float], other: Sequence[float]) -> bool:
    """Tell whether two weight vectors give one and the same response.

    Weights on one ray always do, whatever the prompt: ``[2, 1]`` and ``[10, 5]`` are one ensemble.

    Raises:
        WeightsError: If the weights do not fit.
    """
    first, second = (checked_queries([vector], atlas.n_members) for vector in (one, other))
    return bool(atlas.lookup(first)[0] == atlas.lookup(second)[0])


_SIGNS: dict[Direction, float] = {"less": -1.0, "more": 1.0}


def _borders(
    atlas: PromptAtlas,
    vector: Floats,
    cell: int,
    normals: Floats,
    member: int,
    direction: Direction,
) -> list[tuple[float, int]]:
    """Find where ``vector + t * unit(member)`` leaves the cell, ``t`` of the direction's sign.

    Returns:
        The weight on the border and the cell behind it; nothing if there is no border.
    """
    sign = _SIGNS[direction]
    slopes = sign * normals[:, member]
    falling = slopes < 0
    if not falling.any():
        return []
    heights = np.maximum(normals @ vector, 0.0)
    step = float((heights[falling] / -slopes[falling]).min())
    beyond = vector.copy()
    behind = _BEYOND
    while behind <= _FARTHEST_BEYOND:
        beyond[member] = vector[member] + sign * (step + behind * (vector.sum() + step))
        if beyond[member] < 0 or not beyond.any():
            return []
        reached = int(atlas.lookup(beyond[None])[0])
        if reached != cell:
            return [(float(vector[member] + sign * step), reached)]
        behind *= 10
    return []
