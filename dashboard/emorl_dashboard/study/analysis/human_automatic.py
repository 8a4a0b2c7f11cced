"""What automatic scores know of human ratings, beside what one annotator knows of the others.

Three numbers per criterion. *Within-item tau-b* ranks the systems at each prompt: a metric that
only knows how hard a prompt is gets nothing here, however well it correlates over all responses.
*Pooled Spearman* is that correlation over all responses. *Pairwise accuracy* counts the pairs of
responses to a prompt that are ordered, or tied, as by people. Systems are few: a correlation of
their means proves nothing, and is not given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.analysis.bootstrap import Resamples, Statistic, estimate, undefined
from emorl_dashboard.study.analysis.cells import groups, in_order
from emorl_dashboard.study.analysis.coefficients import ratio

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

TAU, RHO, ACCURACY = "within-item tau-b", "pooled Spearman rho", "pairwise accuracy"
AUTOMATIC_ALL = "automatic vs all annotators"
AUTOMATIC_OTHERS = "automatic vs the others"
HUMAN_OTHERS = "one annotator vs the others"
"""The ceiling: an annotator against the mean of the others; beside it stands the automatic score
against the very same means."""

COLUMNS = (
    "criterion",
    "data_set",
    "statistic",
    "comparison",
    "value",
    "low",
    "high",
    "n_items",
    "n_responses",
    "note",
)
_N_THRESHOLDS = 51
_FEW_VALUES = 32
_CHUNK = 125
"""Resamples at a time, so that their responses stay in the processor's cache."""


def human_automatic(
    ratings: pd.DataFrame, automatic: pd.DataFrame, resamples: Resamples
) -> pd.DataFrame:
    """Compare human ratings with automatic scores of the same responses, with ``COLUMNS``.

    Args:
        ratings: From ``cells.study_ratings``.
        automatic: Columns source_item, system, criterion, score; criteria without scores are
            left out.
        resamples: Of the same study.
    """
    scored = ratings.merge(automatic, on=["source_item", "system", "criterion"])
    scored = scored[scored["score"].notna()]
    rows: list[dict[str, object]] = []
    for criterion in in_order(scored["criterion"]):
        for data_set, part in groups(scored[scored["criterion"] == criterion], "data_set"):
            rows += [
                {"criterion": criterion, "data_set": data_set} | row
                for row in _rows(part, resamples)
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(part: pd.DataFrame, resamples: Resamples) -> Iterator[dict[str, object]]:
    once = part.drop_duplicates(["item_code", "annotator"]).sort_values(["item_code", "annotator"])
    slots = once.assign(slot=once.groupby("item_code").cumcount()).pivot(
        index="item_code", columns="slot", values="value"
    )
    raters = slots.to_numpy(dtype=np.float64).T
    first = once.drop_duplicates("item_code").set_index("item_code").loc[slots.index]
    places = resamples.places
    sources = np.asarray([places[item] for item in first["source_item"]], dtype=np.intp)
    score = first["score"].to_numpy(dtype=np.float64)
    everyone = np.nanmean(raters, axis=0)
    others = [_mean_of_others(raters, slot) for slot in range(len(raters))]
    comparisons = {
        AUTOMATIC_ALL: [(everyone, score)],
        AUTOMATIC_OTHERS: [(target, score) for target in others],
        HUMAN_OTHERS: list(zip(others, raters, strict=True)),
    }
    for name, make in ((TAU, _tau), (RHO, _rho), (ACCURACY, _accuracy)):
        for comparison, sides in comparisons.items():
            yield {"statistic": name, "comparison": comparison} | _estimated(
                make, sides, sources, resamples
            )


def _mean_of_others(raters: Floats, slot: int) -> Floats:
    """Return each response's mean rating by all but one annotator; NaN where nobody is left."""
    rest = np.delete(raters, slot, axis=0)
    rest = np.where(np.isnan(raters[slot]), np.nan, rest)
    return ratio(np.nansum(rest, axis=0), (~np.isnan(rest)).sum(axis=0))


def _estimated(
    make: Callable[[Floats, Floats, Places, int], Statistic | None],
    sides: list[tuple[Floats, Floats]],
    sources: Places,
    resamples: Resamples,
) -> dict[str, object]:
    n_sources = len(resamples.items)
    statistics, used = [], np.zeros(len(sources), dtype=bool)
    for human, other in sides:
        known = ~(np.isnan(human) | np.isnan(other))
        made = make(human[known], other[known], sources[known], n_sources)
        if made is not None:
            statistics.append(made)
            used |= known
    active = np.zeros(n_sources, dtype=bool)
    active[sources[used]] = True
    if statistics:
        found = estimate(
            lambda draws: np.mean([one(draws) for one in statistics], axis=0), resamples, active
        )
    else:
        found = undefined(
            "Undefined: it needs responses with two annotators, and prompts at which both sides "
            "differ."
        )
    return found.columns() | {
        "n_items": found.n_items,
        "n_responses": int(used.sum()),
        "note": found.note,
    }


def _pairs(sources: Places) -> tuple[Places, Places]:
    """Return the two ends of all pairs of responses to one source item."""
    order = np.argsort(sources, kind="stable")
    firsts, seconds = [], []
    for members in np.split(order, np.flatnonzero(np.diff(sources[order])) + 1):
        first, second = _triangle(len(members))
        firsts.append(members[first])
        seconds.append(members[second])
    return np.concatenate(firsts).astype(np.intp), np.concatenate(seconds).astype(np.intp)


@lru_cache(maxsize=64)
def _triangle(n_members: int) -> tuple[Places, Places]:
    return np.triu_indices(n_members, 1)


def _tau(human: Floats, other: Floats, sources: Places, n_sources: int) -> Statistic | None:
    """Make the mean over source items of Kendall's tau-b of the responses to each.

    Source items at which one side ties all responses have no tau and do not count.
    """
    if not len(human):
        return None
    first, second = _pairs(sources)
    by_human = np.sign(human[first] - human[second])
    by_other = np.sign(other[first] - other[second])
    at = sources[first]

    def total(values: Floats) -> Floats:
        return np.bincount(at, values, minlength=n_sources).astype(np.float64)

    untied = np.sqrt(total(np.abs(by_human)) * total(np.abs(by_other)))
    tau = ratio(total(by_human * by_other), untied)
    defined = ~np.isnan(tau)
    if not defined.any():
        return None
    filled, counted = np.where(defined, tau, 0.0), defined.astype(np.float64)
    return lambda draws: ratio(draws @ filled, draws @ counted)


def _rho(human: Floats, other: Floats, sources: Places, n_sources: int) -> Statistic | None:
    """Make Spearman's rho over all responses; ranks are those within each resample."""
    if len(human) < 3 or np.ptp(human) == 0 or np.ptp(other) == 0:
        return None
    n_values = len(np.unique(other))
    make = _rho_of_few if n_values <= _FEW_VALUES else _rho_of_many
    return make(human, other, sources, n_sources)


def _rho_of_few(human: Floats, other: Floats, sources: Places, n_sources: int) -> Statistic:
    """Make rho from the table of how often each pair of values occurs at each source item."""
    of_human, of_other = (np.unique(side, return_inverse=True)[1] for side in (human, other))
    shape = (of_human.max() + 1, of_other.max() + 1)
    table = np.zeros((n_sources, *shape))
    np.add.at(table, (sources, of_human, of_other), 1.0)
    flat = table.reshape(n_sources, -1)

    def rho(draws: Floats) -> Floats:
        counts = (draws @ flat).reshape(-1, *shape)
        by_human, by_other = counts.sum(axis=2), counts.sum(axis=1)
        one, two = _middle_ranks(by_human), _middle_ranks(by_other)
        together = np.einsum("dab,da,db->d", counts, one, two)
        spread = (by_human * one**2).sum(axis=1) * (by_other * two**2).sum(axis=1)
        return ratio(together, np.sqrt(spread))

    return rho


def _rho_of_many(human: Floats, other: Floats, sources: Places, n_sources: int) -> Statistic:  # noqa: ARG001
    """Make rho with responses in the order of ``other``, so that ranks are running sums."""
    human_values, of_human = np.unique(human, return_inverse=True)
    order = np.argsort(other, kind="stable")
    is_value = (of_human[order, None] == np.arange(len(human_values))).astype(np.float64)
    starts = np.flatnonzero(np.diff(other[order], prepend=-np.inf))
    sizes_of = np.diff(np.append(starts, len(order)))
    sources = sources[order]

    def chunk(draws: Floats) -> Floats:
        weights = draws[:, sources]
        # Without ties every response is its own value: nothing to add up.
        is_tied = len(starts) < len(order)
        by_other = np.add.reduceat(weights, starts, axis=1) if is_tied else weights
        other_ranks = _middle_ranks(by_other)
        spread_other = np.einsum("dv,dv,dv->d", by_other, other_ranks, other_ranks)
        if is_tied:
            other_ranks = np.repeat(other_ranks, sizes_of, axis=1)
        by_human = weights @ is_value
        human_ranks = _middle_ranks(by_human)
        spread = spread_other * (by_human * human_ranks**2).sum(axis=1)
        other_ranks *= weights
        return ratio(((other_ranks @ is_value) * human_ranks).sum(axis=1), np.sqrt(spread))

    return lambda draws: np.concatenate(
        [chunk(draws[start : start + _CHUNK]) for start in range(0, len(draws), _CHUNK)]
    )


def _middle_ranks(sizes: Floats) -> Floats:
    """Return the rank that equal values share, from the middle of all ranks.

    They sum to zero over the responses.

    Args:
        sizes: How many responses have each value, rising, ``(n_draws, n_values)``.
    """
    ranks: Floats = np.cumsum(sizes, axis=1)
    middle = ranks[:, -1:] / 2
    ranks -= sizes / 2
    ranks -= middle
    return ranks


def _accuracy(human: Floats, other: Floats, sources: Places, n_sources: int) -> Statistic | None:
    """Make the share of pairs within source items that both sides order, or tie, alike.

    Scores that hardly differ count as a tie; how little is chosen, in every resample anew, so
    that the share is largest (tie calibration).

    Source:
        Deutsch, Foster and Freitag, "Ties Matter", EMNLP 2023: acc_eq with tie calibration.
    """
    if not len(human):
        return None
    first, second = _pairs(sources)
    if not len(first):
        return None
    wanted = np.sign(human[first] - human[second])
    gap = other[first] - other[second]
    thresholds = np.unique(
        np.append(np.quantile(np.abs(gap), np.linspace(0, 1, _N_THRESHOLDS)), 0)
    )
    told = np.where(np.abs(gap)[:, None] <= thresholds, 0.0, np.sign(gap)[:, None])
    alike = np.zeros((n_sources, len(thresholds)))
    np.add.at(alike, sources[first], (told == wanted[:, None]).astype(np.float64))
    n_pairs: Floats = np.bincount(sources[first], minlength=n_sources).astype(np.float64)
    return lambda draws: ratio((draws @ alike).max(axis=1), draws @ n_pairs)
