"""Intervals that have no end on a side, in a picture that has one."""

from __future__ import annotations

import numpy as np
import pandas as pd


def inside_picture(
    rows: pd.DataFrame, x_range: tuple[float, float] | None
) -> tuple[pd.DataFrame, tuple[float, float] | None]:
    """Let infinite ends lie beyond the axis, whose ends are then fixed around the finite ones.

    Args:
        rows: With the columns value, low and high.
        x_range: Ends of the axis, if they are fixed already.
    """
    numbers = rows[["value", "low", "high"]].to_numpy(dtype=np.float64)
    if not np.isinf(numbers).any():
        return rows, x_range
    finite = numbers[np.isfinite(numbers)]
    margin = 0.15 * max(float(np.ptp(finite)), 1.0)
    low, high = x_range or (float(finite.min()) - margin, float(finite.max()) + margin)
    ends = {"low": -np.inf, "high": np.inf}
    beyond = {"low": low - margin, "high": high + margin}
    return rows.assign(
        **{name: rows[name].replace(end, beyond[name]) for name, end in ends.items()}
    ), (low, high)
