"""Intervals by resampling source items: all systems, ratings and annotators of a prompt together.

Ratings of one prompt are no independent witnesses: an easy prompt lifts every system. So whole
source items are drawn, within each data set, whose sizes the plan fixed. A statistic is a
function of *how often each source item counts*, for many draws at once; statistics that are made
of sums over source items then cost one matrix product for thousands of resamples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from emorl.errors import StudyError

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""How often each source item counts, ``(n_draws, n_items)``, to one number per draw."""
OpenStatistic = Callable[[Floats], tuple[Floats, Floats]]
"""Like ``Statistic``, to the least and the greatest number that each draw allows: equal where it
has an estimate, infinite on the side to which nothing bounds it."""

N_RESAMPLES = 2000
CONFIDENCE = 0.95
_LEAST_DEFINED = 0.9
"""Share of resamples in which a statistic must be defined for an interval to mean something."""
_EQUAL = 1e-12


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval; NaN where undefined, and then ``note`` says why.

    An end to which nothing bounds the number is infinite.
    """

    value: float
    low: float
    high: float
    n_items: int
    """Source items behind it."""
    note: str = ""

    def columns(self, name: str = "value") -> dict[str, object]:
        """Return the estimate as columns of a table."""
        ends = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
        return {name: self.value, ends[0]: self.low, ends[1]: self.high}


@dataclass(frozen=True, slots=True)
class Resamples:
    """Draws of source items with replacement, the same for every statistic of a study."""

    items: tuple[str, ...]
    """All source items, in the order of the columns."""
    counts: Floats
    """How often each was drawn, ``(n_resamples, n_items)``."""
    seed: int

    @property
    def places(self) -> dict[str, int]:
        """Return the column of each source item."""
        return {item: place for place, item in enumerate(self.items)}


def draw_resamples(
    items: Sequence[str],
    data_sets: Sequence[str],
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Resamples:
    """Draw source items with replacement, as many from each data set as it has.

    Args:
        items: Names of the source items, each once.
        data_sets: The data set of each.
        n_resamples: Draws.
        seed: The same seed and items give the same draws.

    Raises:
        StudyError: If fewer than one resample is asked for, or an item comes twice.
    """
    if n_resamples < 1 or len(set(items)) != len(items):
        raise StudyError(
            f"Need at least one resample of items that differ, got {n_resamples} resamples of "
            f"{len(items)} items, {len(set(items))} different. Name each source item once."
        )
    random = np.random.default_rng(seed)
    counts = np.zeros((n_resamples, len(items)))
    of = np.asarray(data_sets, dtype=object)
    for data_set in sorted(set(data_sets)):
        columns = np.flatnonzero(of == data_set)
        chances = np.full(len(columns), 1 / len(columns))
        counts[:, columns] = random.multinomial(len(columns), chances, size=n_resamples)
    return Resamples(tuple(items), counts, seed)


def estimate(statistic: Statistic, resamples: Resamples, active: NDArray[np.bool_]) -> Estimate:
    """Return a statistic with its 95 % BCa interval over source items.

    Args:
        statistic: From counts of source items to one number per row of counts.
        resamples: The draws.
        active: Which source items have any data for this statistic, ``(n_items,)``.

    Source:
        Efron, "Better bootstrap confidence intervals", JASA 82, 1987: bias-corrected and
        accelerated percentiles; the acceleration is that of the jackknife over source items.
    """
    n_items = int(active.sum())
    everything = np.ones((1, len(active)))
    value = float(statistic(everything)[0])
    if not math.isfinite(value):
        return Estimate(math.nan, math.nan, math.nan, n_items)
    if n_items < 2:
        return _without_interval(value, n_items, "one source item alone has no spread")
    drawn = statistic(resamples.counts)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < _LEAST_DEFINED * len(resamples.counts):
        share = 100 * (1 - len(drawn) / len(resamples.counts))
        why = f"undefined in {share:.0f} % of the resamples, too few source items disagree"
        return _without_interval(value, n_items, why)
    if np.ptp(drawn) < _EQUAL:
        return _without_interval(value, n_items, "every source item shows the same")
    left_out = everything - np.eye(len(active))[active]
    low, high = _bca(value, drawn, statistic(left_out))
    return Estimate(value, low, high, n_items)


def open_estimate(
    statistic: OpenStatistic, resamples: Resamples, active: NDArray[np.bool_]
) -> Estimate:
    """Return a statistic that not every resample bounds, with its 95 % BCa interval.

    An end of the interval is infinite where more than 2.5 % of the resamples have no finite
    estimate on that side, or as many as lie beyond the end.

    Args:
        statistic: Finite for the source items as they are.
        resamples: The draws.
        active: Which source items have any data for this statistic, ``(n_items,)``.
    """
    n_items = int(active.sum())
    everything = np.ones((1, len(active)))
    value = float(statistic(everything)[0][0])
    if n_items < 2:
        return _without_interval(value, n_items, "one source item alone has no spread")
    least, greatest = (np.sort(ends) for ends in statistic(resamples.counts))
    if greatest[-1] - least[0] < _EQUAL:
        return _without_interval(value, n_items, "every source item shows the same")
    left_out = statistic(everything - np.eye(len(active))[active])[0]
    shares = _bca_shares(value, np.concatenate([least, greatest]), left_out)
    last = len(least) - 1
    low = min(value, float(least[math.floor(shares[0] * last)]))
    high = max(value, float(greatest[math.ceil(shares[1] * last)]))
    unbounded = (float(np.isneginf(least).mean()), float(np.isposinf(greatest).mean()))
    told = []
    for place, (side, share) in enumerate(zip(("lower", "upper"), unbounded, strict=True)):
        if share > (1 - CONFIDENCE) / 2 or math.isinf((low, high)[place]):
            told.append(f"No {side} bound: {100 * share:.0f} % of the resamples have none.")
    low = -math.inf if unbounded[0] > (1 - CONFIDENCE) / 2 else low
    high = math.inf if unbounded[1] > (1 - CONFIDENCE) / 2 else high
    return Estimate(value, low, high, n_items, " ".join(told))


def undefined(note: str, n_items: int = 0) -> Estimate:
    """Return no number, with the reason."""
    return Estimate(math.nan, math.nan, math.nan, n_items, note)


def _without_interval(value: float, n_items: int, why: str) -> Estimate:
    return Estimate(value, math.nan, math.nan, n_items, f"No interval: {why}.")


def _bca(value: float, drawn: Floats, left_out: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn, _bca_shares(value, drawn, left_out))
    return float(low), float(high)


def _bca_shares(value: float, drawn: Floats, left_out: Floats) -> list[float]:
    """Return below which shares of the drawn values the ends of the interval lie."""
    below = (drawn < value - _EQUAL).mean() + (np.abs(drawn - value) <= _EQUAL).mean() / 2
    edge = 0.5 / len(drawn)
    bias = float(ndtri(min(max(float(below), edge), 1 - edge)))
    left_out = left_out[np.isfinite(left_out)]
    pull = left_out.mean() - left_out if len(left_out) else left_out
    spread = float((pull**2).sum())
    acceleration = float((pull**3).sum() / (6 * spread**1.5)) if spread > _EQUAL else 0.0
    ends = []
    for share in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2):
        shifted = bias + float(ndtri(share))
        ends.append(float(ndtr(bias + shifted / (1 - acceleration * shifted))))
    return ends
