"""Strengths from preferences, shaped for the figure, and what has to be known to read them."""

from __future__ import annotations

import pandas as pd

from emorl_dashboard.frames.results import estimate_of, interval_frame, interval_row, system_name


def strength_rows(bradley_terry: pd.DataFrame, criterion: str) -> pd.DataFrame:
    """Return Bradley-Terry strengths as rows of intervals, best first; ties are left out.

    Groups of systems that nothing compares are series of their own, and so are the parts of a
    group between which only the order is known.
    """
    part = bradley_terry[
        (bradley_terry["criterion"] == criterion) & (bradley_terry["system"] != "(tie)")
    ]
    n_parts = part.groupby("group")["part"].nunique()
    rows = []
    for row in part.to_dict("records"):
        estimate = estimate_of(row, "strength")
        told = f"{row['n_preferences']} preferences on {row['n_items']} prompts"
        if row["n_equal_texts"]:
            told += f"<br>equal texts, not compared: {row['n_equal_texts']}"
        where = [f"group {row['group']}"] if len(n_parts) > 1 else []
        where += [f"part {row['part']}"] if n_parts[row["group"]] > 1 else []
        series = f"strength within {', '.join(where)}" if where else "strength"
        rows.append(interval_row(system_name(row["system"]), series, estimate, told))
    return interval_frame(rows)


def strength_sentences(bradley_terry: pd.DataFrame, criterion: str) -> list[str]:
    """Return what has to be known to read the strengths of a criterion."""
    part = bradley_terry[bradley_terry["criterion"] == criterion]
    groups = part[part["system"] != "(tie)"].groupby("group")["system"]
    found = []
    if len(groups) > 1:
        told = "; ".join(
            f"group {number}: {', '.join(sorted(map(system_name, names)))}"
            for number, names in groups
        )
        found.append(
            "No chain of comparisons joins these groups, so strengths of different groups cannot "
            f"be compared: {told}."
        )
    for number, of_group in part[part["system"] != "(tie)"].groupby("group"):
        own = [
            ", ".join(sorted(map(system_name, names)))
            for _, names in of_group.groupby("part")["system"]
        ]
        if len(own) > 1:
            about = f"In group {number}, wherever" if len(groups) > 1 else "Wherever"
            told = "; ".join(f"part {place}: {names}" for place, names in enumerate(own, 1))
            found.append(
                f"{about} systems of two parts were compared, the one of the earlier part won "
                f"every time ({told}). That tells their order and not by how much, so strengths "
                "of different parts cannot be compared; 0 is the average of a part."
            )
    n_equal = int(part["n_equal_texts"].sum()) // 2
    if n_equal:
        found.append(
            f"Left out: {n_equal} pairs of systems with the very same text to a prompt. Nobody "
            "was asked about them, and they count neither as ties nor as preferences."
        )
    return found
