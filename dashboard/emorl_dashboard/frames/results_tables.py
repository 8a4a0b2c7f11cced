"""Tables of a study's analysis as people read them: an estimate and its interval in one cell."""

from __future__ import annotations

import math

import pandas as pd

from emorl_dashboard.frames.results import ALL, estimate_text, p_text, system_name, turned


def agreement_view(agreement: pd.DataFrame, criterion: str, data_set: str) -> pd.DataFrame:
    """Return all coefficients of a criterion and data set as a table for people."""
    part = agreement[(agreement["criterion"] == criterion) & (agreement["data_set"] == data_set)]
    estimates = zip(part["value"], part["low"], part["high"], strict=True)
    return pd.DataFrame(
        {
            "system": [system_name(system) for system in part["system"]],
            "coefficient": part["coefficient"],
            "annotators": part["annotators"],
            "value [95 % interval]": [estimate_text(*found) for found in estimates],
            "responses": part["n_shared"],
            "prompts": part["n_items"],
            "note": part["note"],
        }
    )


def rank_view(ranks: pd.DataFrame, means: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Return the rank clusters of a criterion as a table, with the intervals of the means."""
    part = ranks[ranks["criterion"] == criterion]
    of_all = means[(means["data_set"] == ALL) & (means["criterion"] == criterion)]
    by_system = of_all.set_index("system")
    return pd.DataFrame(
        {
            "cluster": part["cluster"],
            "system": [system_name(system) for system in part["system"]],
            "mean [95 % interval]": [
                estimate_text(*by_system.loc[system, ["mean", "mean_low", "mean_high"]])
                for system in part["system"]
            ],
            "rank": [
                str(best) if best == worst else f"{best} to {worst}"
                for best, worst in zip(part["rank_best"], part["rank_worst"], strict=True)
            ],
            "0 to 1": [by_system.loc[system, "share_of_scale"] for system in part["system"]],
            "ratings": [by_system.loc[system, "n_ratings"] for system in part["system"]],
        }
    )


def comparison_view(comparisons: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Return the pairs of systems of a criterion as a table for people, the largest first."""
    rows = [
        {
            "first": system_name(row["first"]),
            "second": system_name(row["second"]),
            "difference [95 % interval]": estimate_text(row["value"], row["low"], row["high"]),
            "P(first better) [95 % interval]": estimate_text(
                row["wins"], row["wins_low"], row["wins_high"]
            ),
            "Wilcoxon p": p_text(row["p_value"]),
            "Holm p": p_text(row["p_holm"]),
            "prompts": row["n_items"],
            "of them equal": row["n_equal"],
            "note": row["note"],
        }
        for row in turned(comparisons, criterion)
    ]
    return pd.DataFrame(rows)


def ordinal_view(ordinal: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Return the ordinal model of a criterion as odds ratios."""
    part = ordinal[ordinal["criterion"] == criterion].sort_values("log_odds", ascending=False)
    ratios = part[["log_odds", "low", "high"]].map(lambda value: math.exp(min(value, 50.0)))
    return pd.DataFrame(
        {
            "system": [system_name(system) for system in part["system"]],
            "against": [system_name(system) for system in part["reference"]],
            "odds ratio of a higher rating [95 % interval]": [
                estimate_text(*row) for row in ratios.itertuples(index=False)
            ],
            "ratings": part["n_ratings"],
            "note": part["note"],
        }
    )


def coverage_view(coverage: pd.DataFrame) -> pd.DataFrame:
    """Return the coverage as a table for people."""
    wanted = coverage["n_wanted"]
    return pd.DataFrame(
        {
            "data set": coverage["data_set"],
            "items": coverage["kind"].map(
                {"rating": "rated", "gold": "gold (damaged copies)", "repeat": "repeated"}
            ),
            "number": coverage["n_items"],
            "complete": coverage["n_complete"],
            "ratings": coverage["n_ratings"],
            "wanted": wanted.astype("Int64"),
            "skipped": coverage["n_skips"],
        }
    )


def pace_view(pace: pd.DataFrame) -> pd.DataFrame:
    """Return each annotator's pace as a table for people."""
    return pd.DataFrame(
        {
            "annotator": pace["annotator"],
            "items rated": pace["n_rated"],
            "skipped": pace["n_skipped"],
            "practice": pace["n_practice"],
            "seconds per item, median [quartiles]": [
                estimate_text(*found, digits=0)
                for found in zip(
                    pace["median_seconds"],
                    pace["quartile_1_seconds"],
                    pace["quartile_3_seconds"],
                    strict=True,
                )
            ],
            "first": pace["first_at"],
            "last (UTC)": pace["last_at"],
        }
    )


def gold_pairs_view(gold: pd.DataFrame) -> pd.DataFrame:
    """Return how often the undamaged was preferred to its damaged copy, for people."""
    undecided = 1 - gold["share_lower"] - gold["share_higher"]
    return pd.DataFrame(
        {
            "annotator": gold["annotator"],
            "criterion": gold["criterion"],
            "pairs": gold["n_pairs"],
            "preferred the undamaged": gold["share_lower"].map(_percent),
            "called it a tie": undecided.map(_percent),
            "preferred the damaged": gold["share_higher"].map(_percent),
        }
    )


def gold_view(gold: pd.DataFrame) -> pd.DataFrame:
    """Return how gold items were rated against their originals, for people."""
    return pd.DataFrame(
        {
            "annotator": gold["annotator"],
            "criterion": gold["criterion"],
            "pairs": gold["n_pairs"],
            "mean difference": gold["mean_difference"].map("{:+.2f}".format),
            "rated lower": gold["share_lower"].map(_percent),
            "rated higher": gold["share_higher"].map(_percent),
        }
    )


def repeats_view(repeats: pd.DataFrame) -> pd.DataFrame:
    """Return how items shown twice were answered, for people, without columns that say nothing."""
    table = pd.DataFrame(
        {
            "annotator": repeats["annotator"],
            "criterion": repeats["criterion"],
            "pairs": repeats["n_pairs"],
            "answered the same": repeats["share_equal"].map(_percent),
            "mean difference": repeats["mean_difference"].map("{:+.2f}".format),
            "kappa": [estimate_text(kappa, math.nan, math.nan) for kappa in repeats["kappa"]],
            "note": repeats["note"],
        }
    )
    empty = [] if (table["note"] != "").any() else ["note"]
    # Preferences have none.
    empty += ["mean difference"] if repeats["mean_difference"].isna().all() else []
    return table.drop(columns=empty)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def item_table(ratings: pd.DataFrame, items: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Return one row per response: each annotator's rating, the mean, and how far they differ.

    Args:
        ratings: The rows that count.
        items: The table ``rated_items``.
        criterion: Whose ratings. A column ``automatic`` holds its scores, where there are any.
    """
    # Of a text that several systems share, every row tells the same; of a pair, the first counts.
    part = ratings[ratings["criterion"] == criterion].sort_values("system", kind="stable")
    wide = part.pivot_table(
        index="item_code", columns="annotator", values="value", aggfunc="first"
    )
    table = items[items["criterion"] == criterion].reset_index(drop=True)
    table["system"] = [
        ", ".join(system_name(name) for name in names.split(", ")) for names in table["system"]
    ]
    given = wide.reindex(table["item_code"]).reset_index(drop=True).rename_axis(columns=None)
    last = ["mean", "spread", *(["automatic"] if table["automatic"].notna().any() else [])]
    keys = ["item_code", "data_set", "prompt_index", "system"]
    return pd.concat([table[keys], given, table[last]], axis=1)


def ratings_of(ratings: pd.DataFrame, item_code: str) -> pd.DataFrame:
    """Return all ratings of one item: a row per annotator, a column per criterion."""
    own = ratings[ratings["item_code"] == item_code]
    criteria = list(dict.fromkeys(own["criterion"]))
    own = own.sort_values("system", kind="stable")  # as in ``item_table``
    wide = own.pivot_table(index="annotator", columns="criterion", values="value", aggfunc="first")
    return wide[criteria].rename_axis(columns=None)
