"""The atlas of one prompt: where weights decide, and the response of every cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emorl.errors import WeightsError
from emorl.weights import check_weights

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """A prefix after which more than one token can win, depending on the weights."""

    prefix: tuple[int, ...]
    """Response tokens so far."""
    tokens: tuple[int, ...]
    """Tokens that win somewhere in this prefix's part of the simplex."""
    vectors: Floats
    """Logits of these tokens by member, ``(n_tokens, n_members)``; a token's score at weights
    ``w`` is ``vectors @ w``, and the first of the largest wins."""
    children: tuple[int, ...]
    """What follows each token: a branch's position, or ``-1 - c`` for cell ``c``."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A convex part of the simplex, and the one response that all its weights give."""

    tokens: tuple[int, ...]
    """The response, end token included; only its beginning if the cell is open."""
    text: str
    vertices: Floats
    """Corners, ``(n_vertices, n_members)``, each summing to one; in order around for three."""
    area: float
    """Fraction of the simplex."""
    is_open: bool = False
    """Whether the budget ended before the response did."""

    @property
    def centroid(self) -> Floats:
        """Mean of the corners: a point inside."""
        mean: Floats = self.vertices.mean(axis=0)
        return mean


@dataclass(frozen=True, slots=True, eq=False)
class PromptAtlas:
    """All responses to one prompt. Branches come after the branches they follow from."""

    branches: tuple[Branch, ...]
    """Empty if one response covers the whole simplex."""
    cells: tuple[Cell, ...]
    n_members: int
    covered: float
    """Fraction of the simplex in cells that are not open."""
    dropped: float
    """Fraction lost in cells thinner than the precision of the logits."""
    node_forwards: int
    """Prefixes that the members read to build it."""

    @property
    def is_complete(self) -> bool:
        """Whether no cell is open."""
        return not any(cell.is_open for cell in self.cells)

    def misplaced(self) -> list[int]:
        """Return the cells whose middle is looked up to be another's: none, if all is right."""
        middles = np.array([cell.centroid for cell in self.cells])
        return np.flatnonzero(self.lookup(middles) != np.arange(len(self.cells))).tolist()

    def lookup(self, weights: Sequence[Sequence[float]] | Floats) -> Integers:
        """Return the cell of each weight vector.

        Args:
            weights: ``(n_queries, n_members)``, none negative, none all zero; any scale.

        Returns:
            Positions in ``cells``, ``(n_queries,)``.

        Raises:
            WeightsError: If one has the wrong length, an impossible number, or is all zero.
        """
        queries = checked_queries(weights, self.n_members)
        # Weights on one ray become the very same numbers, and none of them too large to multiply.
        queries = queries / queries.max(axis=1, keepdims=True)
        found = np.zeros(len(queries), dtype=np.int64)
        if not self.branches:
            return found
        waiting: dict[int, list[Integers]] = {0: [np.arange(len(queries))]}
        for position, branch in enumerate(self.branches):
            parts = waiting.pop(position, [])
            if not parts:
                continue
            asking = np.concatenate(parts)
            winners = (queries[asking] @ branch.vectors.T).argmax(axis=1)
            for place, child in enumerate(branch.children):
                those = asking[winners == place]
                if child < 0:
                    found[those] = -1 - child
                elif len(those):
                    waiting.setdefault(child, []).append(those)
        return found


def checked_queries(weights: Sequence[Sequence[float]] | Floats, n_members: int) -> Floats:
    """Return weight vectors as an array.

    Raises:
        WeightsError: If one has the wrong length, an impossible number, or is all zero.
    """
    try:
        queries = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"Weights must be vectors of {n_members} numbers.") from error
    if queries.ndim != 2 or queries.shape[1] != n_members:
        raise WeightsError(
            f"Need weight vectors of {n_members} numbers each, got an array of shape "
            f"{queries.shape}."
        )
    usable = np.isfinite(queries).all(axis=1) & (queries >= 0).all(axis=1) & queries.any(axis=1)
    if not usable.all():
        wrong = queries[~usable][0].tolist()
        check_weights(wrong, n_members)
        raise WeightsError(f"Weights {wrong} are all zero: they have no direction.")
    return queries
