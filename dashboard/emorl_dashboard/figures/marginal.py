"""What one weight does to every objective: a panel per weight, a line per objective."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from emorl.records import Weights
from emorl_dashboard.figures.lines import upright_line
from emorl_dashboard.figures.palette import Ink, Settings, faded, objective_colour, style

_BAND_OPACITY = 0.18
_COLUMNS = {2: 2, 4: 2}
"""Panels beside each other, where it is not three."""


def effect_panels(
    effects: pd.DataFrame,
    objectives: Sequence[str],
    colours: Ink,
    *,
    selected: Weights | None = None,
    is_compact: bool = False,
) -> go.Figure:
    """Draw effects with 95 % intervals, one panel for each weight.

    Args:
        effects: From ``frames.marginal``; points that stand for weights carry them as text in
            ``customdata``.
        objectives: Names of weights and scores.
        colours: Inks of the theme.
        selected: Weights whose shares are marked.
        is_compact: Panels below each other, for a phone.
    """
    n_panels = len(objectives)
    n_columns = 1 if is_compact else _COLUMNS.get(n_panels, 3)
    n_rows = -(-n_panels // n_columns)
    figure = go.Figure(layout=_panels(n_rows, n_columns))
    axes: dict[str, Settings] = {}
    shapes = []
    for panel, weight in enumerate(objectives):
        number = "" if panel == 0 else str(panel + 1)
        own = effects[effects["weight"] == weight]
        for place, objective in enumerate(objectives):
            line = own[own["objective"] == objective].dropna(subset="mean")
            colour = objective_colour(place, colours)
            _add_line(figure, line, objective, colour, number)
        # Two lines and three ticks fit a third of a narrow window.
        title = {"text": f"share of<br>{weight}"}
        axes[f"xaxis{number}"] = {"title": title, "range": [-0.02, 1.02], "tickvals": [0, 0.5, 1]}
        if panel % n_columns == 0:
            axes[f"yaxis{number}"] = {"title": {"text": "score"}}
        if selected is not None and sum(selected) > 0:
            dots = {"color": colours.accent, "width": 2, "dash": "dot"}
            shapes.append(upright_line(selected[panel] / sum(selected), dots, axes=number))
    return style(
        figure,
        colours,
        height=300 * n_rows + 60 if n_rows > 1 else 420,
        every_yaxis={"range": _score_range(effects)},
        showlegend=False,
        hovermode="closest",
        uirevision="keep the view",
        margin={"l": 56, "r": 12, "t": 16, "b": 64},
        shapes=shapes,
        **axes,
    )


@cache
def _panels(n_rows: int, n_columns: int) -> go.Layout:
    # Plotly takes tens of milliseconds to lay them out.
    return make_subplots(
        n_rows, n_columns, shared_yaxes=True, vertical_spacing=0.3 / n_rows
    ).layout


def _add_line(
    figure: go.Figure, line: pd.DataFrame, objective: str, colour: str, axes: str
) -> None:
    if line.empty:
        return
    names = line["weights_text"]
    bounds = line.dropna(subset=["low", "high"])
    figure.add_scatter(
        x=[*bounds["share"], *bounds["share"][::-1]],
        y=[*bounds["high"], *bounds["low"][::-1]],
        fill="toself",
        fillcolor=faded(colour, _BAND_OPACITY),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        name=f"{objective}, 95 % interval",
        xaxis=f"x{axes}",
        yaxis=f"y{axes}",
    )
    figure.add_scatter(
        x=line["share"],
        y=line["mean"],
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"size": 5},
        customdata=names.tolist() if names.all() else None,
        text=[
            f"{mean:.3f} (95 % interval {low:.3f} to {high:.3f}, {n} prompts)"
            for mean, low, high, n in zip(
                line["mean"], line["low"], line["high"], line["n_prompts"], strict=True
            )
        ],
        hovertemplate=f"<b>{objective}</b> %{{text}}<br>share %{{x:.3f}}<extra></extra>",
        name=objective,
        xaxis=f"x{axes}",
        yaxis=f"y{axes}",
    )


def _score_range(effects: pd.DataFrame) -> list[float]:
    if effects.empty:
        return [0.0, 1.0]
    low = float(effects[["low", "mean"]].min().min())
    high = float(effects[["high", "mean"]].max().max())
    room = max(0.02, 0.04 * (high - low))
    return [low - room, high + room]
