"""Means with their uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_and_error(scores: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean over prompts and its standard error, per objective.

    Args:
        scores: ``(n_prompts, n_objectives)``, at least one prompt.

    Returns:
        Means and standard errors: sample standard deviation / sqrt(prompts), 0 for one prompt.
    """
    n = len(scores)
    errors = scores.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(scores.shape[1])
    return tuple(scores.mean(axis=0).tolist()), tuple(errors.tolist())
