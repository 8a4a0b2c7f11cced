"""What a weight search is: it asks for weights to be measured, and is told the results.

A searcher knows no model, no file and no store. ``driver.run_search`` measures what it asks for,
lets weights that are one question share a measurement, and resumes an interrupted search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from emorl.records import EvaluationKind, SearchRound, Weights

Utility = Callable[[Sequence[float]], float]
"""What a search maximises: a function of the objectives' means."""


def mean_reward(means: Sequence[float]) -> float:
    """Return the mean over objectives, the utility of EMORL (arXiv:2505.02579, algorithm 1)."""
    return sum(means) / len(means)


@dataclass(frozen=True, slots=True)
class Trial:
    """Weights that a searcher wants to know the worth of."""

    number: int
    """From 0, without gaps over the whole search."""
    weights: Weights
    round: int = 1
    """From 1; trials of one round are shown together."""
    is_fresh: bool = False
    """Whether to measure even what was measured before, and the zero vector."""
    box: tuple[Weights, Weights] | None = None
    """Lower and upper corner of the region that the weights were taken from; None: all weights."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial earned."""

    trial: Trial
    kind: EvaluationKind
    means: tuple[float, ...] | None = None
    """Mean of each objective over the prompts; None for a zero vector that is not measured."""
    value: float | None = None
    """The utility of the means."""


class Searcher(Protocol):
    """Chooses weights; deterministic, given its seed and what it was told."""

    @property
    def n_expected(self) -> int:
        """Trials of the whole search at most, for people who wait."""

    def ask(self) -> Sequence[Trial]:
        """Return the next trials; none when the search is over."""

    def tell(self, results: Sequence[Result]) -> Sequence[SearchRound]:
        """Take the results of all trials that were asked for, and return rounds that ended.

        Args:
            results: One per trial, in the order in which they were measured.
        """

    def best(self) -> Weights | None:
        """Return the weights that the search has found best; None if it knows of none."""


class Best:
    """The first of the best results, as they come."""

    def __init__(self) -> None:
        """Know of none."""
        self.weights: Weights | None = None
        self.value = float("-inf")

    def add(self, results: Sequence[Result]) -> None:
        """Look at more results; of equal ones the first stays."""
        for result in results:
            if result.value is not None and result.value > self.value:
                self.weights, self.value = result.trial.weights, result.value

    def whole_space(self, n: int, round_: int = 1) -> list[SearchRound]:
        """Return the end of a round that searched all weights; none without a result."""
        if self.weights is None:
            return []
        box = ((0.0,) * n, (1.0,) * n)
        return [
            SearchRound(
                round=round_,
                box_lower=box[0],
                box_upper=box[1],
                chosen_lower=box[0],
                chosen_upper=box[1],
                best_weights=self.weights,
                best_mean_reward=self.value,
            )
        ]
