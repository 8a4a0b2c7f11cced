"""What is traded for what: the Pareto front of the evaluated directions, and its volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl.search.pareto import hypervolume, on_front
from emorl_dashboard.frames.filters import Filters
from emorl_dashboard.frames.numbers import spread, weights_text
from emorl_dashboard.frames.weight_space import MEAN_REWARD

Floats = NDArray[np.float64]

MOST_VOLUME = 3
"""Objectives up to which the hypervolume is exact."""


def trade_off_frame(frame: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Return each evaluated direction once, and whether another is better in every objective.

    Args:
        frame: From ``weight_space.evaluation_frame``; rows without scores are left out.
        objectives: All objectives of the run.

    Returns:
        The columns of ``frame`` and ``on_front``.
    """
    scored = frame[frame[MEAN_REWARD].notna()]
    distinct = scored.drop_duplicates("direction_key", ignore_index=True)
    return distinct.assign(on_front=on_front(distinct[list(objectives)].to_numpy(dtype=float)))


def exact_front(front: pd.DataFrame, objectives: Sequence[str], *, split: str) -> pd.DataFrame:
    """Spread the table ``front`` into named columns.

    Returns:
        ``w_<objective>``, ``<objective>``, ``mean_reward``, ``radius``, ``is_supported``,
        ``is_complete`` and ``weights_text``.
    """
    own = front[front["split"] == split]
    means = spread(own["means"], list(objectives))
    weights = spread(own["weights"], [f"w_{name}" for name in objectives])
    named = own[["radius", "is_supported", "is_complete"]]
    frame = pd.concat([weights, means, named], axis=1)
    frame[MEAN_REWARD] = means.mean(axis=1)
    frame["weights_text"] = [weights_text(row) for row in weights.to_numpy().tolist()]
    return frame.reset_index(drop=True)


def passing_rows(frame: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """Keep the rows whose scores reach the filters' lowest values."""
    keeps = pd.Series(True, index=frame.index)
    for name, least in filters.thresholds.items():
        keeps &= frame[name] >= least
    return frame[keeps].reset_index(drop=True)


def front_weights(frame: pd.DataFrame, objectives: Sequence[str]) -> Floats:
    """Return the weights of ``exact_front``, ``(n_rows, n_objectives)``."""
    return _matrix(frame, [f"w_{name}" for name in objectives])


def stairs(frame: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Return the corners of the front of two objectives alone, from left to right.

    Returns:
        Columns ``x`` and ``y``: a line that everything shown lies on or below.
    """
    points = frame[[x, y]].dropna().to_numpy(dtype=float)
    points = points[on_front(points)]
    points = np.unique(points, axis=0)
    corners: list[tuple[float, float]] = []
    for own_x, own_y in points.tolist():
        if corners:
            corners.append((corners[-1][0], own_y))
        corners.append((own_x, own_y))
    return pd.DataFrame(corners, columns=["x", "y"], dtype=float)


def volume_note(
    frame: pd.DataFrame, exact: pd.DataFrame, objectives: Sequence[str], pair: Sequence[str]
) -> str:
    """Say how much the fronts dominate, of which objectives, and above what.

    Args:
        frame: From ``trade_off_frame``.
        exact: From ``exact_front``; may be empty.
        objectives: All objectives; beyond three, only ``pair`` is measured.
        pair: The two that are drawn.
    """
    own = list(objectives) if len(objectives) <= MOST_VOLUME else list(pair)
    origin = (0.0,) * len(own)
    told = f"Hypervolume {hypervolume(_matrix(frame, own), origin):.4f}"
    if not exact.empty:
        told += f", of the exact front {hypervolume(_matrix(exact, own), origin):.4f}"
    reference = ", ".join(["0"] * len(own))
    return f"{told} (of {', '.join(own)}; reference point {reference}; at most 1)."


def front_note(frame: pd.DataFrame, exact: pd.DataFrame) -> str:
    """Say how many directions are on the fronts."""
    n_front = int(frame["on_front"].sum())
    told = (
        f"{n_front:,} of {len(frame):,} evaluated directions are on the Pareto front: no other "
        "one is as good in every objective and better in one."
    )
    if exact.empty:
        return told
    whole = "" if bool(exact["is_complete"].all()) else " found within the budget"
    return f"{told} The atlas holds {len(exact):,} such trade-offs{whole}, over all weights."


def _matrix(frame: pd.DataFrame, names: Sequence[str]) -> Floats:
    matrix: Floats = frame[list(names)].to_numpy(dtype=float)
    return matrix
