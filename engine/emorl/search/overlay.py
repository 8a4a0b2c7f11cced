"""The cells of all prompts laid over each other: pieces of the simplex, and cutting them further.

A piece whose weights give every prompt one reward is decided. What another piece can reach is
bounded by the best cell of each prompt among those that overlap it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emorl.atlas.constraints import cell_normals
from emorl.atlas.field import RewardField
from emorl.atlas.polytope import SMALLEST_AREA, area, centre, clip, whole_simplex

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

THIN = 1e-9
"""Width, in weights that sum to one, below which an overlap of two cells does not count."""

_EQUAL = 1e-13
"""Rewards that differ by less are the same: the size of rounding errors of a mean."""

_SHORT = 1e-6
"""Sides of a polygon below this length have no direction to rely on."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A convex part of the simplex and the cells that reach into it."""

    corners: Floats
    """``(n_corners, n_members)``, each summing to one."""
    cells: Booleans
    """Over the cells of all prompts one after the other, at least one per prompt."""


class Overlay:
    """The cells of all prompts, one after the other."""

    def __init__(self, rewards: RewardField) -> None:
        """Collect cells, their scores and their sides."""
        scores = np.concatenate(rewards.scores)
        self.highs: Floats = np.where(np.isnan(scores), 1.0, scores)
        """Most that a cell can score, ``(n_cells, n_objectives)``; 1 for an open cell."""
        self.lows: Floats = np.where(np.isnan(scores), 0.0, scores)
        """Least that it can score; 0 for an open cell."""
        self._rewards = rewards
        cells = [cell for atlas in rewards.atlases for cell in atlas.cells]
        self._is_open = np.array([cell.is_open for cell in cells])
        counts = [len(atlas.cells) for atlas in rewards.atlases]
        self._bounds = np.concatenate([[0], np.cumsum(counts)])
        all_normals = [n for atlas in rewards.atlases for n in cell_normals(atlas)]
        self._normals = [
            _bounding(normals, cell.vertices)
            for normals, cell in zip(all_normals, cells, strict=True)
        ]
        self._stacked_normals = np.concatenate(self._normals)
        self._normal_starts = _starts([len(normals) for normals in self._normals])
        self._stacked_corners = np.concatenate([cell.vertices for cell in cells])
        self._corner_starts = _starts([len(cell.vertices) for cell in cells])

    def whole(self) -> Piece:
        """Return the simplex as a piece."""
        corners = whole_simplex(self._rewards.n_members)
        return Piece(corners, self._reaching(corners, np.ones(len(self.highs), dtype=bool)))

    def around(self, weights: Floats) -> Piece:
        """Return the piece in which every prompt gives the response of these weights."""
        chosen = self._rewards.cells(weights[None])[0] + self._bounds[:-1]
        corners = whole_simplex(self._rewards.n_members)
        for cell in chosen:
            corners = _clipped(corners, self._normals[cell])
        cells = np.zeros(len(self.highs), dtype=bool)
        cells[chosen] = True
        return Piece(corners if area(corners) > 0 else weights[None], cells)

    def cut(self, piece: Piece, prompt: int) -> Iterator[Piece]:
        """Yield a piece's parts in the cells of one prompt, slivers left out."""
        low, high = self._bounds[prompt], self._bounds[prompt + 1]
        for cell in np.flatnonzero(piece.cells[low:high]) + low:
            corners = _clipped(piece.corners, self._normals[cell])
            if area(corners) <= SMALLEST_AREA:
                continue
            cells = piece.cells.copy()
            cells[low:high] = False
            cells[cell] = True
            reached = self._reaching(corners, cells)
            reached[cell] = True  # rounding may say that a cell misses its own part
            if np.logical_or.reduceat(reached, self._bounds[:-1]).all():
                yield Piece(corners, reached)

    def bound(self, piece: Piece, highs: Floats) -> Floats:
        """Return the mean over prompts of the best value among the cells that reach in.

        Args:
            piece: Where.
            highs: Values of all cells, ``(n_cells, n_values)``.

        Returns:
            ``(n_values,)``, each bounded by itself.
        """
        bound: Floats = self._best(piece, highs).mean(axis=0)
        return bound

    def undecided(self, piece: Piece, highs: Floats, lows: Floats) -> int | None:
        """Return the prompt whose cells in the piece differ most; None if all weights are equal.

        Args:
            piece: Where.
            highs: Most that each cell can be worth, ``(n_cells, n_values)``.
            lows: Least that it can be worth.
        """
        spreads = (self._best(piece, highs) + self._best(piece, -lows)).sum(axis=1)
        several = np.add.reduceat(piece.cells.astype(np.int64), self._bounds[:-1]) > 1
        spreads = np.where(several, spreads, 0.0)
        widest = int(spreads.argmax())
        return widest if spreads[widest] > _EQUAL else None

    def is_open(self, piece: Piece) -> bool:
        """Tell whether an open cell reaches into the piece."""
        return bool((self._is_open & piece.cells).any())

    def normals(self, piece: Piece) -> Floats:
        """Return the sides of the cells that a piece was cut from, ``(n_normals, n_members)``."""
        counts = np.add.reduceat(piece.cells.astype(np.int64), self._bounds[:-1])
        alone = np.repeat(counts == 1, np.diff(self._bounds))
        return np.concatenate(
            [self._normals[cell] for cell in np.flatnonzero(alone & piece.cells)]
        )

    def middle(self, piece: Piece) -> Floats:
        """Return weights inside a piece, ``(n_members,)``."""
        return centre(piece.corners)

    def _best(self, piece: Piece, values: Floats) -> Floats:
        """Return each prompt's largest values in a piece, ``(n_prompts, n_values)``."""
        reached = np.where(piece.cells[:, None], values, -np.inf)
        best: Floats = np.maximum.reduceat(reached, self._bounds[:-1], axis=0)
        return best

    def _reaching(self, corners: Floats, cells: Booleans) -> Booleans:
        """Return which of the cells overlap a part by more than a sliver.

        A cell misses the part if one line separates them: a side of the cell, or of the part.
        """
        highest = (self._stacked_normals @ corners.T).max(axis=1)
        reached: Booleans = cells & (np.minimum.reduceat(highest, self._normal_starts) > THIN)
        if corners.shape[1] == 3 and len(sides := _sides(corners)):
            heights = self._stacked_corners @ sides.T
            reached &= (np.maximum.reduceat(heights, self._corner_starts) > THIN).all(axis=1)
        return reached


def _bounding(normals: Floats, vertices: Floats) -> Floats:
    """Return the normals that bound a cell, of length one, and one that holds everywhere."""
    n_members = vertices.shape[1]
    always = np.ones((1, n_members))
    lengths = np.linalg.norm(normals, axis=1)
    unit = normals[lengths > 0] / lengths[lengths > 0, None]
    # A corner as small as this may have been dropped from the cell.
    near = 10 * SMALLEST_AREA ** (1 / (n_members - 1))
    return np.concatenate([unit[(unit @ vertices.T).min(axis=1, initial=np.inf) <= near], always])


def _starts(lengths: list[int]) -> Integers:
    starts: Integers = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return starts


def _clipped(corners: Floats, normals: Floats) -> Floats:
    if not len(corners):
        return corners
    for normal in normals[(normals @ corners.T < 0).any(axis=1)]:
        corners = clip(corners, normal)
        if not len(corners):
            break
    return corners


def _sides(polygon: Floats) -> Floats:
    """Return the inner normals of a polygon's sides as linear functions of the weights."""
    normals = np.cross(polygon, np.roll(polygon, -1, axis=0))
    lengths = np.linalg.norm(normals, axis=1)
    normals = normals[lengths > _SHORT] / lengths[lengths > _SHORT, None]
    inside: Floats = normals if (normals @ centre(polygon)).sum() >= 0 else -normals
    return inside
