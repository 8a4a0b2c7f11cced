"""Hierarchical grid search (EMORL, arXiv:2505.02579, algorithm 1).

Lay a grid over a box, score every point, go on in the sub-box with the best corners. Departures
from the paper's reference code, in ``exact`` mode:

1. A direction is measured once; other points on its ray share the measurement and say so
   (``Evaluation.kind``). ``reference`` mode measures every point anew, as the original does.
2. The zero vector is no ensemble: it is not measured, and a sub-box is judged by the mean of
   the corners that were. ``reference`` mode decodes it and gets what token 0 is worth.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

from emorl.config import SearchConfig
from emorl.records import Evaluation, EvaluationKind, Measurement, SearchRound, Weights
from emorl.weights import direction_key

Measure = Callable[[Sequence[Weights]], Sequence[Measurement]]
"""Scores weight vectors, in order."""

Known = Mapping[tuple[int, int], Measurement]
"""Measurements of an earlier, interrupted search, by (round, point)."""

_Index = tuple[int, ...]
_Box = tuple[Weights, Weights]


def hierarchical_search(
    measure: Measure,
    n_objectives: int,
    config: SearchConfig,
    *,
    known: Known | None = None,
) -> Iterator[list[Evaluation] | SearchRound]:
    """Search the cube ``[0, 1]^n`` and yield what happens, as it happens.

    Args:
        measure: Scores the weight vectors of one batch; called with at most
            ``config.directions_per_batch`` of them.
        n_objectives: Number n of weights, at least 2.
        config: Rounds, grid and mode.
        known: What an interrupted search has measured already; never measured again. The
            resumed search yields the same evaluations as an undisturbed one.

    Yields:
        A list of evaluations after each measured batch (to be stored together), and a
        ``SearchRound`` at the end of each round. Each grid point is yielded once a round.
    """
    box: _Box = ((0.0,) * n_objectives, (1.0,) * n_objectives)
    memo: dict[str, Measurement] = {}
    best: tuple[float, Weights] | None = None
    for round_ in range(1, config.n_rounds + 1):
        grid = _Grid(round_, box, config)
        for evaluations in grid.evaluate(measure, memo, known or {}):
            for evaluation in evaluations:
                measured = evaluation.measurement
                if measured and (best is None or measured.mean_reward > best[0]):
                    best = (measured.mean_reward, evaluation.weights)
            yield evaluations
        chosen = grid.best_sub_box()
        if best is None:  # only a grid of nothing but the zero vector; n >= 2 excludes it
            return
        yield SearchRound(
            round=round_,
            box_lower=box[0],
            box_upper=box[1],
            chosen_lower=chosen[0],
            chosen_upper=chosen[1],
            best_weights=best[1],
            best_mean_reward=best[0],
        )
        box = chosen


def n_grid_points(n_objectives: int, config: SearchConfig) -> int:
    """Return the number of evaluations of a whole search, shared and zero ones included."""
    return int(config.n_rounds * config.points_per_axis**n_objectives)


class _Grid:
    """The points of one round and what they earned."""

    def __init__(self, round_: int, box: _Box, config: SearchConfig) -> None:
        self._round = round_
        self._box = box
        self._config = config
        axes = range(config.points_per_axis)
        self._indices: list[_Index] = list(itertools.product(axes, repeat=len(box[0])))
        self._points: list[Weights] = [self._weights(index) for index in self._indices]
        self._rewards: dict[_Index, float] = {}

    def evaluate(
        self, measure: Measure, memo: dict[str, Measurement], known: Known
    ) -> Iterator[list[Evaluation]]:
        """Yield the evaluations of all points, batch by batch; fill ``memo`` on the way."""
        ready, to_measure = self._plan(memo)
        if ready:
            yield [self._evaluation(point, kind, memo) for point, kind in ready]
        size = self._config.directions_per_batch
        for start in range(0, len(to_measure), size):
            batch = to_measure[start : start + size]
            measured = self._measured([leader for leader, *_ in batch], measure, known)
            evaluations = []
            for (leader, *followers), measurement in zip(batch, measured, strict=True):
                kind: EvaluationKind = "measured" if any(self._points[leader]) else "zero"
                evaluations.append(self._record(leader, kind, measurement))
                evaluations += [self._record(p, "shared", measurement) for p in followers]
                memo[direction_key(self._points[leader])] = measurement
            yield evaluations

    def best_sub_box(self) -> _Box:
        """Return the cell of the grid with the largest mean over its measured corners."""
        n_cells = self._config.points_per_axis - 1
        cells = itertools.product(range(n_cells), repeat=len(self._box[0]))
        lowest = max(cells, key=self._corner_mean)  # max keeps the first of equals
        return self._weights(lowest), self._weights(tuple(i + 1 for i in lowest))

    def _plan(
        self, memo: Mapping[str, Measurement]
    ) -> tuple[list[tuple[int, EvaluationKind]], list[list[int]]]:
        """Split points into those that need no measurement and groups led by one that does."""
        if self._config.mode == "reference":
            return [], [[point] for point in range(len(self._points))]
        ready: list[tuple[int, EvaluationKind]] = []
        groups: dict[str, list[int]] = {}
        for point, weights in enumerate(self._points):
            key = direction_key(weights)
            if not any(weights):
                ready.append((point, "zero"))
            elif key in memo:
                ready.append((point, "shared"))
            else:
                groups.setdefault(key, []).append(point)
        return ready, list(groups.values())

    def _measured(
        self, points: Sequence[int], measure: Measure, known: Known
    ) -> list[Measurement]:
        found = {p: known[self._round, p] for p in points if (self._round, p) in known}
        missing = [point for point in points if point not in found]
        if missing:
            new = measure([self._points[point] for point in missing])
            found |= dict(zip(missing, new, strict=True))
        return [found[point] for point in points]

    def _evaluation(
        self, point: int, kind: EvaluationKind, memo: Mapping[str, Measurement]
    ) -> Evaluation:
        measurement = None if kind == "zero" else memo[direction_key(self._points[point])]
        return self._record(point, kind, measurement)

    def _record(
        self, point: int, kind: EvaluationKind, measurement: Measurement | None
    ) -> Evaluation:
        if measurement is not None:
            self._rewards[self._indices[point]] = measurement.mean_reward
        return Evaluation(
            round=self._round,
            point=point,
            weights=self._points[point],
            kind=kind,
            box_lower=self._box[0],
            box_upper=self._box[1],
            measurement=measurement,
        )

    def _weights(self, index: _Index) -> Weights:
        # Dyadic sides and three points per axis make these floats exact, so that points of
        # different rounds on one ray are recognised.
        last = self._config.points_per_axis - 1
        return tuple(
            low + (high - low) * i / last for i, low, high in zip(index, *self._box, strict=True)
        )

    def _corner_mean(self, lowest: _Index) -> float:
        corners = itertools.product(*((i, i + 1) for i in lowest))
        rewards = [self._rewards[corner] for corner in corners if corner in self._rewards]
        return sum(rewards) / len(rewards)
