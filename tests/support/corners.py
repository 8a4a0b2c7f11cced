"""A searcher from outside the package, for tests: each weight alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emorl.records import SearchRound, Weights
from emorl.search.protocol import Best, Result, Trial
from emorl.weights import WeightSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What other packages may have: values that can be missing, errors that are Python's."""

    kind: str = "tests.support.corners:KIND"
    top: int | None = None
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.top is not None and self.top <= 0:
            raise ValueError("top must be above 0")


class Corners:
    """Asks for each weight alone, one after the other."""

    def __init__(self, n: int) -> None:
        self._n = self.n_expected = n
        self._n_asked = 0
        self._best = Best()

    def ask(self) -> Sequence[Trial]:
        if self._n_asked == self._n:
            return []
        weights = tuple(float(place == self._n_asked) for place in range(self._n))
        self._n_asked += 1
        return [Trial(self._n_asked - 1, weights)]

    def tell(self, results: Sequence[Result]) -> Sequence[SearchRound]:
        self._best.add(results)
        return self._best.whole_space(self._n) if self._n_asked == self._n else []

    def best(self) -> Weights | None:
        return self._best.weights


class KIND:
    """What ``--searcher`` names."""

    Config = Config

    @staticmethod
    def load(config: Any, space: WeightSpace, seed: int) -> Corners:
        del config, seed
        return Corners(len(space.names))


class NOTHING(KIND):
    """A searcher that asks for nothing."""

    @staticmethod
    def load(config: Any, space: WeightSpace, seed: int) -> Corners:
        del config, seed, space
        return Corners(0)
