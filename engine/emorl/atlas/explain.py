"""Why weights give the response they give: how far each may move before the response changes.

The weights of a closed cell give one response, those of two different cells two, whose tokens part
at some branch. In an open cell, where the budget ended before the response did, the same weights
share a beginning only: the response may change anywhere inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emorl.atlas.cells import PromptAtlas, checked_queries
from emorl.atlas.constraints import cell_normals, distances_outside
from emorl.weights import direction_key

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
    is_open: bool
    """Whether the cell is open. The response is then known to change at ``borders`` and beyond
    ``radius``, and may change before: both are upper bounds of how far it stays."""
    borders: tuple[Border, ...]
    """Of the cell: at most one per member and direction. Without one the weight stays in the cell
    however it moves, and the response of a closed cell never changes."""
    radius: float
    """Distance to the nearest weights outside the cell, among weights that sum to one; infinite
    if the cell is the whole simplex."""


def explain_weights(atlas: PromptAtlas, weights: Sequence[float]) -> CellExplanation:
    """Tell how far each weight may move before the response changes, and into which cell.

    Exact for a closed cell, upper bounds for an open one: see ``CellExplanation.is_open``.

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
        cell=cell,
        is_open=atlas.cells[cell].is_open,
        borders=tuple(borders),
        radius=float(distances.min(initial=np.inf)),
    )


def same_response(atlas: PromptAtlas, one: Sequence[float], other: Sequence[float]) -> bool | None:
    """Tell whether two weight vectors give one and the same response.

    Weights on one ray always do, whatever the prompt: ``[2, 1]`` and ``[10, 5]`` are one ensemble.

    Returns:
        None where the atlas does not know: both lie in one open cell, and are not on one ray.

    Raises:
        WeightsError: If the weights do not fit.
    """
    queries = np.concatenate(
        [checked_queries([vector], atlas.n_members) for vector in (one, other)]
    )
    first, second = (int(cell) for cell in atlas.lookup(queries))
    if first != second:
        return False
    keys = {direction_key(tuple(query)) for query in queries.tolist()}
    return None if atlas.cells[first].is_open and len(keys) > 1 else True


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
