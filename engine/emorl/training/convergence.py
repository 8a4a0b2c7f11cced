"""When training has converged (EMORL, section 5.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def has_converged(means: Sequence[float], window: int, threshold: float) -> bool:
    """Say whether the last ``window`` validation means have stopped moving.

    Args:
        means: Mean validation reward of the own objective, oldest first, in [0, 1].
        window: Number of validations that count, at least 2.
        threshold: Largest ratio of standard deviation (population) to mean.

    Returns:
        False while there are fewer than ``window`` means, or where their mean is 0.
    """
    if len(means) < window:
        return False
    last = list(means)[-window:]
    mean = sum(last) / window
    if mean <= 0:
        return False
    deviation = math.sqrt(sum((value - mean) ** 2 for value in last) / window)
    return deviation / mean < threshold
