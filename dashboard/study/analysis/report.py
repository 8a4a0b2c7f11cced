"""Every number of the page Results, as tables: what the page draws and the exports hold.

The one place that knows which tables there are. The same rows, seed and number of resamples give
the same numbers, to the last digit that floating point allows.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from dashboard.study.analysis.agreement_table import agreement_table
from dashboard.study.analysis.bootstrap import N_RESAMPLES
from dashboard.study.analysis.bradley_terry import bradley_terry
from dashboard.study.analysis.cells import groups, resamples_of, study_ratings
from dashboard.study.analysis.human_automatic import human_automatic
from dashboard.study.analysis.identification import identification
from dashboard.study.analysis.ordinal import ordinal_model
from dashboard.study.analysis.quality import drift, gold, marginals, pace, repeats
from dashboard.study.analysis.responses import overall_means, rated_items
from dashboard.study.analysis.systems import comparisons, rank_table, system_means

Tables = dict[str, pd.DataFrame]

_PREFERENCE_VALUES = {"a": -1.0, "tie": 0.0, "b": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyData:
    """What a study's analysis reads; all of it is in the replication bundle."""

    mode: Literal["rating", "pairwise"]
    items: pd.DataFrame
    """Columns item_code, kind, data_set, n_wanted (ratings; NaN: as many as come)."""
    answers: pd.DataFrame
    """From ``study.answers.answer_frame``; of a pairwise study from ``pairs_as_answers``."""
    pairs: pd.DataFrame | None
    """From ``study.answers.pair_frame``; None for a study by rating."""
    automatic: pd.DataFrame
    """Columns source_item, system, criterion, score; may be empty."""
    texts: pd.DataFrame
    """Columns source_item, data_set, system, text: every response to be rated."""


def study_tables(data: StudyData, *, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Tables:
    """Return all tables of a study, by name: first those of ``blind_tables``.

    Args:
        data: Of the study.
        n_resamples: Of the bootstrap over source items.
        seed: Of the bootstrap.
    """
    tables = blind_tables(data, n_resamples=n_resamples, seed=seed)
    ratings = study_ratings(data.answers)
    if ratings.empty:
        return tables
    resamples = resamples_of(ratings, n_resamples=n_resamples, seed=seed)
    items = rated_items(ratings, data.automatic)
    guessed = identification(data.texts, n_resamples=n_resamples, seed=seed)
    if data.pairs is not None:
        strengths = bradley_terry(data.pairs, resamples, data.texts)
        return tables | {
            "bradley_terry": strengths,
            "identification": guessed,
            "rated_items": items,
        }
    means = system_means(ratings, resamples)
    pairs = comparisons(ratings, resamples, data.texts["system"])
    return tables | {
        "means": means,
        "overall": overall_means(means),
        "comparisons": pairs,
        "ranks": rank_table(means, pairs),
        "ordinal": ordinal_model(ratings),
        "human_automatic": human_automatic(ratings, data.automatic, resamples),
        "identification": guessed,
        "rated_items": items,
    }


def blind_tables(data: StudyData, *, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Tables:
    """Return the tables that do not compare systems: how much is rated, and how well."""
    tables: Tables = {"coverage": coverage(data.items, data.answers), "pace": pace(data.answers)}
    ratings = study_ratings(data.answers)
    if ratings.empty:
        return tables
    resamples = resamples_of(ratings, n_resamples=n_resamples, seed=seed)
    return tables | {
        "agreement": agreement_table(ratings, resamples),
        "marginals": marginals(ratings),
        "drift": drift(ratings, resamples),
        "gold": gold(data.answers, mode=data.mode),
        "repeats": repeats(data.answers),
    }


def coverage(items: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """Return how many of the wanted ratings are there, per data set and kind of item.

    An item counts once for each annotator, whatever its number of criteria; skipped ones are
    counted apart.
    """
    clicks = answers.drop_duplicates(["item_code", "annotator"])
    rated = clicks[~clicks["is_skipped"]].groupby("item_code").size()
    skipped = clicks[clicks["is_skipped"]].groupby("item_code").size()
    counted = items[items["kind"] != "practice"].assign(
        n_ratings=lambda frame: frame["item_code"].map(rated).fillna(0).astype(int),
        n_skips=lambda frame: frame["item_code"].map(skipped).fillna(0).astype(int),
    )
    rows = []
    for data_set, in_set in groups(counted, "data_set"):
        for kind in ("rating", "gold", "repeat"):
            part = in_set[in_set["kind"] == kind]
            if part.empty:
                continue
            rows.append(
                {
                    "data_set": data_set,
                    "kind": kind,
                    "n_items": len(part),
                    "n_complete": int((part["n_ratings"] >= part["n_wanted"]).sum()),
                    "n_wanted": part["n_wanted"].sum(min_count=len(part)),
                    "n_ratings": int(part["n_ratings"].sum()),
                    "n_skips": int(part["n_skips"].sum()),
                }
            )
    columns = ["data_set", "kind", "n_items", "n_complete", "n_wanted", "n_ratings", "n_skips"]
    return pd.DataFrame(rows, columns=columns)


def pairs_as_answers(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return preferences as ratings from -1 (first) over 0 (tie) to 1 (second), for agreement.

    A pair of systems stands in the column ``system``, as ``a / b``, in the order of their names:
    which response the plan calls ``a`` is drawn anew for every item, and values of one pair of
    systems must mean the same at all of them. A damaged copy (no system) stays second.
    """
    one, other = pairs["system_a"], pairs["system_b"]
    is_turned = (other != "") & (one > other)
    value = pairs["preference"].map(_PREFERENCE_VALUES).astype(float)
    return pairs.drop(columns=["system_a", "system_b", "preference"]).assign(
        system=one.mask(is_turned, other) + " / " + other.mask(is_turned, one),
        scale_minimum=-1,
        scale_maximum=1,
        value=value.mask(is_turned, 0.0 - value),
        is_skipped=pairs["preference"].isna(),
    )


def blinded(data: StudyData, key: str) -> StudyData:
    """Return the data with letters for systems, in an order that only ``key`` tells."""
    names = sorted(set(data.answers["system"]) - {""}, key=_keyed(key))
    letters = {name: f"System {_letters(place)}" for place, name in enumerate(names)} | {"": ""}
    return replace(
        data,
        answers=data.answers.assign(system=data.answers["system"].map(letters)),
        pairs=None,
        automatic=data.automatic.iloc[:0],
        texts=data.texts.iloc[:0],
    )


def _keyed(key: str) -> Callable[[str], str]:
    return lambda name: hashlib.sha256(f"{key}/blind letters/{name}".encode()).hexdigest()


def _letters(place: int) -> str:
    alphabet = string.ascii_uppercase
    return alphabet[place] if place < len(alphabet) else f"{alphabet[place % 26]}{place // 26}"
