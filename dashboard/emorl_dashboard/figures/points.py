"""What all views of evaluated points share: the scale of scores, what a point says, the ring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from emorl_dashboard.figures.palette import SCORE_SCALE, Ink
from emorl_dashboard.frames.weight_space import hover_texts

MANY_POINTS = 2_000
"""Above this, points are drawn by WebGL, and say their score and weights only."""

_LEAST_RANGE = 1e-3


def score_axis(value: str, value_range: tuple[float, float], colours: Ink) -> dict[str, Any]:
    """Return the colour axis of a score, its bar above the figure.

    Args:
        value: Name of the score.
        value_range: Lowest and highest; widened if it has no extent, as Plotly would make up one.
        colours: Inks of the theme.
    """
    low, high = value_range
    if high - low <= _LEAST_RANGE:
        low, high = low - _LEAST_RANGE, high + _LEAST_RANGE
    return {
        "colorscale": SCORE_SCALE,
        "cmin": low,
        "cmax": high,
        "colorbar": {
            "title": {
                "text": value.replace("_", " "),
                "side": "top",
                "font": {"size": 13, "color": colours.text},
            },
            "orientation": "h",
            "thickness": 10,
            "len": 0.6,
            "x": 0.5,
            "y": 1.0,
            "yanchor": "bottom",
            "tickfont": {"color": colours.muted},
            "outlinewidth": 0,
        },
    }


def scores_of(rows: pd.DataFrame, value: str) -> np.ndarray:
    """Return a score column in the precision that figures send."""
    scores: np.ndarray = rows[value].to_numpy(dtype=np.float32)
    return scores


def named(rows: pd.DataFrame, objectives: Sequence[str], value: str) -> dict[str, Any]:
    """Return what makes the points of a trace clickable and speak.

    Args:
        rows: From ``frames.weight_space.evaluation_frame``.
        objectives: Names of weights and scores.
        value: The score that colours the points.
    """
    if len(rows) <= MANY_POINTS:
        return {
            "customdata": rows["weights_text"].tolist(),
            "hovertext": hover_texts(rows, objectives),
            "hoverinfo": "text",
        }
    # A text per point would be most of what the browser has to load. An array: Plotly looks at a
    # list text by text, several times.
    return {
        "customdata": rows["weights_text"].to_numpy(dtype=object),
        "hovertemplate": f"<b>{value.replace('_', ' ')} %{{marker.color:.3f}}</b><br>"
        "weights %{customdata}<extra></extra>",
    }


def flat_kind(n_points: int) -> str:
    """Return the kind of a trace of so many points in the plane."""
    return "scattergl" if n_points > MANY_POINTS else "scatter"


def legend_below() -> dict[str, Any]:
    """Return a legend at the lower edge of the figure; the margin must leave it room."""
    return {"yref": "container", "yanchor": "bottom", "y": 0.0, "x": 0.0, "font": {"size": 12}}


def ring(colours: Ink, size: int = 16) -> dict[str, Any]:
    """Return the marker of the selected direction, the same in every view."""
    return {
        "symbol": "circle-open",
        "size": size,
        "color": colours.accent,
        "line": {"color": colours.accent, "width": 3},
    }
