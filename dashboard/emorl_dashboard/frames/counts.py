"""How many points a search has: the counts of all pages in one sentence, and what has no score."""

from __future__ import annotations

import pandas as pd

from emorl_dashboard.frames.numbers import counted
from emorl_dashboard.frames.weight_space import MEAN_REWARD, distinct_points

ZERO = "zero"
"""Kind of the point whose weights are all 0."""


def count_note(frame: pd.DataFrame) -> str:
    """Say how points, weight vectors and directions hang together; "" where they are as many.

    Args:
        frame: From ``weight_space.evaluation_frame``, a row per point.
    """
    distinct = distinct_points(frame)
    n_zero = int((distinct["kind"] == ZERO).sum())
    n_directions = frame.loc[frame["kind"] != ZERO, "direction_key"].nunique()
    if n_directions == len(frame):
        return ""
    zero = f", {n_zero} of them all 0," if n_zero else ""
    return (
        f"{counted(len(frame), 'point')}: {counted(len(distinct), 'different weight vector')}"
        f"{zero} on {counted(n_directions, 'direction')} from zero. A direction is one ensemble: "
        "all its points share a score."
    )


def not_a_number_note(frame: pd.DataFrame) -> str:
    """Say which points have scores that are not numbers, and what to do; "" without any."""
    n_missing = int(frame.loc[frame["kind"] != ZERO, MEAN_REWARD].isna().sum())
    if not n_missing:
        return ""
    return (
        f"{n_missing:,} of {counted(len(frame), 'point')} have scores that are not numbers: "
        "an objective gave none for their responses. They are left out of every figure. Mend the "
        "objective in the settings of the run, and search again under another name."
    )
