"""Hierarchical grid search (EMORL, arXiv:2505.02579, algorithm 1).

Score a grid over a box, then repeat in the sub-box with the best corners. Departures from the
paper's reference code, in ``exact`` mode:

1. A direction is measured once; other points on its ray share the measurement and say so
   (``Evaluation.kind``). ``reference`` mode measures every point anew, as the original does.
2. The zero vector is no ensemble: it is not measured, and a sub-box is judged by the mean of
   the corners that were. ``reference`` mode decodes it and gets what token 0 is worth.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from emorl.config.checks import check_at_least, check_choice
from emorl.records import SearchRound, Weights
from emorl.search.protocol import Best, Result, Trial
from emorl.weights import WeightSpace

SearchMode = Literal["exact", "reference"]

_Index = tuple[int, ...]
_Box = tuple[Weights, Weights]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Hierarchical grid search over the weights (EMORL, algorithm 1)."""

    kind: str = "hierarchical"

    n_rounds: int = 5
    """Grids in turn; the box's side halves each time. At least 1."""

    points_per_axis: int = 3
    """Grid points along each objective, both ends included; at least 2."""

    mode: SearchMode = "exact"
    """``exact`` scores each direction once; ``reference`` replays every grid point."""

    directions_per_batch: int = 9
    """Directions decoded together; results are stored and shown after each batch. At least 1."""

    def __post_init__(self) -> None:
        check_at_least("search.n_rounds", self.n_rounds, 1)
        check_at_least("search.points_per_axis", self.points_per_axis, 2)
        check_at_least("search.directions_per_batch", self.directions_per_batch, 1)
        check_choice("search.mode", self.mode, SearchMode)


class HierarchicalSearch:
    """Searches the cube ``[0, 1]^n``, n at least 2; a ``Searcher``."""

    def __init__(self, config: Config, n: int) -> None:
        """Begin with the whole cube."""
        self._config = config
        self._box: _Box = ((0.0,) * n, (1.0,) * n)
        self._round = 1
        self._n_asked = 0
        self._best = Best()
        axes = range(config.points_per_axis)
        self._grid: list[_Index] = list(itertools.product(axes, repeat=n))

    @property
    def n_expected(self) -> int:
        """Number of grid points of all rounds, shared and zero ones included."""
        return self._config.n_rounds * len(self._grid)

    def ask(self) -> list[Trial]:
        """Return all points of the next round's grid."""
        if self._round > self._config.n_rounds:
            return []
        is_fresh = self._config.mode == "reference"
        return [
            Trial(self._n_asked + point, self._weights(index), self._round, is_fresh, self._box)
            for point, index in enumerate(self._grid)
        ]

    def tell(self, results: Sequence[Result]) -> list[SearchRound]:
        """End the round, and choose the box of the next."""
        self._best.add(results)
        if self._best.weights is None:
            self._round = self._config.n_rounds + 1
            return []
        values = {
            self._grid[result.trial.number - self._n_asked]: result.value
            for result in results
            if result.value is not None
        }
        box, chosen = self._box, self._best_sub_box(values)
        ended = SearchRound(
            round=self._round,
            box_lower=box[0],
            box_upper=box[1],
            chosen_lower=chosen[0],
            chosen_upper=chosen[1],
            best_weights=self._best.weights,
            best_mean_reward=self._best.value,
        )
        self._box = chosen
        self._round += 1
        self._n_asked += len(self._grid)
        return [ended]

    def best(self) -> Weights | None:
        """Return the best point of all rounds so far."""
        return self._best.weights

    def _weights(self, index: _Index) -> Weights:
        # Dyadic sides and three points per axis make these floats exact, so that points of
        # different rounds on one ray are recognised.
        last = self._config.points_per_axis - 1
        return tuple(
            low + (high - low) * i / last for i, low, high in zip(index, *self._box, strict=True)
        )

    def _best_sub_box(self, values: dict[_Index, float]) -> _Box:
        """Return the cell of the grid with the largest mean over its measured corners."""

        def corner_mean(lowest: _Index) -> float:
            corners = itertools.product(*((i, i + 1) for i in lowest))
            found = [values[corner] for corner in corners if corner in values]
            return sum(found) / len(found)

        n_cells = self._config.points_per_axis - 1
        cells = itertools.product(range(n_cells), repeat=len(self._box[0]))
        lowest = max(cells, key=corner_mean)  # max keeps the first of equals
        return self._weights(lowest), self._weights(tuple(i + 1 for i in lowest))


def load(config: Config, space: WeightSpace, seed: int) -> HierarchicalSearch:
    """Return the search; nothing about it is random."""
    del seed
    return HierarchicalSearch(config, len(space.names))
