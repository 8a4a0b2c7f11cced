"""The reward of every weight vector, from atlases whose responses are scored. No model call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emorl.atlas.cells import PromptAtlas, checked_queries

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RewardField:
    """Atlases of several prompts, and the scores of all their cells."""

    atlases: tuple[PromptAtlas, ...]
    scores: tuple[Floats, ...]
    """Per prompt ``(n_cells, n_objectives)``, in [0, 1]; NaN for an open cell."""

    @property
    def n_members(self) -> int:
        """Length of a weight vector."""
        return self.atlases[0].n_members

    def cells(self, weights: Sequence[Sequence[float]] | Floats) -> Integers:
        """Return each prompt's cell for each weight vector, ``(n_queries, n_prompts)``.

        Raises:
            WeightsError: If a vector is all zero or does not fit.
        """
        queries = checked_queries(weights, self.n_members)
        return np.stack([atlas.lookup(queries) for atlas in self.atlases], axis=1)

    def means(self, weights: Sequence[Sequence[float]] | Floats) -> Floats:
        """Return the mean of every objective over prompts, ``(n_queries, n_objectives)``.

        NaN where a prompt's cell is open.
        """
        queries = checked_queries(weights, self.n_members)
        total = np.zeros((len(queries), self.scores[0].shape[1]))
        for atlas, scores in zip(self.atlases, self.scores, strict=True):
            total += scores[atlas.lookup(queries)]
        return total / len(self.atlases)

    def standard_errors(self, weights: Sequence[Sequence[float]] | Floats) -> Floats:
        """Return the standard error over prompts of ``means``, in its shape."""
        cells = self.cells(weights)
        by_prompt = np.stack(
            [scores[cells[:, prompt]] for prompt, scores in enumerate(self.scores)]
        )
        n = len(by_prompt)
        if n < 2:
            return np.full(by_prompt.shape[1:], np.nan)
        errors: Floats = by_prompt.std(axis=0, ddof=1) / np.sqrt(n)
        return errors


def simplex_grid(n_members: int, steps: int) -> Floats:
    """Return all weights with parts in multiples of ``1 / steps`` that sum to one.

    Returns:
        ``(n_points, n_members)`` with ``comb(steps + n_members - 1, n_members - 1)`` points.
    """
    bars = np.array(list(_compositions(steps, n_members)), dtype=np.float64)
    return bars / steps


def _compositions(total: int, n_parts: int) -> Iterator[tuple[int, ...]]:
    if n_parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, n_parts - 1):
            yield (first, *rest)
