"""A scalarizer with a state, for tests: validations tilt its weights to the weaker objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emorl.records import Weights
from emorl.scalarizers.protocol import Feedback, Floats, GroupScores, OverAll


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How fast it tilts, and what goes wrong."""

    kind: str = "tests.support.tilting:KIND"
    rate: float = 0.5
    fault: str = ""


class Tilting(OverAll):
    """The log sum under weights that follow the validations."""

    def __init__(self, objectives: Sequence[str], config: Config) -> None:
        super().__init__(objectives)
        self._config = config
        self._weights = [1.0] * len(objectives)

    def reward(self, scores: GroupScores, weights: Floats) -> Floats:
        del weights
        found: Floats = scores.logs.astype(np.float64) @ np.array(self._weights)
        if self._config.fault == "shape":
            return found[:-1]
        if self._config.fault == "nan":
            return found * np.nan
        if self._config.fault == "raises":
            raise ZeroDivisionError
        return found

    def observe(self, feedback: Feedback) -> None:
        if feedback.validation_means is not None:
            self._weights = [
                weight * float(np.exp(self._config.rate * (1 - mean)))
                for weight, mean in zip(self._weights, feedback.validation_means, strict=True)
            ]

    def weights_now(self) -> Weights:
        return tuple(self._weights)

    def state(self) -> dict[str, Any]:
        return {"weights": self._weights}

    def restore(self, state: dict[str, Any]) -> None:
        self._weights = [float(weight) for weight in state["weights"]]


class KIND:
    """What a setting names."""

    Config = Config

    @staticmethod
    def load(config: Any, objectives: Sequence[str]) -> Tilting:
        return Tilting(objectives, config)
