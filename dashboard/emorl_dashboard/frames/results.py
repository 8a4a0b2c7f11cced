"""Tables of a study's analysis, shaped for figures: labels, order, hover texts.

Rows for ``figures.results.intervals`` have the columns label, series, value, low, high and hover.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from emorl_dashboard.frames.numbers import MISSING
from emorl_dashboard.frames.runs import system_label

ALL = "all"
Row = dict[str, object]

INTERVAL_COLUMNS = ("label", "series", "value", "low", "high", "hover")

HEADLINE_COEFFICIENTS = ("alpha (ordinal)", "kappa (quadratic)", "AC2 (quadratic)")


def estimate_text(value: float, low: float, high: float, *, digits: int = 2) -> str:
    """Write an estimate with its interval: ``0.68 [0.61, 0.74]``, ``0.68 [0.61, no bound]``."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    if math.isnan(low) or math.isnan(high):
        return text
    ends = ("no bound" if math.isinf(end) else f"{end:.{digits}f}" for end in (low, high))
    return f"{text} [{', '.join(ends)}]"


def p_text(p_value: float) -> str:
    """Write a p-value: ``0.032``, ``< 0.001``."""
    if not math.isfinite(p_value):
        return MISSING
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def options(column: pd.Series) -> list[str]:
    """Return the different values of a column in order, all together first."""
    values = [str(value) for value in column.unique()]
    return ([ALL] if ALL in values else []) + [value for value in values if value != ALL]


def agreement_rows(agreement: pd.DataFrame, criterion: str, data_set: str) -> pd.DataFrame:
    """Return alpha, kappa and AC2 of each system, all systems first, as rows of intervals.

    With several pairs of annotators, kappa is shown for the pair that shares most responses; the
    table has them all.
    """
    part = agreement[
        (agreement["criterion"] == criterion)
        & (agreement["data_set"] == data_set)
        & agreement["coefficient"].isin(HEADLINE_COEFFICIENTS)
    ]
    rows = []
    for system in options(part["system"]):
        own = part[part["system"] == system]
        for coefficient in HEADLINE_COEFFICIENTS:
            found = own[own["coefficient"] == coefficient]
            if found.empty:
                continue
            best = found.sort_values("n_shared", ascending=False, kind="stable").iloc[0]
            told = f"{best['n_shared']} responses to {best['n_items']} prompts"
            rows.append(interval_row(system_name(system), coefficient, best, told))
    return interval_frame(rows)


def notes(table: pd.DataFrame, *columns: str) -> list[str]:
    """Return the sentences of a table's notes, each once, with what it is about."""
    found = []
    for row in table[table["note"] != ""].to_dict("records"):
        about = ", ".join(str(row[column]) for column in columns)
        found.append(f"{about}: {row['note']}")
    return list(dict.fromkeys(found))


def mean_rows(means: pd.DataFrame, ranks: pd.DataFrame, data_set: str) -> pd.DataFrame:
    """Return mean ratings as rows of intervals, one series per criterion, best systems first."""
    part = means[means["data_set"] == data_set]
    order = part.groupby("system")["mean"].mean().sort_values(ascending=False, kind="stable").index
    cluster = {(row["criterion"], row["system"]): row for row in ranks.to_dict("records")}
    rows = []
    for system in order:
        for row in part[part["system"] == system].to_dict("records"):
            place = cluster.get((row["criterion"], system))
            told = f"{row['n_ratings']} ratings of {row['n_items']} prompts"
            if place is not None and data_set == ALL:
                told += (
                    f"<br>rank cluster {place['cluster']}, rank {place['rank_best']} to "
                    f"{place['rank_worst']}"
                )
            estimate = estimate_of(row, "mean")
            rows.append(interval_row(system_name(system), row["criterion"], estimate, told))
    return interval_frame(rows)


def difference_rows(comparisons: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Return the paired differences of a criterion as rows of intervals, the largest first.

    Every pair is turned so that the difference is not negative.
    """
    rows = []
    for row in turned(comparisons, criterion):
        told = f"P(first better) {row['wins']:.2f} · Holm p {p_text(row['p_holm'])}"
        series = "told apart (Holm p < 0.05)" if row["is_told_apart"] else "not told apart"
        label = f"{system_name(row['first'])} − {system_name(row['second'])}"  # noqa: RUF001
        rows.append(interval_row(label, series, row, told))
    return interval_frame(rows)


def contradictions(comparisons: pd.DataFrame, criterion: str) -> list[str]:
    """Say of which pairs a clear test and the mean contradict each other."""
    part = comparisons[(comparisons["criterion"] == criterion) & (comparisons["p_holm"] < 0.05)]
    return [
        f"{system_name(row['system_a'])} and {system_name(row['system_b'])}: {row['note']}"
        for row in part[~part["is_told_apart"].astype(bool)].to_dict("records")
    ]


def human_automatic_rows(table: pd.DataFrame, criterion: str, data_set: str) -> pd.DataFrame:
    """Return human against automatic as rows of intervals, one series per comparison."""
    part = table[(table["criterion"] == criterion) & (table["data_set"] == data_set)]
    rows = []
    for row in part.to_dict("records"):
        told = f"{row['n_responses']} responses to {row['n_items']} prompts"
        rows.append(interval_row(row["statistic"], row["comparison"], row, told))
    return interval_frame(rows)


def identification_rows(table: pd.DataFrame, data_set: str) -> pd.DataFrame:
    """Return how often each system was guessed right as rows of intervals, the surest first."""
    part = table[(table["data_set"] == data_set) & (table["system"] != ALL)]
    rows = []
    for row in part.sort_values("accuracy", ascending=False, kind="stable").to_dict("records"):
        estimate = estimate_of(row, "accuracy")
        told = f"{row['n_texts']} texts · p {p_text(row['p_value'])}"
        if row["taken_for"]:
            told += f"<br>else mostly taken for {escape(system_name(row['taken_for']))}"
        rows.append(interval_row(system_name(row["system"]), "guessed right", estimate, told))
    return interval_frame(rows)


def drift_rows(drift: pd.DataFrame) -> pd.DataFrame:
    """Return the drift of each annotator as rows of intervals, one series per criterion."""
    rows = []
    for row in drift.to_dict("records"):
        estimate = estimate_of(row, "drift_per_100")
        rows.append(
            interval_row(
                row["annotator"], row["criterion"], estimate, f"{row['n_ratings']} ratings"
            )
        )
    return interval_frame(rows)


def placed_ratings(
    means: pd.DataFrame, overall: pd.DataFrame, weights: pd.DataFrame, criterion: str
) -> pd.DataFrame:
    """Return systems that have weights with their mean rating, best first.

    Args:
        means: The table ``means``.
        overall: The table ``overall``.
        weights: A column ``system``, then one per objective.
        criterion: Whose ratings; ``all`` takes the mean over criteria of the shares of the scale.

    Returns:
        Columns of ``weights``, then label, value, low, high and n_ratings.
    """
    if criterion != ALL:
        part = means[(means["data_set"] == ALL) & (means["criterion"] == criterion)]
        found = part[["system", "mean", "mean_low", "mean_high", "n_ratings"]].rename(
            columns={"mean": "value", "mean_low": "low", "mean_high": "high"}
        )
    else:
        found = overall.rename(columns={"mean_share": "value"}).drop(columns="n_criteria")
        found = found.assign(low=math.nan, high=math.nan)
    placed = weights.merge(found, on="system")
    placed["label"] = [system_name(system) for system in placed["system"]]
    return placed.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def turned(comparisons: pd.DataFrame, criterion: str) -> list[dict[str, Any]]:
    """Return the pairs of a criterion, each turned so that first is not behind, largest first."""
    rows = []
    for row in comparisons[comparisons["criterion"] == criterion].to_dict("records"):
        is_behind = row["difference"] < 0
        sign = -1.0 if is_behind else 1.0
        low, high = sorted((sign * row["difference_low"], sign * row["difference_high"]))
        wins = [row["wins"], row["wins_low"], row["wins_high"]]
        if is_behind:
            wins = [1 - row["wins"], 1 - row["wins_high"], 1 - row["wins_low"]]
        first, second = row["system_a"], row["system_b"]
        rows.append(
            {str(name): value for name, value in row.items()}
            | {
                "first": second if is_behind else first,
                "second": first if is_behind else second,
                "value": sign * row["difference"],
                "low": low,
                "high": high,
                "wins": wins[0],
                "wins_low": wins[1],
                "wins_high": wins[2],
            }
        )
    return sorted(rows, key=lambda row: -row["value"] if row["value"] == row["value"] else 0.0)


def estimate_of(row: Mapping[Any, Any], name: str) -> dict[str, Any]:
    """Return value, low and high of the estimate that a row holds under a name."""
    return {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}


def interval_row(
    label: str, series: str, estimate: Mapping[Any, Any] | pd.Series, told: str
) -> Row:
    """Return one row of intervals; ``estimate`` has value, low and high, ``told`` is HTML."""
    value, low, high = (float(estimate[name]) for name in ("value", "low", "high"))
    hover = (
        f"<b>{escape(label)}</b><br>{escape(series)}: {estimate_text(value, low, high)}<br>{told}"
    )
    return {
        "label": label,
        "series": series,
        "value": value,
        "low": low,
        "high": high,
        "hover": hover,
    }


def interval_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as ``figures.results.intervals`` takes them."""
    return pd.DataFrame(rows, columns=list(INTERVAL_COLUMNS))


def system_name(system: object) -> str:
    """Name a system, a pair of systems, or all of them, for people."""
    if system == ALL:
        return "All systems"
    return " / ".join(system_label(name) for name in str(system).split(" / "))
