"""The best so far against what was measured, for every stored search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from emorl_dashboard.figures.lines import above_level, level_line
from emorl_dashboard.figures.palette import Ink, style
from emorl_dashboard.figures.points import (
    flat_kind,
    legend_below,
    named,
    ring,
    score_axis,
    scores_of,
)
from emorl_dashboard.frames.history import improvements
from emorl_dashboard.frames.weight_space import MEAN_REWARD

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def search_history(
    history: pd.DataFrame,
    objectives: Sequence[str],
    colours: Ink,
    *,
    upper_bound: float | None = None,
    selected: str = "",
    is_compact: bool = False,
) -> go.Figure:
    """Draw what each search measured, and a line for its best until then.

    Args:
        history: From ``frames.history.history_frame``.
        objectives: Names of weights and scores.
        colours: Inks of the theme.
        upper_bound: What no weights exceed, as proven in the atlas.
        selected: Direction key of the selected point.
        is_compact: For a phone: lower.
    """
    figure = go.Figure()
    low, high = _range(history, upper_bound)
    if not history.empty:
        figure.add_trace(
            {
                "type": flat_kind(len(history)),
                "x": history["n_measured"],
                "y": scores_of(history, MEAN_REWARD),
                "mode": "markers",
                "name": "measured directions",
                "marker": {
                    "size": 7,
                    "color": scores_of(history, MEAN_REWARD),
                    "coloraxis": "coloraxis",
                    "line": {"color": colours.text, "width": 0.5},
                },
                **named(history, objectives, MEAN_REWARD),
            }
        )
    for place, search in enumerate(history["search"].unique()):
        own = improvements(history, search)
        figure.add_scatter(
            x=own["n_measured"],
            y=own["best"],
            mode="lines",
            line={
                "shape": "hv",
                "color": colours.text,
                "width": 2.5,
                "dash": _DASHES[place % len(_DASHES)],
            },
            name=f"best so far, {search} search",
            hovertemplate="best %{y:.4f} after %{x} measured<extra></extra>",
        )
    chosen = history[history["direction_key"] == selected]
    if not chosen.empty:
        figure.add_scatter(
            x=chosen["n_measured"],
            y=chosen[MEAN_REWARD],
            mode="markers",
            marker=ring(colours),
            name="selected",
            hoverinfo="skip",
        )
    room = max(0.01, 0.06 * (high - low))
    return style(
        figure,
        colours,
        height=400 if is_compact else 480,
        coloraxis=score_axis(MEAN_REWARD, (low, high), colours) | {"showscale": False},
        legend=legend_below(),
        margin={"l": 56, "r": 12, "t": 24, "b": 120 if is_compact else 100},
        hovermode="closest",
        uirevision="keep the view",
        xaxis={"title": {"text": "measured directions"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "mean reward"}, "range": [low - room, high + room]},
        **_bound(upper_bound, colours.accent),
    )


def _bound(upper_bound: float | None, colour: str) -> dict[str, Any]:
    if upper_bound is None:
        return {}
    text = f"no weights exceed {upper_bound:.4f} (proven)"
    line = {"color": colour, "width": 1.5, "dash": "dash"}
    return {
        "shapes": [level_line(upper_bound, line)],
        "annotations": [above_level(upper_bound, text, colour)],
    }


def _range(history: pd.DataFrame, upper_bound: float | None) -> tuple[float, float]:
    values = [*history[MEAN_REWARD], *([] if upper_bound is None else [upper_bound])]
    return (min(values), max(values)) if values else (0.0, 1.0)
