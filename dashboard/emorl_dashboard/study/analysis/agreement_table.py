"""Agreement of annotators in every cell, each coefficient with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.agreement import why_undefined
from emorl_dashboard.study.analysis import coefficients as formulas
from emorl_dashboard.study.analysis.bootstrap import Estimate, Resamples, estimate, undefined
from emorl_dashboard.study.analysis.cells import ALL, RatingTable, cells
from emorl_dashboard.study.analysis.coefficients import Weighting

Floats = NDArray[np.float64]

EXACT, ALPHA, AC2 = "percent exact", "alpha (ordinal)", "AC2 (quadratic)"
KAPPA_QUADRATIC, KAPPA_LINEAR = "kappa (quadratic)", "kappa (linear)"
COEFFICIENTS = (EXACT, ALPHA, KAPPA_QUADRATIC, KAPPA_LINEAR, AC2)
_KAPPAS: dict[str, Weighting] = {KAPPA_QUADRATIC: "quadratic", KAPPA_LINEAR: "linear"}

COLUMNS = (
    "criterion",
    "data_set",
    "system",
    "annotators",
    "coefficient",
    "value",
    "low",
    "high",
    "n_items",
    "n_shared",
    "note",
)


def agreement_table(
    ratings: pd.DataFrame, resamples: Resamples, *, mode: Literal["rating", "pairwise"] = "rating"
) -> pd.DataFrame:
    """Return every coefficient of every cell, long: one row each, with ``COLUMNS``.

    Args:
        ratings: From ``cells.study_ratings``.
        resamples: Of the same study.
        mode: Whether they are ratings or preferences. Of preferences, chance agreement counts
            both responses of a pair alike, whichever is called the first.

    Returns:
        ``n_items`` source items and ``n_shared`` responses with two ratings or more are behind
        a row; where a number or its interval is undefined, ``note`` says why in a sentence.
    """
    rows: list[dict[str, object]] = []
    for cell, table in cells(ratings, resamples):
        is_pairwise = mode == "pairwise"
        shown = table.both_ways() if is_pairwise else table
        for annotators, coefficient, found, n_counted in _coefficients(shown, resamples):
            n_shared = n_counted // 2 if is_pairwise else n_counted
            rows.append(
                cell._asdict()
                | {"annotators": annotators, "coefficient": coefficient}
                | found.columns()
                | {"n_items": found.n_items, "n_shared": n_shared, "note": found.note}
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _coefficients(
    table: RatingTable, resamples: Resamples
) -> Iterator[tuple[str, str, Estimate, int]]:
    n_shared = _n_shared(table.values)
    why = why_undefined(table.values)
    for name, make in ((EXACT, _exact), (ALPHA, _alpha), (AC2, _ac2)):
        yield ALL, name, _estimated(make(table), table, resamples, why), n_shared
    for first, second in combinations(range(len(table.annotators)), 2):
        pair = table.values[[first, second]]
        if not _n_shared(pair):
            continue  # the plan gave these two nothing in common
        annotators = f"{table.annotators[first]} · {table.annotators[second]}"
        why = why_undefined(pair)
        for name, weights in _KAPPAS.items():
            found = _estimated(_kappa(table, pair, weights), table, resamples, why)
            yield annotators, name, found, _n_shared(pair)


def _estimated(
    statistic: Callable[[Floats], Floats], table: RatingTable, resamples: Resamples, why: str
) -> Estimate:
    found = estimate(statistic, resamples, _comparable(table))
    if np.isnan(found.value):
        return undefined(why or "No variation by chance: undefined.", found.n_items)
    return found


def _comparable(table: RatingTable) -> NDArray[np.bool_]:
    """Return which source items have a response with two ratings."""
    shared = (~np.isnan(table.values)).sum(axis=0) >= 2
    found = np.zeros(table.n_sources, dtype=bool)
    found[table.sources[shared]] = True
    return found


def _n_shared(values: Floats) -> int:
    return int(((~np.isnan(values)).sum(axis=0) >= 2).sum())


def _exact(table: RatingTable) -> Callable[[Floats], Floats]:
    counts = formulas.category_counts(table.values, np.asarray(table.scale))
    agreement, pairs = formulas.weighted_agreement(counts, "identity")
    above, below = table.sums(agreement), table.sums(pairs)
    return lambda draws: formulas.ratio(draws @ above, draws @ below)


def _alpha(table: RatingTable) -> Callable[[Floats], Floats]:
    values = np.asarray(table.scale)
    found = formulas.coincidences(formulas.category_counts(table.values, values))
    sums = table.sums(found).reshape(table.n_sources, -1)
    shape = (-1, len(values), len(values))
    return lambda draws: formulas.alpha_of((draws @ sums).reshape(shape), values, "ordinal")


def _ac2(table: RatingTable) -> Callable[[Floats], Floats]:
    counts = formulas.category_counts(table.values, np.asarray(table.scale))
    agreement, pairs = formulas.weighted_agreement(counts, "quadratic")
    shares, rated = formulas.category_shares(counts)
    agreed, compared, used, present = (
        table.sums(part) for part in (agreement, pairs, shares, rated)
    )
    return lambda draws: formulas.ac2_of(
        draws @ agreed, draws @ compared, draws @ used, draws @ present, "quadratic"
    )


def _kappa(table: RatingTable, pair: Floats, weights: Weighting) -> Callable[[Floats], Floats]:
    values = np.asarray(table.scale)
    one, other = ((row[:, None] == values).astype(np.float64) for row in pair)
    sums = table.sums(one[:, :, None] * other[:, None, :]).reshape(table.n_sources, -1)
    shape = (-1, len(values), len(values))
    return lambda draws: formulas.kappa_of((draws @ sums).reshape(shape), weights)
