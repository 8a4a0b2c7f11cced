"""Every number of the page Results, as tables: what the page draws and the exports hold.

The one place that knows which tables there are. The same rows, seed and number of resamples give
the same numbers, to the last digit that floating point allows.
"""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from emorl_dashboard.study.analysis.agreement_table import agreement_table
from emorl_dashboard.study.analysis.bootstrap import N_RESAMPLES
from emorl_dashboard.study.analysis.bradley_terry import bradley_terry
from emorl_dashboard.study.analysis.cells import groups, resamples_of, study_ratings
from emorl_dashboard.study.analysis.human_automatic import human_automatic
from emorl_dashboard.study.analysis.identification import identification
from emorl_dashboard.study.analysis.ordinal import ordinal_model
from emorl_dashboard.study.analysis.quality import drift, gold, marginals, pace, repeats
from emorl_dashboard.study.analysis.responses import overall_means, rated_items
from emorl_dashboard.study.analysis.sides import side_drift, sides
from emorl_dashboard.study.analysis.systems import comparisons, rank_table, system_means

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
    """Return the tables that do not compare systems: how much is rated, and how well.

    They may be seen before unblinding: if all answers were about the systems with two names
    exchanged, no number in them would be another. Preferences are told by the side of the page,
    and agreement by counting both responses of a pair alike.
    """
    tables: Tables = {"coverage": coverage(data.items, data.answers), "pace": pace(data.answers)}
    ratings = study_ratings(data.answers)
    if ratings.empty:
        return tables
    resamples = resamples_of(ratings, n_resamples=n_resamples, seed=seed)
    tables["agreement"] = agreement_table(ratings, resamples, mode=data.mode)
    if data.mode == "pairwise":
        tables |= {"sides": sides(ratings, resamples), "drift": side_drift(ratings, resamples)}
    else:
        tables |= {"marginals": marginals(ratings), "drift": drift(ratings, resamples)}
    return tables | {
        "gold": gold(data.answers, mode=data.mode),
        "repeats": repeats(data.answers, mode=data.mode),
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
    ``side`` is -1 where the response shown first is preferred, 1 where the second is.
    """
    prefers_first = pairs["preference"] == pairs["shown_first"]
    side = prefers_first.map({True: -1.0, False: 1.0}).mask(pairs["preference"] == "tie", 0.0)
    one, other = pairs["system_a"], pairs["system_b"]
    is_turned = (other != "") & (one > other)
    value = pairs["preference"].map(_PREFERENCE_VALUES).astype(float)
    told = ["system_a", "system_b", "preference", "shown_first"]
    return pairs.drop(columns=told).assign(
        system=one.mask(is_turned, other) + " / " + other.mask(is_turned, one),
        scale_minimum=-1,
        scale_maximum=1,
        value=value.mask(is_turned, 0.0 - value),
        side=side.astype(float).mask(pairs["preference"].isna()),
        is_skipped=pairs["preference"].isna(),
    )


def blinded(data: StudyData, key: str) -> StudyData:
    """Return the data with letters for systems, in an order that only ``key`` tells.

    Of preferences, a coin for each item that only ``key`` tells decides which response is called
    the first: their values say no more of systems than the letters do. Where a system can be
    told by the number of its responses, there are no letters: all systems stand together.
    """
    answers = data.answers
    what = "Pair" if data.mode == "pairwise" else "System"
    names = sorted(
        set(answers.loc[answers["kind"] == "rating", "system"]) - {""},
        key=lambda name: _keyed(key, "blind letters", name),
    )
    letters = {name: f"{what} {_letters(place)}" for place, name in enumerate(names)}
    if _counts_tell(data):
        letters = dict.fromkeys(names, f"{what}s")
    # A pair of a response with its damaged copy, or an exercise, is none of systems.
    answers = answers.assign(system=answers["system"].map(letters).fillna(""))
    if data.mode == "pairwise":
        answers = answers.assign(value=_turned_by_coin(answers, key))
    return replace(
        data,
        answers=answers,
        pairs=None,
        automatic=data.automatic.iloc[:0],
        texts=data.texts.iloc[:0],
    )


def _turned_by_coin(answers: pd.DataFrame, key: str) -> pd.Series:
    """Return values with those of some items turned; a repeated item is turned as its original."""
    originals = answers["copy_of"].where(answers["copy_of"] != "", answers["item_code"])
    is_heads = {code: int(_keyed(key, "coin", code)[0], 16) % 2 == 1 for code in set(originals)}
    # Of a damaged copy, the undamaged is the first for all to see: no system is told by it.
    is_turned = originals.map(is_heads).astype(bool) & (answers["kind"] != "gold")
    value: pd.Series = answers["value"].mask(is_turned, 0.0 - answers["value"])
    return value


def _counts_tell(data: StudyData) -> bool:
    """Tell whether two systems, or pairs of systems, differ in the number of their responses."""
    texts = data.texts[["source_item", "data_set", "system", "text"]]
    who = ["system"]
    if data.mode == "pairwise":  # equal texts are not shown
        both = texts.merge(texts, on=["source_item", "data_set"], suffixes=("", "_b"))
        texts = both[(both["system"] < both["system_b"]) & (both["text"] != both["text_b"])]
        who = ["system", "system_b"]
    counts = texts.groupby(["data_set", *who]).size().unstack("data_set", fill_value=0)
    return len(counts.drop_duplicates()) > 1


def _keyed(key: str, purpose: str, name: str) -> str:
    return hashlib.sha256(f"{key}/{purpose}/{name}".encode()).hexdigest()


def _letters(place: int) -> str:
    alphabet = string.ascii_uppercase
    return alphabet[place] if place < len(alphabet) else f"{alphabet[place % 26]}{place // 26}"
