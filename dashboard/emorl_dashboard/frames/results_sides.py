"""How annotators choose between two responses, shaped for figures: by the side of the page."""

from __future__ import annotations

import pandas as pd

from emorl_dashboard.frames.results import estimate_of, interval_frame, interval_row


def side_rows(sides: pd.DataFrame) -> pd.DataFrame:
    """Return how often each annotator preferred each side as rows of intervals, three a line.

    Args:
        sides: The table ``sides``.
    """
    rows = []
    for row in sides.to_dict("records"):
        label = f"{row['criterion']} · {row['annotator']}"
        told = f"{row['n_ratings']} pairs, of {row['n_items']} prompts"
        rows.append(interval_row(label, row["preferred"], estimate_of(row, "share"), told))
    return interval_frame(rows)
