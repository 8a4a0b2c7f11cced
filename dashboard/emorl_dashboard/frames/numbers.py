"""Numbers as the pages write them, and score columns by name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

MISSING = "–"  # noqa: RUF001 - an en dash stands for "no number" in every table


def score_text(score: float | None, error: float | None = None) -> str:
    """Write a score with its standard error: ``0.932 ± 0.012``."""
    if score is None or not math.isfinite(score):
        return MISSING
    if error is None or not math.isfinite(error):
        return f"{score:.3f}"
    return f"{score:.3f} ± {error:.3f}"


def weight_text(weight: float) -> str:
    """Write a weight as short as it is exact to 5 decimals: ``0.03125``, ``1``."""
    return f"{weight:.5f}".rstrip("0").rstrip(".")


def weights_text(weights: Sequence[float]) -> str:
    """Write a weight vector as the URL holds it: ``0.94,0.5,0``."""
    return ",".join(weight_text(weight) for weight in weights)


def counted(n: int, thing: str) -> str:
    """Write how many there are of a thing: ``1 point``, ``1,024 points``."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def duration_text(seconds: float) -> str:
    """Write a duration in the two units that matter: ``3 min 20 s``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def spread(column: pd.Series, names: Sequence[str]) -> pd.DataFrame:
    """Turn a column of lists (in order of ``names``) into one column per name; None gives NaN."""
    rows = [
        np.full(len(names), np.nan) if values is None else np.asarray(values, dtype=float)
        for values in column
    ]
    matrix = np.vstack(rows) if rows else np.empty((0, len(names)))
    return pd.DataFrame(matrix, columns=list(names), index=column.index)


def mean_reward_error(scores: pd.DataFrame, prompts: pd.Series) -> float:
    """Return the standard error over prompts of the mean reward.

    Args:
        scores: One row per response, one column per objective.
        prompts: Prompt of each row; several responses to one prompt are averaged first.

    Returns:
        Standard deviation / sqrt(prompts); NaN for fewer than two prompts.
    """
    per_prompt = scores.mean(axis=1).groupby(prompts).mean()
    if len(per_prompt) < 2:
        return math.nan
    return float(per_prompt.std(ddof=1) / math.sqrt(len(per_prompt)))
