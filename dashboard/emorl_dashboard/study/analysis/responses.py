"""Single responses, and systems over all criteria: the numbers of the item browser and the map."""

from __future__ import annotations

import pandas as pd

from emorl_dashboard.study.analysis.cells import ALL, in_order, once_each

ITEM_COLUMNS = (
    "criterion",
    "item_code",
    "data_set",
    "prompt_index",
    "system",
    "mean",
    "spread",
    "automatic",
    "n_ratings",
)
OVERALL_COLUMNS = ("system", "mean_share", "n_criteria", "n_ratings")


def rated_items(ratings: pd.DataFrame, automatic: pd.DataFrame) -> pd.DataFrame:
    """Return every rated response per criterion, with ``ITEM_COLUMNS``.

    Args:
        ratings: From ``cells.study_ratings``.
        automatic: Columns source_item, system, criterion, score.

    Returns:
        ``mean`` of the annotators, ``spread`` from the lowest to the highest of them, the
        ``automatic`` score or NaN; ``system`` names all that gave the text, comma-separated.
        Those on which annotators differ most come first.
    """
    keys = ["criterion", "item_code", "data_set", "prompt_index"]
    values = once_each(ratings).groupby(keys, sort=True)["value"]
    table = values.agg(mean="mean", low="min", high="max", n_ratings="size").reset_index()
    table["spread"] = table["high"] - table["low"]
    scores = ratings.merge(automatic, on=["source_item", "system", "criterion"])
    names = ratings.groupby("item_code")["system"].agg(lambda own: ", ".join(sorted(set(own))))
    table["system"] = table["item_code"].map(names)
    first = scores.sort_values("system").drop_duplicates(["criterion", "item_code"])
    table = table.merge(
        first[["criterion", "item_code", "score"]].rename(columns={"score": "automatic"}),
        on=["criterion", "item_code"],
        how="left",
    )
    place = {criterion: number for number, criterion in enumerate(in_order(ratings["criterion"]))}
    table = table.assign(place=table["criterion"].map(place)).sort_values(
        ["place", "spread", "mean", "item_code"],
        ascending=[True, False, False, True],
        ignore_index=True,
    )
    return table[list(ITEM_COLUMNS)].astype({"automatic": float})


def overall_means(means: pd.DataFrame) -> pd.DataFrame:
    """Return each system's mean over criteria, each moved to 0..1, with ``OVERALL_COLUMNS``.

    Args:
        means: From ``systems.system_means``.
    """
    part = means[(means["data_set"] == ALL) & means["share_of_scale"].notna()]
    found = part.groupby("system", sort=True).agg(
        mean_share=("share_of_scale", "mean"),
        n_criteria=("criterion", "nunique"),
        n_ratings=("n_ratings", "sum"),
    )
    return found.reset_index()[list(OVERALL_COLUMNS)]
