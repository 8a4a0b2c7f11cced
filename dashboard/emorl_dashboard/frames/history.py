"""How fast each search found its best weights."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from emorl_dashboard.frames.weight_space import MEAN_REWARD

_NAME = ["search", "round", "point", "kind", "weights_text"]
"""What names an evaluation: later rounds come back to weights of earlier ones."""


def history_frame(frame: pd.DataFrame, shown: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the measured directions in the order of their search, with the best until then.

    Args:
        frame: From ``weight_space.evaluation_frame``. Points that share a measured score cost
            nothing and are not counted.
        shown: The rows of ``frame`` that pass the filters; all are counted, these come back.

    Returns:
        The columns of ``frame``, ``n_measured`` (1, 2, ... within each search) and ``best``.
    """
    measured = frame[(frame["kind"] == "measured") & frame[MEAN_REWARD].notna()]
    groups = measured.groupby("search", sort=False)[MEAN_REWARD]
    counted = measured.assign(n_measured=groups.cumcount() + 1, best=groups.cummax())
    if shown is not None:
        passing = set(_names(shown))
        counted = counted[[name in passing for name in _names(counted)]]
    return counted.reset_index(drop=True)


def _names(frame: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    # Other searches have no rounds; a number that is none equals nothing, itself included.
    return frame[_NAME].astype(object).fillna("").itertuples(index=False, name=None)


def improvements(history: pd.DataFrame, search: str) -> pd.DataFrame:
    """Return the rows of one search where its best rises, and its last row."""
    own = history[history["search"] == search]
    rises = own["best"] > own["best"].shift(fill_value=-1.0)
    rises.iloc[-1:] = True
    return own[rises]


def history_note(history: pd.DataFrame, upper_bound: float | None) -> str:
    """Say when each search had its best, and what is left to the proven bound."""
    told = []
    for search, own in history.groupby("search", sort=False):
        best = float(own["best"].iloc[-1])
        first = int(own.loc[own["best"] == best, "n_measured"].iloc[0])
        told.append(f"{search}: {best:.4f} after {first:,} of {len(own):,} measured directions")
    if upper_bound is not None and len(history):
        left = max(0.0, upper_bound - float(history["best"].max()))
        told.append(
            f"proven: no weights exceed {upper_bound:.4f}, so at most {left:.4f} is left"
            if left >= 5e-5
            else f"proven: no weights exceed {upper_bound:.4f}, so nothing is left to find"
        )
    return "; ".join(told) + "." if told else ""
