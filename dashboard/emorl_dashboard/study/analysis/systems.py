"""Systems compared: means, paired differences at every source item, rank clusters.

The family of tests is fixed by the plan, before any rating: within a criterion, all pairs of the
plan's systems over all data sets together, whatever could be tested in the end. Holm's step-down
keeps the chance of any false finding in a family at 5 %. Numbers by data set are shown with
intervals and are not tested.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.analysis.bootstrap import Estimate, Resamples, estimate, undefined
from emorl_dashboard.study.analysis.cells import groups, in_order, scale_of
from emorl_dashboard.study.analysis.coefficients import ratio
from emorl_dashboard.study.analysis.signed_rank import signed_rank_test

Floats = NDArray[np.float64]

SIGNIFICANCE = 0.05
MEAN_COLUMNS = (
    "criterion",
    "data_set",
    "system",
    "mean",
    "mean_low",
    "mean_high",
    "share_of_scale",
    "n_items",
    "n_ratings",
    "note",
)
PAIR_COLUMNS = (
    "criterion",
    "system_a",
    "system_b",
    "difference",
    "difference_low",
    "difference_high",
    "wins",
    "wins_low",
    "wins_high",
    "rank_balance",
    "p_value",
    "p_holm",
    "is_told_apart",
    "n_items",
    "n_equal",
    "note",
)
RANK_COLUMNS = ("criterion", "system", "mean", "cluster", "rank_best", "rank_worst")
CONTRADICTORY = (
    "The mean difference and the signed-rank test do not point the same way: neither system is "
    "called better."
)


def item_scores(rows: pd.DataFrame, systems: list[str], resamples: Resamples) -> Floats:
    """Return each system's mean rating at each source item, ``(n_systems, n_items)``.

    NaN where a system has no rating at an item.
    """
    wide = rows.pivot_table(index="system", columns="source_item", values="value", aggfunc="mean")
    return wide.reindex(index=systems, columns=list(resamples.items)).to_numpy(dtype=np.float64)


def system_means(ratings: pd.DataFrame, resamples: Resamples) -> pd.DataFrame:
    """Return every system's mean per criterion and data set, with ``MEAN_COLUMNS``.

    A mean weighs source items alike, however many ratings they have. ``share_of_scale`` is the
    mean moved to 0..1, for comparison with automatic scores.
    """
    rows = []
    for criterion in in_order(ratings["criterion"]):
        of_criterion = ratings[ratings["criterion"] == criterion]
        for data_set, part in groups(of_criterion, "data_set"):
            systems = sorted(part["system"].unique())
            scores = item_scores(part, systems, resamples)
            low, *_, high = scale_of(part)
            n_ratings = part.groupby("system").size()
            for system, score in zip(systems, scores, strict=True):
                found = _mean(score, resamples)
                rows.append(
                    {"criterion": criterion, "data_set": data_set, "system": system}
                    | found.columns("mean")
                    | {
                        "share_of_scale": (found.value - low) / (high - low),
                        "n_items": found.n_items,
                        "n_ratings": int(n_ratings[system]),
                        "note": found.note,
                    }
                )
    return pd.DataFrame(rows, columns=list(MEAN_COLUMNS))


def comparisons(
    ratings: pd.DataFrame, resamples: Resamples, planned: Iterable[str] = ()
) -> pd.DataFrame:
    """Return every pair of systems per criterion, with ``PAIR_COLUMNS``.

    Args:
        ratings: From ``cells.study_ratings``.
        resamples: Of the whole study.
        planned: Systems of the plan; one without ratings counts in the family all the same.

    Returns:
        One row per criterion and pair. Turning a pair round changes the sign of ``difference``
        and gives one minus ``wins``, so that P(A above B) and P(B above A) are 1 together.

    ``difference`` is the mean over source items of A minus B; ``wins`` the chance that A is
    rated above B at an item, half of the ties included; ``p_holm`` the Wilcoxon signed-rank p
    (zero differences by Pratt's method), corrected within the criterion; ``rank_balance`` the way
    that test points, from -1 (every difference is for B) to 1. ``is_told_apart`` where the test is
    significant and the mean points the same way: a few large differences can outweigh many small
    ones in a mean and not in ranks, and then no system is called better.
    """
    rows = []
    for criterion in in_order(ratings["criterion"]):
        part = ratings[ratings["criterion"] == criterion]
        systems = sorted({*part["system"], *planned})
        scores = item_scores(part, systems, resamples)
        pairs = [
            {"criterion": criterion, "system_a": systems[a], "system_b": systems[b]}
            | _pair(scores[a] - scores[b], resamples)
            for a, b in combinations(range(len(systems)), 2)
        ]
        corrected = holm(np.asarray([pair["p_value"] for pair in pairs], dtype=np.float64))
        rows += [_judged(pair, p) for pair, p in zip(pairs, corrected.tolist(), strict=True)]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def rank_table(means: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Put systems into rank clusters per criterion, best first, with ``RANK_COLUMNS``.

    A new cluster begins where every system above is found better than every system below
    (``is_told_apart``, at 5 % after Holm). ``rank_best`` and ``rank_worst`` bound a system's
    place: it is behind those found better than it, and before those found worse.

    Args:
        means: From ``system_means``.
        pairs: From ``comparisons``.
    """
    rows = []
    overall = means[(means["data_set"] == "all") & means["mean"].notna()]
    for criterion in in_order(overall["criterion"]):
        ranked = overall[overall["criterion"] == criterion].sort_values(
            ["mean", "system"], ascending=[False, True]
        )
        names = ranked["system"].tolist()
        better = _better(pairs[pairs["criterion"] == criterion])
        cluster = 1
        for place, (system, mean) in enumerate(zip(names, ranked["mean"], strict=True)):
            if place and all(
                (up, down) in better for up in names[:place] for down in names[place:]
            ):
                cluster += 1
            n_above = sum((other, system) in better for other in names)
            n_below = sum((system, other) in better for other in names)
            rows.append(
                {
                    "criterion": criterion,
                    "system": system,
                    "mean": mean,
                    "cluster": cluster,
                    "rank_best": 1 + n_above,
                    "rank_worst": len(names) - n_below,
                }
            )
    return pd.DataFrame(rows, columns=list(RANK_COLUMNS))


def holm(p_values: Floats) -> Floats:
    """Return p-values corrected by Holm's step-down.

    NaN, a pair that could not be tested, stays NaN and counts as the least clear of the family:
    else the size of the family would depend on the ratings.

    Source:
        Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    corrected = np.full(p_values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    factors = len(p_values) - np.arange(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return corrected


def _mean(scores: Floats, resamples: Resamples) -> Estimate:
    present = ~np.isnan(scores)
    filled = np.where(present, scores, 0.0)
    if not present.any():
        return undefined("No ratings.")
    return estimate(
        lambda draws: ratio(draws @ filled, draws @ present.astype(np.float64)),
        resamples,
        present,
    )


def _pair(differences: Floats, resamples: Resamples) -> dict[str, Any]:
    known = differences[~np.isnan(differences)]
    if not len(known):
        found = undefined("No source item has ratings of both systems.")
        return _pair_columns(found, found, (float("nan"), float("nan")), 0)
    wins = np.where(np.isnan(differences), np.nan, (np.sign(differences) + 1) / 2)
    n_equal = int((known == 0).sum())
    tested = signed_rank_test(known[None])
    test = (float(tested.balance[0]), float(tested.p_value[0]))
    return _pair_columns(_mean(differences, resamples), _mean(wins, resamples), test, n_equal)


def _pair_columns(
    difference: Estimate, wins: Estimate, test: tuple[float, float], n_equal: int
) -> dict[str, Any]:
    note = difference.note
    if difference.n_items and n_equal == difference.n_items:
        note = "Both systems are rated the same at every source item: nothing to test."
    return (
        difference.columns("difference")
        | wins.columns("wins")
        | {"rank_balance": test[0], "p_value": test[1]}
        | {"n_items": difference.n_items, "n_equal": n_equal, "note": note}
    )


def _judged(pair: dict[str, Any], p_holm: float) -> dict[str, Any]:
    """Add what the family of tests says of a pair."""
    is_clear = p_holm < SIGNIFICANCE
    is_one_way = pair["difference"] * pair["rank_balance"] > 0
    note = CONTRADICTORY if is_clear and not is_one_way else pair["note"]
    return pair | {"p_holm": p_holm, "is_told_apart": is_clear and is_one_way, "note": note}


def _better(pairs: pd.DataFrame) -> set[tuple[str, str]]:
    """Return (better, worse) for every pair that the tests tell apart."""
    found = set()
    for pair in pairs[pairs["is_told_apart"].astype(bool)].to_dict("records"):
        names = (str(pair["system_a"]), str(pair["system_b"]))
        found.add(names if pair["difference"] > 0 else names[::-1])
    return found
