"""One set of filters for all views of weight space: on evaluated points and on fields alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl.records import OWN_SEARCH
from emorl_dashboard.frames.weight_space import MEAN_REWARD

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

KINDS = {"measured": "measured", "shared": "shares a score", "zero": "all weights 0"}
"""Kind of an evaluation -> what pages call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to show."""

    up_to_round: int
    """Last round of the hierarchical search; other searches have none."""
    kinds: Sequence[str] = tuple(KINDS)
    searches: Sequence[str] | None = None
    """None: all."""
    at_least: Mapping[str, float] = field(default_factory=dict)
    """``mean_reward`` or an objective -> lowest value; 0 keeps all."""

    @property
    def thresholds(self) -> dict[str, float]:
        """The lowest values that leave anything out."""
        return {name: least for name, least in self.at_least.items() if least > 0}


def shown_points(frame: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """Return the rows of ``weight_space.evaluation_frame`` that pass.

    The zero vector has no score: it passes only while no score is asked for.
    """
    keeps = (frame["round"] <= filters.up_to_round) | (frame["search"] != OWN_SEARCH)
    keeps &= frame["kind"].isin(list(filters.kinds))
    if filters.searches is not None:
        keeps &= frame["search"].isin(list(filters.searches))
    for name, least in filters.thresholds.items():
        keeps &= frame[name] >= least
    return frame[keeps].reset_index(drop=True)


def passing(means: Floats, objectives: Sequence[str], filters: Filters) -> Booleans:
    """Tell which rows of objective means reach all lowest values; NaN reaches none.

    Args:
        means: ``(n_rows, n_objectives)``.
        objectives: Names of the columns.
        filters: Only the lowest values count: a field has no rounds and no kinds.

    Returns:
        ``(n_rows,)``.
    """
    passes = np.ones(len(means), dtype=bool)
    for name, least in filters.thresholds.items():
        passes &= value_of(means, objectives, name) >= least
    return passes


def value_of(means: Floats, objectives: Sequence[str], value: str) -> Floats:
    """Return the mean reward or one objective of each row, ``(n_rows,)``."""
    if value == MEAN_REWARD:
        over_all: Floats = means.mean(axis=1)
        return over_all
    own: Floats = means[:, list(objectives).index(value)]
    return own


def filter_note(filters: Filters, n_shown: int, n_all: int) -> str:
    """Say what the filters leave out; "" when it is nothing."""
    if n_shown == n_all and not filters.thresholds:
        return ""
    least = [
        f"{name.replace('_', ' ')} ≥ {value:.3f}" for name, value in filters.thresholds.items()
    ]
    told = f"{n_shown:,} of {n_all:,} points pass the filters"
    return f"{told} ({', '.join(least)})." if least else f"{told}."
