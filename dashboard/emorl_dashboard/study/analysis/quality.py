"""How the ratings came about: pace, marginals, drift, gold and repeated items."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.agreement import weighted_kappa, why_undefined
from emorl_dashboard.study.analysis.bootstrap import Estimate, Resamples, estimate, undefined
from emorl_dashboard.study.analysis.cells import in_order, once_each, scale_of
from emorl_dashboard.study.analysis.coefficients import ratio

Floats = NDArray[np.float64]

DRIFT_COLUMNS = (
    "annotator",
    "criterion",
    "drift_per_100",
    "drift_per_100_low",
    "drift_per_100_high",
    "n_items",
    "n_ratings",
    "note",
)


def pace(answers: pd.DataFrame) -> pd.DataFrame:
    """Return each annotator's items rated and skipped, and the seconds each took."""
    clicks = answers.drop_duplicates(["item_code", "annotator"])
    rows = []
    for annotator in sorted(clicks["annotator"].unique()):
        own = clicks[clicks["annotator"] == annotator]
        counted = own[own["kind"] != "practice"]
        seconds = counted["seconds"].quantile([0.25, 0.5, 0.75]).tolist()
        rows.append(
            {
                "annotator": annotator,
                "n_rated": int((~counted["is_skipped"]).sum()),
                "n_skipped": int(counted["is_skipped"].sum()),
                "n_practice": len(own) - len(counted),
                "median_seconds": seconds[1],
                "quartile_1_seconds": seconds[0],
                "quartile_3_seconds": seconds[2],
                "first_at": own["stored_at"].min(),
                "last_at": own["stored_at"].max(),
            }
        )
    return pd.DataFrame(rows)


def marginals(ratings: pd.DataFrame) -> pd.DataFrame:
    """Count how often each annotator gave each value, zeros included, per criterion."""
    once = once_each(ratings)
    rows = []
    for criterion in in_order(once["criterion"]):
        part = once[once["criterion"] == criterion]
        for annotator in sorted(part["annotator"].unique()):
            own = part.loc[part["annotator"] == annotator, "value"]
            rows += [
                {
                    "criterion": criterion,
                    "annotator": annotator,
                    "value": value,
                    "n_ratings": int((own == value).sum()),
                    "share": float((own == value).mean()),
                }
                for value in scale_of(part)
            ]
    columns = ["criterion", "annotator", "value", "n_ratings", "share"]
    return pd.DataFrame(rows, columns=columns)


def drift(ratings: pd.DataFrame, resamples: Resamples) -> pd.DataFrame:
    """Return how each annotator's ratings move with the position of the item.

    Each rating is taken relative to the other annotators' mean of the same response (where there
    is none, to the mean of the criterion), so that harder items late in an order are no drift.
    ``drift_per_100`` is the least-squares slope, in points of the scale per 100 items.
    """
    once = once_each(ratings).copy()
    by_response = once.groupby(["item_code", "criterion"])["value"]
    total, number = by_response.transform("sum"), by_response.transform("count")
    others = (total - once["value"]) / (number - 1).where(number > 1)
    expected = others.fillna(once.groupby("criterion")["value"].transform("mean"))
    once["above"] = once["value"] - expected
    rows = []
    for annotator, criterion, own in by_annotator(once):
        found = slope_per_100(own["position"], own["above"], own["source_item"], resamples)
        rows.append(
            {"annotator": annotator, "criterion": criterion}
            | found.columns("drift_per_100")
            | {"n_items": found.n_items, "n_ratings": len(own), "note": found.note}
        )
    return pd.DataFrame(rows, columns=list(DRIFT_COLUMNS))


def gold(answers: pd.DataFrame, *, mode: Literal["rating", "pairwise"] = "rating") -> pd.DataFrame:
    """Judge how damaged copies were rated against the undamaged, per annotator and criterion.

    Ratings of copy and original are compared. A gold *pair* shows both side by side, the damaged
    copy second: the answer itself is the comparison, -1 where the undamaged was preferred.

    Args:
        answers: All answers, gold items too.
        mode: Whether they are ratings or preferences.

    Returns:
        ``n_pairs`` copies compared with their original by the same annotator;
        ``mean_difference`` copy minus original, or the mean preference: negative when the damage
        is seen; ``share_lower`` and ``share_higher``.
    """
    if mode == "pairwise":
        pairs = answers[(answers["kind"] == "gold") & answers["value"].notna()]
        pairs = once_each(pairs).assign(original=0.0)
    else:
        pairs = _with_originals(answers, "gold")
    rows = []
    for annotator, criterion, own in by_annotator(pairs):
        difference = own["value"] - own["original"]
        rows.append(
            {
                "annotator": annotator,
                "criterion": criterion,
                "n_pairs": len(own),
                "mean_difference": float(difference.mean()),
                "share_lower": float((difference < 0).mean()),
                "share_higher": float((difference > 0).mean()),
            }
        )
    columns = [
        "annotator",
        "criterion",
        "n_pairs",
        "mean_difference",
        "share_lower",
        "share_higher",
    ]
    return pd.DataFrame(rows, columns=columns)


def repeats(
    answers: pd.DataFrame, *, mode: Literal["rating", "pairwise"] = "rating"
) -> pd.DataFrame:
    """Compare the first and second rating of repeated items, per annotator and criterion.

    Args:
        answers: All answers, repeated items too.
        mode: Whether they are ratings or preferences.

    Returns:
        ``n_pairs`` items rated twice, ``share_equal``, ``mean_difference`` (second minus first;
        preferences have none, for which way they go depends on the names of the responses) and
        the quadratic ``kappa`` of first and second, or in ``note`` why it is undefined.
    """
    is_pairwise = mode == "pairwise"
    pairs = _with_originals(answers, "repeat")
    rows = []
    for annotator, criterion, own in by_annotator(pairs):
        first_and_second = own[["original", "value"]].to_numpy(dtype=np.float64).T
        if is_pairwise:  # as in ``RatingTable.both_ways``
            first_and_second = np.hstack([first_and_second, 0.0 - first_and_second])
        difference = math.nan if is_pairwise else (own["value"] - own["original"]).mean()
        rows.append(
            {
                "annotator": annotator,
                "criterion": criterion,
                "n_pairs": len(own),
                "share_equal": float((own["value"] == own["original"]).mean()),
                "mean_difference": float(difference),
                "kappa": weighted_kappa(first_and_second, categories=scale_of(own)),
                "note": why_undefined(first_and_second),
            }
        )
    columns = [
        "annotator",
        "criterion",
        "n_pairs",
        "share_equal",
        "mean_difference",
        "kappa",
        "note",
    ]
    return pd.DataFrame(rows, columns=columns)


def by_annotator(rows: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Give the rows of every annotator and criterion that has any."""
    criteria = in_order(rows["criterion"])
    for annotator in sorted(rows["annotator"].unique()):
        of_annotator = rows[rows["annotator"] == annotator]
        for criterion in criteria:
            own = of_annotator[of_annotator["criterion"] == criterion]
            if len(own):
                yield annotator, criterion, own


def _with_originals(answers: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return rated copies of a kind with the same annotator's rating of the original."""
    once = once_each(answers[answers["value"].notna()])
    originals = once[once["kind"] == "rating"]
    originals = originals[["item_code", "annotator", "criterion", "value"]].rename(
        columns={"item_code": "copy_of", "value": "original"}
    )
    return once[once["kind"] == kind].merge(originals, on=["copy_of", "annotator", "criterion"])


def slope_per_100(
    positions: pd.Series, values: pd.Series, source_items: pd.Series, resamples: Resamples
) -> Estimate:
    """Return the least-squares slope of values over positions, per 100 positions."""
    x = positions.to_numpy(dtype=np.float64) / 100
    y = values.to_numpy(dtype=np.float64)
    places = resamples.places
    sources = np.asarray([places[item] for item in source_items], dtype=np.intp)
    if np.ptp(x) == 0:
        return undefined("All ratings stand at one position.", len(np.unique(sources)))
    sums = np.zeros((len(resamples.items), 5))
    np.add.at(sums, sources, np.column_stack([np.ones_like(x), x, y, x * y, x * x]))

    def slope(draws: Floats) -> Floats:
        n, sx, sy, sxy, sxx = (draws @ sums).T
        return ratio(n * sxy - sx * sy, n * sxx - sx * sx)

    return estimate(slope, resamples, sums[:, 0] > 0)
