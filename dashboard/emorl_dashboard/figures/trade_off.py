"""Two objectives against each other: the evaluated directions, and what nothing dominates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from emorl_dashboard.figures.palette import Ink, style
from emorl_dashboard.figures.points import (
    flat_kind,
    legend_below,
    named,
    ring,
    score_axis,
    scores_of,
)

_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOffContent:
    """What to draw; frames come from ``frames.trade_off``."""

    points: pd.DataFrame
    exact: pd.DataFrame
    stairs: pd.DataFrame
    objectives: Sequence[str]
    x: str
    y: str
    value: str
    value_range: tuple[float, float]
    selected: pd.DataFrame
    """No row, or the selected direction with its scores and standard errors."""
    is_compact: bool = False


def trade_off(content: TradeOffContent, colours: Ink) -> go.Figure:
    """Draw one score against another; the front in all objectives has diamonds."""
    figure = go.Figure()
    _add_exact(figure, content, colours)
    if not content.stairs.empty:
        figure.add_scatter(
            x=content.stairs["x"],
            y=content.stairs["y"],
            mode="lines",
            line={"color": colours.muted, "width": 1.5},
            name="front of these two alone",
            hoverinfo="skip",
        )
    for on_front, name in ((False, "dominated"), (True, "Pareto front of all objectives")):
        rows = content.points[content.points["on_front"] == on_front]
        if rows.empty:
            continue
        marker: dict[str, Any] = {
            "symbol": "diamond" if on_front else "circle",
            "size": 11 if on_front else 7,
            "opacity": 1 if on_front else 0.8,
            "color": scores_of(rows, content.value),
            "coloraxis": "coloraxis",
            # The darkest scores are as dark as the dark page: the outline shows where they are.
            "line": {"color": colours.text, "width": 1},
        }
        figure.add_trace(
            {
                "type": flat_kind(len(content.points)),
                "x": scores_of(rows, content.x),
                "y": scores_of(rows, content.y),
                "mode": "markers",
                "name": name,
                "marker": marker,
                **named(rows, content.objectives, content.value),
            }
        )
    _add_selected(figure, content, colours)
    return style(
        figure,
        colours,
        height=460 if content.is_compact else 620,
        coloraxis=score_axis(content.value, content.value_range, colours),
        margin={"l": 56, "r": 12, "t": 56, "b": 150},
        legend=legend_below(),
        hovermode="closest",
        uirevision=f"{content.x} {content.y}",
        xaxis={"title": {"text": f"score of {content.x}"}},
        yaxis={"title": {"text": f"score of {content.y}"}},
    )


def _add_exact(figure: go.Figure, content: TradeOffContent, colours: Ink) -> None:
    if content.exact.empty:
        return
    figure.add_scatter(
        x=scores_of(content.exact, content.x),
        y=scores_of(content.exact, content.y),
        mode="markers",
        name="exact front over all weights (atlas)",
        marker={
            "symbol": "diamond-open",
            "size": 7,
            "color": colours.muted,
            "line": {"color": colours.muted, "width": 1},
        },
        customdata=content.exact["weights_text"].tolist(),
        hovertemplate=f"{content.x} %{{x:.3f}}<br>{content.y} %{{y:.3f}}"
        "<br>weights %{customdata}<extra>exact front</extra>",
    )


def _add_selected(figure: go.Figure, content: TradeOffContent, colours: Ink) -> None:
    if content.selected.empty:
        return
    row = content.selected
    bars = {
        f"error_{letter}": {
            "array": (_NORMAL_95 * row[f"{name}_se"]).fillna(0.0).tolist(),
            "color": colours.accent,
            "thickness": 1.5,
        }
        for letter, name in (("x", content.x), ("y", content.y))
    }
    figure.add_scatter(
        x=row[content.x],
        y=row[content.y],
        mode="markers",
        name="selected, with 95 % intervals",
        marker=ring(colours),
        hoverinfo="skip",
        **bars,
    )
