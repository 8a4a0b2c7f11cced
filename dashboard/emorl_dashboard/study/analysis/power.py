"""How small a difference a planned study can still find."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from emorl.errors import StudyError
from emorl_dashboard.study.analysis.latent import PLANNED, cuts, expected_rating
from emorl_dashboard.study.analysis.signed_rank import signed_rank_test

Floats = NDArray[np.float32]

_N_HALVINGS = 12
_LARGEST_SHIFT = 6.0
"""In standard deviations of an impression: all of one system's ratings are the lowest level and
all of the other's the highest."""


def minimal_detectable_difference(
    *,
    n_items: int,
    n_annotators_per_item: int,
    n_systems: int,
    scale: tuple[int, int] = (0, 2),
    power: float = 0.8,
    alpha: float = 0.05,
    n_simulations: int = 400,
    seed: int = 0,
) -> float:
    """Return the smallest difference of two systems' mean ratings that the study would find.

    Studies are simulated with the model of ``analysis.latent`` and tested as the analysis does:
    Wilcoxon's signed-rank test of the two systems' differences at every source item. All pairs
    of systems make one family; the level is that of Holm's first step, ``alpha / n_pairs``, so
    that the difference is found whatever the other pairs show.

    Args:
        n_items: Source items (prompts) that every system answers; at least 2.
        n_annotators_per_item: Ratings of every response.
        n_systems: Systems in the study; at least 2.
        scale: Lowest and highest value of the scale.
        power: Wanted chance to find the difference, between 0 and 1.
        alpha: Chance of a false finding in the whole family.
        n_simulations: Simulated studies per candidate difference.
        seed: Of the simulation; the same arguments give the same answer.

    Returns:
        A difference in points of the scale; infinite when not even the whole scale would do.

    Raises:
        StudyError: If an argument is out of range.
    """
    _check(n_items, n_annotators_per_item, n_systems, scale, power, alpha)
    n_levels = scale[1] - scale[0] + 1
    n_pairs = math.comb(n_systems, 2)
    shape = (n_simulations, n_items, n_annotators_per_item)
    one, other = _impressions(shape, seed)
    thresholds = cuts(n_levels).astype(np.float32)

    def found(shift: float) -> float:
        differences = _mean_ratings(other + np.float32(shift / 2), thresholds) - _mean_ratings(
            one - np.float32(shift / 2), thresholds
        )
        balance, p_value = signed_rank_test(differences)
        is_ahead = (balance > 0) & (differences.mean(axis=1) > 0)
        return float((is_ahead & (p_value < alpha / n_pairs)).mean())

    if found(_LARGEST_SHIFT) < power:
        return math.inf
    low, high = 0.0, _LARGEST_SHIFT
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= power else (middle, high)
    return expected_rating(high / 2, n_levels) - expected_rating(-high / 2, n_levels)


def _impressions(shape: tuple[int, int, int], seed: int) -> tuple[Floats, Floats]:
    """Draw the impressions of two equal systems, each ``(n_simulations, n_items, n_raters)``."""
    random = np.random.default_rng(seed)

    def part(variance: float, *size: int) -> Floats:
        drawn: Floats = random.standard_normal(size, dtype=np.float32)
        return drawn * np.float32(math.sqrt(variance))

    n_simulations, n_items, _ = shape
    prompt = part(PLANNED.prompt, n_simulations, n_items, 1)
    one, other = (
        prompt + part(PLANNED.response, n_simulations, n_items, 1) + part(PLANNED.rater, *shape)
        for _ in range(2)
    )
    return one, other


def _mean_ratings(impressions: Floats, thresholds: Floats) -> Floats:
    """Cut impressions into levels and average over raters: ``(n_simulations, n_items)``."""
    total = np.zeros(impressions.shape, dtype=np.float32)
    for threshold in thresholds:
        total += impressions > threshold
    mean: Floats = total.mean(axis=2)
    return mean


def _check(
    n_items: int,
    n_annotators_per_item: int,
    n_systems: int,
    scale: tuple[int, int],
    power: float,
    alpha: float,
) -> None:
    if n_items < 2 or n_annotators_per_item < 1 or n_systems < 2:
        raise StudyError(
            f"A comparison needs at least 2 source items, 1 rating each and 2 systems; got "
            f"{n_items}, {n_annotators_per_item} and {n_systems}. Plan a larger study."
        )
    if scale[1] <= scale[0]:
        raise StudyError(
            f"A scale rises from its lowest to its highest value, got {scale}. Give two levels."
        )
    if not (0 < power < 1 and 0 < alpha < 1):
        raise StudyError(
            f"Power and alpha lie between 0 and 1, got {power} and {alpha}. Usual: 0.8 and 0.05."
        )
