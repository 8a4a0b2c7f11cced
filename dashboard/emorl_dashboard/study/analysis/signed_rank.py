"""Wilcoxon's signed-rank test of paired differences: which way it points, and how surely.

Few differences are tested exactly, over all ways to give them signs, with the zeros and ties that
they have: five differences of one sign have p = 0.0625, and the normal approximation, by which
many are tested, would say 0.04.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

Floats = NDArray[np.float64]

EXACT_UP_TO = 25
"""Differences other than zero; above, the approximation is close."""
_EQUAL_DIGITS = 6
"""Means of ratings that differ by less are equal: 1 - 2/3 is 2/3 - 1/3."""


class SignedRanks(NamedTuple):
    """The test of each row of differences."""

    balance: Floats
    """Share of the ranks with positive differences less that with negative, -1 to 1: the way the
    test points. NaN when all differences are zero."""
    p_value: Floats
    """Two-sided; NaN when all differences are zero."""


def signed_rank_test(differences: NDArray[np.floating]) -> SignedRanks:
    """Test whether paired differences lie around zero, for many data sets at once.

    Args:
        differences: ``(n_rows, n_items)``, none NaN.

    Source:
        Pratt, "Remarks on zeros and ties in the Wilcoxon signed rank procedures", JASA 54, 1959:
        zeros are ranked and then dropped. Approximation: variance corrected for ties as in SciPy.
    """
    rounded = np.round(np.asarray(differences, dtype=np.float64), _EQUAL_DIGITS)
    sizes = np.abs(rounded)
    lowest, highest = (rankdata(sizes, method=end, axis=1) for end in ("min", "max"))
    # Middle ranks are half numbers: doubled, every sum of them is a whole number.
    doubled = np.where(sizes == 0, 0, lowest + highest).astype(np.int64)
    ahead = (doubled * (rounded > 0)).sum(axis=1)
    total = doubled.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        balance = (2 * ahead - total) / total
        # Each rank is won or lost by a coin: the sum of ranks won has this variance.
        deviate = (ahead - total / 2) / np.sqrt((doubled.astype(np.float64) ** 2).sum(axis=1) / 4)
    p_value = 2 * norm.sf(np.abs(deviate))
    n_known = (doubled > 0).sum(axis=1)
    few = (n_known > 0) & (n_known <= EXACT_UP_TO)
    if few.any():
        p_value[few] = _exact(doubled[few], np.minimum(ahead, total - ahead)[few])
    return SignedRanks(balance, p_value)


def _exact(doubled: NDArray[np.int64], least: NDArray[np.int64]) -> Floats:
    """Return the chance of a sum of ranks as far from the middle, over all signs.

    Args:
        doubled: Doubled ranks, 0 where the difference is zero, ``(n_rows, n_items)``.
        least: The smaller of the sums of both signs, ``(n_rows,)``.
    """
    ranks = -np.sort(-doubled, axis=1)[:, :EXACT_UP_TO]
    sums = np.arange(int(least.max()) + 1)  # larger sums are never asked for
    chances = np.zeros((len(ranks), len(sums)))
    chances[:, 0] = 1.0
    for rank in ranks.T:
        before = sums - rank[:, None]
        moved = np.take_along_axis(chances, np.maximum(before, 0), axis=1)
        # A rank of zero is no coin: half stays, and half moves by nothing.
        chances = (chances + np.where(before >= 0, moved, 0.0)) / 2
    tail = np.where(sums <= least[:, None], chances, 0.0).sum(axis=1)
    p_value: Floats = np.minimum(1.0, 2 * tail)
    return p_value
