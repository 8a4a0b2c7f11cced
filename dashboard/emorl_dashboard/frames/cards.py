"""A run on one card: what it found, how it got there, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from emorl.records import OWN_SEARCH
from emorl.runs.cost import Cost, Usage
from emorl_dashboard.frames.numbers import duration_text, score_text, weight_text
from emorl_dashboard.frames.weight_space import MEAN_REWARD, Point, best_point, evaluation_frame

HISTORY_POINTS = 60
"""A sparkline has no more points than its pixels can show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCard:
    """A run at a glance; scores are those of the aggregation split."""

    n_points: int
    """Rows of the searches, as the page Weight space lists them."""
    best: Point | None
    mean_reward_se: float
    """Over prompts; NaN without the responses behind the best."""
    history: tuple[float, ...]
    """Best mean reward so far, over the evaluations in order; thinned."""
    cost: Cost

    @property
    def best_reward(self) -> float:
        """Return the best mean reward; NaN without evaluations."""
        return self.best.mean_reward if self.best else float("nan")


def best_row(evaluations: pd.DataFrame, objectives: Sequence[str]) -> Point | None:
    """Return the best point of the table ``evaluations`` without spreading all its rows."""
    scored = evaluations[evaluations[MEAN_REWARD].notna()]
    if scored.empty:
        return None
    top = scored[scored[MEAN_REWARD] == scored[MEAN_REWARD].max()]
    return best_point(evaluation_frame(top, objectives), objectives)


def history(evaluations: pd.DataFrame) -> tuple[float, ...]:
    """Return the best mean reward so far of the run's own search, in order of evaluation.

    Args:
        evaluations: The table ``evaluations``; rows without a score are passed over.

    Returns:
        At most ``HISTORY_POINTS`` values, first and last among them.
    """
    own = evaluations[evaluations["search"] == OWN_SEARCH]
    ordered = own.sort_values(["round", "point"])[MEAN_REWARD].dropna()
    best = ordered.cummax().to_numpy()
    if len(best) > HISTORY_POINTS:
        best = best[np.linspace(0, len(best) - 1, HISTORY_POINTS).astype(int)]
    return tuple(float(value) for value in best)


def cost_text(name: str, used: Usage) -> str:
    """Write one way of counting in a line: ``parallel: 1,234 data points, 3 min 20 s``."""
    return f"{name}: {used.data_points:,} data points, {duration_text(used.seconds)}"


def objective_lines(best: Point | None, objectives: Sequence[str]) -> list[str]:
    """Write each objective with its best weight and score; without a best, its name alone."""
    if best is None:
        return list(objectives)
    return [
        f"{name}: weight {weight_text(weight)}, score {score_text(score, error)}"
        for name, weight, score, error in zip(
            objectives, best.weights, best.scores, best.standard_errors, strict=True
        )
    ]
