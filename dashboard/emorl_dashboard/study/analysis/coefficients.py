"""Coefficients of agreement as functions of sums over items.

Sums add up over items, and so over resamples of items: the ``*_of`` functions take such sums with
any leading axes and compute a thousand bootstrap resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emorl.errors import StudyError

Floats = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval", "ratio"]
Weighting = Literal["quadratic", "linear", "ordinal", "identity"]


def category_counts(table: Floats, values: Floats) -> Floats:
    """Count each item's ratings per category.

    Args:
        table: ``(n_annotators, n_items)``, NaN = missing.
        values: Categories, ``(n_categories,)``.

    Returns:
        ``(n_items, n_categories)``.
    """
    counts: Floats = (table[:, :, None] == values).sum(axis=0).astype(np.float64)
    return counts


def coincidences(counts: Floats) -> Floats:
    """Return every item's coincidence matrix: its ordered pairs of ratings, each / (m - 1).

    Args:
        counts: ``(n_items, n_categories)``; items with m < 2 ratings give zeros.

    Returns:
        ``(n_items, n_categories, n_categories)``.
    """
    n_ratings = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs -= np.eye(counts.shape[1]) * counts[:, :, None]
    usable = n_ratings >= 2
    found: Floats = (
        pairs * np.where(usable, 1 / np.where(usable, n_ratings - 1, 1), 0.0)[:, None, None]
    )
    return found


def alpha_of(coincidence: Floats, values: Floats, level: Level) -> Floats:
    """Return alpha of summed coincidence matrices ``(..., n_categories, n_categories)``."""
    if level not in _DISTANCES:
        raise StudyError(f"level must be one of {', '.join(_DISTANCES)}, got {level!r}.")
    marginals = coincidence.sum(axis=-1)
    total = marginals.sum(axis=-1)
    distance = _DISTANCES[level](marginals, values)
    observed = (coincidence * distance).sum(axis=(-2, -1))
    expected = (marginals[..., :, None] * marginals[..., None, :] * distance).sum(axis=(-2, -1))
    return 1 - ratio(observed * (total - 1), expected)


def kappa_of(confusion: Floats, weights: Weighting) -> Floats:
    """Return weighted kappa of tables of counts ``(..., n_categories, n_categories)``."""
    disagreement = 1 - agreement_weights(confusion.shape[-1], weights)
    total = confusion.sum(axis=(-2, -1))
    by_chance = confusion.sum(axis=-1)[..., :, None] * confusion.sum(axis=-2)[..., None, :]
    observed = (confusion * disagreement).sum(axis=(-2, -1)) * total
    return 1 - ratio(observed, (by_chance * disagreement).sum(axis=(-2, -1)))


def weighted_agreement(counts: Floats, weights: Weighting) -> tuple[Floats, Floats]:
    """Return each item's agreement (0 to 1), and 1 where it has two ratings, else 0 and 0."""
    n_ratings = counts.sum(axis=1)
    alike = counts @ agreement_weights(counts.shape[1], weights)
    usable = n_ratings >= 2
    pairs = np.where(usable, n_ratings * (n_ratings - 1), 1)
    agreement = np.where(usable, (counts * (alike - 1)).sum(axis=1) / pairs, 0.0)
    return agreement, usable.astype(np.float64)


def category_shares(counts: Floats) -> tuple[Floats, Floats]:
    """Return each item's shares of categories ``(n_items, n_categories)``, and 1 where rated."""
    n_ratings = counts.sum(axis=1)
    return counts / np.maximum(n_ratings, 1)[:, None], (n_ratings > 0).astype(np.float64)


def ac2_of(
    agreement: Floats, n_pairs: Floats, shares: Floats, n_rated: Floats, weights: Weighting
) -> Floats:
    """Return AC2 of sums over items: agreement, items with pairs, shares, rated items."""
    n_categories = shares.shape[-1]
    if n_categories < 2:
        return np.full(np.shape(agreement), np.nan)
    spread = agreement_weights(n_categories, weights).sum() / (n_categories * (n_categories - 1))
    share = ratio(shares, np.asarray(n_rated)[..., None])
    by_chance = spread * (share * (1 - share)).sum(axis=-1)
    result: Floats = (ratio(agreement, n_pairs) - by_chance) / (1 - by_chance)
    return result


def agreement_weights(n_categories: int, weights: Weighting) -> Floats:
    """Return how much agreement each pair of categories is, ``(n_categories, n_categories)``.

    ``ordinal`` is Gwet's: one minus the pairs of categories between two, over the most.
    """
    if weights not in _WEIGHTINGS:
        raise StudyError(f"weights must be one of {', '.join(_WEIGHTINGS)}, got {weights!r}.")
    if n_categories < 2:
        return np.ones((n_categories, n_categories))
    places = np.arange(n_categories)
    return _WEIGHTINGS[weights](np.abs(places[:, None] - places).astype(np.float64))


def ratio(above: ArrayLike, below: ArrayLike) -> Floats:
    """Divide; nothing over nothing, and anything over nothing, is undefined: NaN."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    defined = below > 1e-12
    result: Floats = np.where(defined, above / np.where(defined, below, 1.0), np.nan)
    return result


def _ordinal_distance(marginals: Floats, _values: Floats) -> Floats:
    # Ranks: the ratings from one value to the other, counting half of those at both ends.
    middle = marginals.cumsum(axis=-1) - marginals / 2
    distance: Floats = (middle[..., :, None] - middle[..., None, :]) ** 2
    return distance


def _nominal_distance(_marginals: Floats, values: Floats) -> Floats:
    return 1.0 - np.eye(len(values))


def _interval_distance(_marginals: Floats, values: Floats) -> Floats:
    distance: Floats = (values[:, None] - values) ** 2
    return distance


def _ratio_distance(_marginals: Floats, values: Floats) -> Floats:
    sums = values[:, None] + values
    distance: Floats = ((values[:, None] - values) / np.where(sums == 0, 1.0, sums)) ** 2
    return distance


_DISTANCES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "nominal": _nominal_distance,
    "ordinal": _ordinal_distance,
    "interval": _interval_distance,
    "ratio": _ratio_distance,
}


def _ordinal_weights(steps: Floats) -> Floats:
    pairs = (steps + 1) * steps / 2
    weights: Floats = 1 - pairs / pairs.max()
    return weights


_WEIGHTINGS: dict[str, Callable[[Floats], Floats]] = {
    "quadratic": lambda steps: 1 - (steps / steps.max()) ** 2,
    "linear": lambda steps: 1 - steps / steps.max(),
    "ordinal": _ordinal_weights,
    "identity": lambda steps: (steps == 0).astype(np.float64),
}
