"""How far annotators agree: percent exact, Krippendorff's alpha, weighted kappa, Gwet's AC2.

Ratings are ``(n_annotators, n_items)`` with NaN where an annotator did not rate an item. The
formulas are in ``analysis.coefficients``; intervals in ``analysis.agreement_table``.

A coefficient that the data leave undefined is NaN here; ``why_undefined`` says why in words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from emorl.errors import StudyError
from emorl_dashboard.study.analysis.coefficients import (
    Floats,
    Level,
    Weighting,
    ac2_of,
    alpha_of,
    category_counts,
    category_shares,
    coincidences,
    kappa_of,
    ratio,
    weighted_agreement,
)


def krippendorff_alpha(ratings: ArrayLike, *, level: Level = "ordinal") -> float:
    """Return Krippendorff's alpha: 1 - observed / expected disagreement.

    Args:
        ratings: ``(n_annotators, n_items)``, NaN = missing. Items with one rating do not count.
        level: Level of measurement. ``ordinal`` measures distance by ranks: how many ratings lie
            between two values, not by how much they differ.

    Returns:
        1 for perfect agreement, 0 for chance; NaN without two ratings of one item, or when all
        ratings are the same, which leaves no disagreement to expect.

    Raises:
        StudyError: If ``ratings`` is no table or ``level`` is unknown.

    Source:
        Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011; equations for
        incomplete data and the four metrics.
    """
    table = _table(ratings)
    values = _values(table)
    counts = category_counts(table, values)
    return float(alpha_of(coincidences(counts).sum(axis=0), values, level))


def weighted_kappa(
    ratings: ArrayLike,
    *,
    weights: Weighting = "quadratic",
    categories: Sequence[float] | None = None,
) -> float:
    """Return Cohen's weighted kappa of two annotators.

    Args:
        ratings: ``(2, n_items)``, NaN = missing; items that only one of them rated do not count.
        weights: How much a disagreement counts: by its square or its size in categories.
        categories: All values of the scale, rising; by default those that occur.

    Returns:
        1 for perfect agreement, 0 for chance; NaN without a shared item, or when both gave one
        and the same value throughout.

    Raises:
        StudyError: If there are not exactly two annotators, or a rating is off the scale.

    Source:
        Cohen, "Weighted kappa", Psychological Bulletin 70, 1968.
    """
    table = _table(ratings)
    if len(table) != 2:
        raise StudyError(
            f"Kappa compares two annotators, got ratings of {len(table)}. Pass two rows, or use "
            "krippendorff_alpha or gwet_ac2 for more."
        )
    values = _values(table, categories)
    one, other = (_indicators(row, values) for row in table)
    return float(kappa_of(np.einsum("ia,ib->ab", one, other), weights))


def gwet_ac2(
    ratings: ArrayLike,
    *,
    weights: Weighting = "quadratic",
    categories: Sequence[float] | None = None,
) -> float:
    """Return Gwet's AC2, which skewed ratings do not push towards zero as they push kappa.

    Args:
        ratings: ``(n_annotators, n_items)``, NaN = missing.
        weights: How much a partial agreement counts; ``identity`` gives AC1.
        categories: All values of the scale, rising; by default those that occur. Give them: the
            agreement by chance depends on how many there are.

    Returns:
        1 for perfect agreement, 0 for chance; NaN without two ratings of one item, or with a
        single category.

    Raises:
        StudyError: If ``ratings`` is no table, or a rating is off the scale.

    Source:
        Gwet, "Handbook of Inter-Rater Reliability", 4th edition, 2014, chapters 3 and 5.
    """
    table = _table(ratings)
    values = _values(table, categories)
    counts = category_counts(table, values)
    agreement, pairs = weighted_agreement(counts, weights)
    shares, n_rated = category_shares(counts)
    return float(ac2_of(agreement.sum(), pairs.sum(), shares.sum(axis=0), n_rated.sum(), weights))


def percent_exact(ratings: ArrayLike) -> float:
    """Return the share of pairs of ratings of one item that are equal, averaged over items.

    Args:
        ratings: ``(n_annotators, n_items)``, NaN = missing.

    Returns:
        0 to 1; NaN without two ratings of one item.
    """
    table = _table(ratings)
    agreement, pairs = weighted_agreement(category_counts(table, _values(table)), "identity")
    return float(ratio(agreement.sum(), pairs.sum()))


def why_undefined(ratings: ArrayLike) -> str:
    """Say in a sentence why coefficients corrected for chance are undefined; "" if they are not.

    Args:
        ratings: ``(n_annotators, n_items)``, NaN = missing.
    """
    table = _table(ratings)
    n_ratings = (~np.isnan(table)).sum(axis=0)
    if not n_ratings.any():
        return "Nobody has rated here yet."
    if (n_ratings < 2).all():
        n_raters = int((~np.isnan(table)).any(axis=1).sum())
        who = "One annotator alone has rated" if n_raters == 1 else "No item has two ratings"
        return f"{who}: agreement needs two ratings of the same item."
    shared = table[:, n_ratings >= 2]
    values = _values(shared)
    if len(values) == 1:
        # Which value it is says how good a system is, and this is read before unblinding.
        return (
            "Unanimous: all ratings are the same. They agree fully, but chance cannot be told "
            "from skill: no variation to agree on."
        )
    return ""


def _table(ratings: ArrayLike) -> Floats:
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2:
        raise StudyError(
            f"Ratings are a table (n_annotators, n_items) with NaN where one is missing, got the "
            f"shape {table.shape}. Put one annotator in each row."
        )
    return table


def _values(table: Floats, categories: Sequence[float] | None = None) -> Floats:
    found: Floats = np.unique(table[~np.isnan(table)])
    if categories is None:
        return found
    values = np.asarray(categories, dtype=np.float64)
    strange = np.setdiff1d(found, values)
    if len(strange) or (np.diff(values) <= 0).any():
        raise StudyError(
            f"The ratings {strange.tolist()} are not on the scale {values.tolist()}, or it does "
            "not rise. Pass all values of the scale in rising order."
        )
    return values


def _indicators(row: Floats, values: Floats) -> Floats:
    """Return 1 at each item's category, ``(n_items, n_categories)``; zeros where missing."""
    found: Floats = (row[:, None] == values).astype(np.float64)
    return found
