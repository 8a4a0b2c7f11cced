"""A check of the means that does not take the scale's steps for equal: a cumulative logit."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.analysis.cells import in_order

Floats = NDArray[np.float64]

REFERENCE = "base"
"""The system that others are compared with, where the study has it; else the first by name."""
COLUMNS = (
    "criterion",
    "system",
    "reference",
    "log_odds",
    "low",
    "high",
    "n_items",
    "n_ratings",
    "note",
)
_Z = 1.959963984540054
_RUNAWAY = 12.0
"""Log odds beyond which the data separate a system fully: the estimate has no end."""


def ordinal_model(ratings: pd.DataFrame) -> pd.DataFrame:
    """Fit one proportional-odds model per criterion, with ``COLUMNS``.

    ``log_odds`` says by how much a system's odds of a higher rating exceed the reference's, on
    the log scale, with annotators and data sets held equal. Ratings of a source item may depend
    on each other in any way: the errors are robust sandwich errors by source item.

    Args:
        ratings: From ``cells.study_ratings``.

    Source:
        Heagerty and Zeger, "Marginal regression models for clustered ordinal measurements",
        JASA 91, 1996; ``statsmodels`` OrdinalGEE with independence as working structure.
    """
    rows: list[dict[str, object]] = []
    for criterion in in_order(ratings["criterion"]):
        rows += _fit(criterion, ratings[ratings["criterion"] == criterion])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _fit(criterion: str, part: pd.DataFrame) -> list[dict[str, object]]:
    systems = sorted(part["system"].unique())
    reference = REFERENCE if REFERENCE in systems else systems[0]
    others = [system for system in systems if system != reference]
    names = {
        "criterion": criterion,
        "reference": reference,
        "n_items": int(part["source_item"].nunique()),
        "n_ratings": len(part),
    }
    why = _why_not(part, others)
    effects = None if why else _effects(part, others)
    if effects is None:
        why = why or "The model does not converge: some system has too few different ratings."
        empty = {"log_odds": np.nan, "low": np.nan, "high": np.nan, "note": why}
        return [names | {"system": system} | empty for system in others]
    rows: list[dict[str, object]] = []
    for system, effect, error in zip(others, *effects, strict=True):
        runaway = abs(effect) > _RUNAWAY
        ends = (np.nan, np.nan) if runaway else (effect - _Z * error, effect + _Z * error)
        note = "The ratings separate it fully: no finite interval." if runaway else ""
        rows.append(
            names
            | {"system": system, "log_odds": effect, "low": ends[0], "high": ends[1], "note": note}
        )
    return rows


def _why_not(part: pd.DataFrame, others: list[str]) -> str:
    if not others:
        return "A comparison needs two systems."
    if part["value"].nunique() < 2:
        return "All ratings are the same: no model can tell systems apart."
    if part["source_item"].nunique() < 2:
        return "One source item alone: its ratings give no robust error."
    return ""


def _effects(part: pd.DataFrame, others: list[str]) -> tuple[Floats, Floats] | None:
    """Return estimates and robust errors of the systems; None if the fit fails."""
    # Imported here: a second's worth of modules that no other page needs.
    from statsmodels.genmod.cov_struct import Independence
    from statsmodels.genmod.generalized_estimating_equations import OrdinalGEE

    ordered = part.sort_values("source_item", kind="stable")
    columns = [ordered["system"] == system for system in others]
    for name in ("annotator", "data_set"):
        columns += [ordered[name] == value for value in sorted(ordered[name].unique())[1:]]
    design = np.column_stack([column.to_numpy(dtype=np.float64) for column in columns])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of is told by the row's note
        try:
            fitted = OrdinalGEE(
                ordered["value"].to_numpy(dtype=np.float64),
                design,
                groups=pd.factorize(ordered["source_item"])[0],
                cov_struct=Independence(),
            ).fit(maxiter=100)
            # The errors are computed when they are read: a singular design may fail only here.
            estimates, errors = np.asarray(fitted.params), np.asarray(fitted.bse)
        # A fit that estimates nothing is None, and statsmodels reads attributes of it too.
        except (np.linalg.LinAlgError, ValueError, FloatingPointError, AttributeError):
            return None
    start = part["value"].nunique() - 1  # thresholds come first
    chosen = slice(start, start + len(others))
    if not np.isfinite(estimates).all() or not np.isfinite(errors).all():
        return None
    return estimates[chosen], errors[chosen]
