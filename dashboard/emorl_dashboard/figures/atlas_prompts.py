"""The atlases of all prompts: where responses change, and for which prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from emorl.records import Weights
from emorl_dashboard.figures.atlas import wrapped
from emorl_dashboard.figures.palette import SCORE_SCALE, Ink, faded, style
from emorl_dashboard.figures.simplex import add_outline, to_plane, triangle_layout
from emorl_dashboard.frames.numbers import score_text

Floats = NDArray[np.float64]


def prompt_choice(table: pd.DataFrame, selected: int | None, colours: Ink) -> go.Figure:
    """Draw one point per prompt: how much the weights can change, and how much that matters.

    Args:
        table: From ``frames.atlas_prompts.prompt_table``; a point's ``customdata`` is its prompt.
        selected: Index of the selected prompt.
        colours: Inks of the theme.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=table["entropy"],
        y=table["spread"],
        mode="markers",
        marker={
            "size": 11,
            "color": table["n_responses"],
            "colorscale": SCORE_SCALE,
            "line": {"color": colours.surface, "width": 1},
            "colorbar": {
                "title": {"text": "responses", "font": {"size": 12, "color": colours.text}},
                "thickness": 10,
                "outlinewidth": 0,
                "tickfont": {"color": colours.muted},
            },
        },
        customdata=table["prompt_index"],
        hovertext=[_prompt_hover(row) for _, row in table.iterrows()],
        hoverinfo="text",
        name="prompts",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    own = table[table["prompt_index"] == selected]
    figure.add_scatter(
        x=own["entropy"],
        y=own["spread"],
        mode="markers",
        marker={
            "size": 18,
            "symbol": "circle-open",
            "color": colours.accent,
            "line": {"width": 3},
        },
        hoverinfo="skip",
        name="selected",
    )
    x_title = {"text": "entropy of the areas, bits"}
    y_title = {"text": "best − worst mean reward"}  # noqa: RUF001
    return style(
        figure,
        colours,
        height=420,
        showlegend=False,
        margin={"l": 56, "t": 34},
        dragmode=False,
        xaxis={"title": x_title, "rangemode": "tozero", "fixedrange": True},
        yaxis={"title": y_title, "fixedrange": True},
    )


def _prompt_hover(row: pd.Series) -> str:
    return (
        f"<b>{row['n_responses']} responses</b>, the largest for {100 * row['largest']:.1f} % of "
        f"all weights<br>mean reward {score_text(row['worst'])} to {score_text(row['best'])}<br>"
        f"{wrapped(row['prompt'], most=200)}"
    )


def border_map(
    lines: Floats,
    objectives: Sequence[str],
    marks: dict[str, Weights],
    n_prompts: int,
    colours: Ink,
    axes: Sequence[int] | None = None,
) -> go.Figure:
    """Draw the borders of all prompts over one triangle: dark where many responses change.

    Args:
        lines: From ``frames.atlas_prompts.border_lines``.
        objectives: Names of all.
        marks: Name and shares of what to mark, the selected weights for one.
        n_prompts: Number of prompts; the more, the fainter each line.
        colours: Inks of the theme.
        axes: Positions of the three that are drawn; None without others.
    """
    figure = go.Figure()
    known = np.isfinite(lines).all(axis=1)
    places = np.full((len(lines), 2), np.nan)
    if known.any():
        places[known] = to_plane(lines[known])
    opacity = float(np.clip(6.0 / max(1, n_prompts), 0.08, 0.6))
    figure.add_scatter(
        x=places[:, 0],
        y=places[:, 1],
        mode="lines",
        line={"color": faded(colours.text, opacity), "width": 1.5},
        hoverinfo="skip",
        name="borders",
        showlegend=False,
    )
    add_outline(figure, colours)
    _add_marks(figure, {name: to_plane([weights])[0] for name, weights in marks.items()}, colours)
    return style(
        figure,
        colours,
        height=420,
        margin={"l": 4, "r": 4, "t": 16, "b": 4},
        dragmode=False,
        legend={"yanchor": "top", "y": 0.03},
        **triangle_layout(objectives, colours, axes),
    )


def border_bar(
    steps: Floats,
    objectives: Sequence[str],
    marks: dict[str, Weights],
    n_prompts: int,
    colours: Ink,
) -> go.Figure:
    """Draw where responses change for two objectives: how many prompts have changed so far.

    Args:
        steps: From ``frames.atlas_prompts.border_steps``.
        objectives: Two names.
        marks: Name and weights of what to mark.
        n_prompts: Number of prompts.
        colours: Inks of the theme.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0.0, *steps, 1.0],
        y=[0, *range(1, len(steps) + 1), len(steps)],
        mode="lines",
        line={"shape": "hv", "color": colours.text, "width": 2},
        name=f"changes in {n_prompts} prompts",
        showlegend=False,
    )
    _add_marks(
        figure, {name: np.array([w[1] / sum(w), 0.0]) for name, w in marks.items()}, colours
    )
    x_title = {"text": f"share of {objectives[1]}"}
    return style(
        figure,
        colours,
        height=320,
        margin={"l": 56, "t": 24},
        dragmode=False,
        xaxis={"title": x_title, "range": [-0.02, 1.02], "tickformat": ".0%"},
        yaxis={"title": {"text": "changes of responses so far"}},
    )


def _add_marks(figure: go.Figure, places: dict[str, Floats], colours: Ink) -> None:
    symbols = ("circle", "star")
    for (name, place), symbol in zip(places.items(), symbols, strict=False):
        figure.add_scatter(
            x=[place[0]],
            y=[place[1]],
            mode="markers",
            marker={
                "symbol": symbol,
                "size": 13,
                "color": colours.surface,
                "line": {"color": colours.accent, "width": 3},
            },
            hoverinfo="skip",
            name=name,
        )
