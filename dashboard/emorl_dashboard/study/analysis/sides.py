"""Which response of a pair each annotator prefers: the one shown first, or the second, or neither.

Which stands first is drawn for every annotator and item, so this tells of annotators and nothing
of systems: who always chooses the first does not read, or does not see a difference.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.analysis.bootstrap import Estimate, Resamples, estimate
from emorl_dashboard.study.analysis.cells import once_each
from emorl_dashboard.study.analysis.coefficients import ratio
from emorl_dashboard.study.analysis.quality import DRIFT_COLUMNS, by_annotator, slope_per_100

Floats = NDArray[np.float64]

FIRST, TIE, SECOND = "shown first", "tie", "shown second"

SIDES = {-1.0: FIRST, 0.0: TIE, 1.0: SECOND}
"""Values of the column ``side`` of the answers, and what they are called."""

COLUMNS = (
    "criterion",
    "annotator",
    "preferred",
    "n_ratings",
    "share",
    "share_low",
    "share_high",
    "n_items",
    "note",
)


def sides(preferences: pd.DataFrame, resamples: Resamples) -> pd.DataFrame:
    """Return how often each annotator preferred which side of the page, with ``COLUMNS``.

    Args:
        preferences: From ``cells.study_ratings``, with a column ``side``.
        resamples: Of the same study.
    """
    rows: list[dict[str, object]] = []
    for annotator, criterion, own in by_annotator(once_each(preferences)):
        for side, name in SIDES.items():
            is_this = own["side"] == side
            found = _share(is_this, own["source_item"], resamples)
            rows.append(
                {"criterion": criterion, "annotator": annotator, "preferred": name}
                | {"n_ratings": int(is_this.sum())}
                | found.columns("share")
                | {"n_items": found.n_items, "note": found.note}
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def side_drift(preferences: pd.DataFrame, resamples: Resamples) -> pd.DataFrame:
    """Return how the share of preferences for the response shown first moves with the position.

    The columns are those of ``quality.drift``; ``drift_per_100`` is the change of that share over
    100 items.
    """
    rows: list[dict[str, object]] = []
    for annotator, criterion, own in by_annotator(once_each(preferences)):
        is_first = (own["side"] == -1.0).astype(float)
        found = slope_per_100(own["position"], is_first, own["source_item"], resamples)
        rows.append(
            {"annotator": annotator, "criterion": criterion}
            | found.columns("drift_per_100")
            | {"n_items": found.n_items, "n_ratings": len(own), "note": found.note}
        )
    return pd.DataFrame(rows, columns=list(DRIFT_COLUMNS))


def _share(is_this: pd.Series, source_items: pd.Series, resamples: Resamples) -> Estimate:
    places = resamples.places
    sources = np.asarray([places[item] for item in source_items], dtype=np.intp)
    sums = np.zeros((len(resamples.items), 2))
    ones = np.ones(len(sources))
    np.add.at(sums, sources, np.column_stack([is_this.to_numpy(dtype=np.float64), ones]))

    def share(draws: Floats) -> Floats:
        chosen, of = (draws @ sums).T
        return ratio(chosen, of)

    return estimate(share, resamples, sums[:, 1] > 0)
