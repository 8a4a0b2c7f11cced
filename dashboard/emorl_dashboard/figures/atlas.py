"""One prompt's weight space cut into its responses."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from emorl.records import Weights
from emorl_dashboard.figures.palette import SCORE_SCALE, Ink, objective_colour, style
from emorl_dashboard.figures.points import score_axis
from emorl_dashboard.figures.simplex import HEIGHT, from_plane, to_plane
from emorl_dashboard.frames.atlas import RESPONSE, Shape, score_lines
from emorl_dashboard.frames.numbers import score_text

Floats = NDArray[np.float64]

RESPONSE_COLOURS = (
    "#77AADD",
    "#EE8866",
    "#EEDD88",
    "#FFAABB",
    "#99DDFF",
    "#44BB99",
    "#BBCC33",
    "#AAAA00",
)
"""Of the largest responses, in order: Tol's light qualitative scheme, made for filled areas that
colour-blind people tell apart; https://personal.sron.nl/~pault/."""

OTHER_COLOUR = "#B9BEC2"
"""Of all smaller responses."""

_OPEN_COLOUR = "#8A9299"
_INK_ON_COLOUR = "#1B2428"
_LINE_CHARACTERS = 64
_MOST_CHARACTERS = 480
_INTERVAL = 2
_BAR_HEIGHT = 0.3
_SQUARE = {"range": [-0.16, HEIGHT + 0.08], "scaleanchor": "x", "constrain": "domain"}
_NEAR = 0.03
"""A click this far outside is meant for the border."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMap:
    """What to draw; ``table`` comes from ``frames.atlas.cell_table``."""

    table: pd.DataFrame
    shapes: Sequence[Shape]
    objectives: Sequence[str]
    axes: Sequence[int]
    """Positions of the drawn objectives, two or three."""
    value: str
    """``response``, ``mean_reward`` or an objective."""
    value_range: tuple[float, float]
    selected_cell: int
    selected: Weights | None
    """Shares among the drawn objectives."""
    best: Weights | None = None
    """Of the best weights over all prompts."""
    best_region: Floats | None = None
    """Its corners, ``(n_corners, n_axes)``."""
    is_slice: bool = False
    """The other objectives keep their weights."""
    is_compact: bool = False
    """For a phone: lower."""


def response_colours(table: pd.DataFrame) -> dict[int, str]:
    """Return the colour of every cell: the largest have one of their own."""
    own = [*RESPONSE_COLOURS, *[OTHER_COLOUR] * len(table)]
    return {
        int(cell): _OPEN_COLOUR if is_open else colour
        for cell, is_open, colour in zip(table["cell"], table["is_open"], own, strict=False)
    }


def cell_map(content: CellMap, colours: Ink) -> go.Figure:
    """Draw two weights as a bar, three as a triangle, cut into responses; hover reads them."""
    figure = go.Figure()
    fills = _fills(content)
    rows = {int(row["cell"]): row for _, row in content.table.iterrows()}
    # The selected one last: its outline is not to be painted over.
    for shape in sorted(content.shapes, key=lambda shape: shape.cell == content.selected_cell):
        is_selected = shape.cell == content.selected_cell
        _add_cell(figure, content, shape, rows[shape.cell], fills[shape.cell], is_selected)
    _add_best(figure, content)
    _add_selected(figure, content)
    if content.value != RESPONSE:
        _add_scale(figure, content, colours)
    return _laid_out(figure, content, colours)


def place_of(x: float, y: float, n_axes: int) -> Weights | None:
    """Return the shares, summing to one, of a place in the figure; None well outside of it."""
    if n_axes == _INTERVAL:
        is_outside = not (-_NEAR <= x <= 1 + _NEAR and -_NEAR <= y <= _BAR_HEIGHT + _NEAR)
        second = min(1.0, max(0.0, x))
        return None if is_outside else (1.0 - second, second)
    inside = from_plane([(x, y)])
    if math.dist(to_plane(inside)[0], (x, y)) > _NEAR:
        return None
    return tuple(inside[0].tolist())


def hover_text(row: pd.Series, objectives: Sequence[str]) -> str:
    """Write scores, area and text of a row of ``cell_table``; the text is escaped."""
    head = f"<b>{100 * row['area']:.2f} % of all weights</b> · {row['n_words']} words"
    return f"{head}<br>{score_lines(row, objectives)}<br>{wrapped(row['text'])}"


def wrapped(text: str, *, most: int = _MOST_CHARACTERS) -> str:
    """Escape a text for a hover and break it into lines."""
    short = text if len(text) <= most else f"{text[:most]}…"
    lines = textwrap.wrap(short, _LINE_CHARACTERS) or ["(no words)"]
    return "<br>".join(html.escape(line) for line in lines)


def _fills(content: CellMap) -> dict[int, str]:
    if content.value == RESPONSE:
        return response_colours(content.table)
    low, high = content.value_range
    fills = {}
    for cell, value in zip(content.table["cell"], content.table[content.value], strict=True):
        if math.isfinite(value):
            place = min(1.0, max(0.0, (value - low) / (high - low)))
            fills[int(cell)] = sample_colorscale(SCORE_SCALE, [place])[0]
        else:
            fills[int(cell)] = _OPEN_COLOUR
    return fills


def _outline(corners: Floats) -> Floats:
    """Return the corners in the figure's plane, ``(n_corners, 2)``."""
    if corners.shape[1] == _INTERVAL:
        low, high = float(corners[:, 1].min()), float(corners[:, 1].max())
        top = _BAR_HEIGHT
        return np.array([[low, 0.0], [high, 0.0], [high, top], [low, top]])
    return to_plane(corners)


def _place(weights: Weights) -> Floats:
    if len(weights) == _INTERVAL:
        return np.array([weights[1], _BAR_HEIGHT / 2])
    place: Floats = to_plane([weights])[0]
    return place


def _add_cell(
    figure: go.Figure,
    content: CellMap,
    shape: Shape,
    row: pd.Series,
    fill: str,
    is_selected: bool,
) -> None:
    outline = _outline(shape.corners)
    closed = np.vstack([outline, outline[:1]])
    dash = "dot" if row["is_open"] else "solid"
    figure.add_scatter(
        x=closed[:, 0],
        y=closed[:, 1],
        mode="lines",
        fill="toself",
        fillcolor=fill,
        line={
            "color": _INK_ON_COLOUR if is_selected else "#FFFFFF",
            "width": 3 if is_selected else 1,
            "dash": dash,
        },
        hoveron="fills",
        hoverinfo="text",
        text=hover_text(row, content.objectives),
        name=f"response {shape.cell}",
        showlegend=False,
    )


def _add_best(figure: go.Figure, content: CellMap) -> None:
    if content.best_region is not None:
        outline = _outline(content.best_region)
        closed = np.vstack([outline, outline[:1]])
        for colour, width in (("#FFFFFF", 5), (_INK_ON_COLOUR, 2)):
            figure.add_scatter(
                x=closed[:, 0],
                y=closed[:, 1],
                mode="lines",
                line={"color": colour, "width": width},
                hoverinfo="skip",
                name="best region",
                showlegend=False,
            )
    if content.best is not None:
        # A marker too: the best region can be smaller than a pixel.
        _add_mark(figure, content.best, "best weights over all prompts", "star", 15)


def _add_selected(figure: go.Figure, content: CellMap) -> None:
    if content.selected is not None:
        _add_mark(figure, content.selected, "selected weights", "circle", 12)


def _add_mark(figure: go.Figure, weights: Weights, name: str, symbol: str, size: int) -> None:
    # Dark on white on dark: seen on every colour of the map.
    x, y = _place(weights)
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        marker={
            "symbol": symbol,
            "size": size,
            "color": "#FFFFFF",
            "line": {"color": _INK_ON_COLOUR, "width": 2.5},
        },
        name=name,
        hoverinfo="skip",
    )


def _add_scale(figure: go.Figure, content: CellMap, colours: Ink) -> None:
    low, high = content.value_range
    scale = score_axis(content.value, content.value_range, colours)
    ticks = (low, (low + high) / 2, high)
    scale["colorbar"] |= {"tickvals": ticks, "ticktext": [score_text(tick) for tick in ticks]}
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker=scale | {"color": [low], "showscale": True},
        hoverinfo="skip",
        showlegend=False,
        name="colours",
    )


def _laid_out(figure: go.Figure, content: CellMap, colours: Ink) -> go.Figure:
    is_bar = len(content.axes) == _INTERVAL
    height = 300 if is_bar else (420 if content.is_compact else 560)
    hidden: dict[str, Any] = {"visible": False, "fixedrange": True}
    rows = {"range": [-0.14, _BAR_HEIGHT + 0.04]} if is_bar else _SQUARE
    return style(
        figure,
        colours,
        height=height,
        margin={"l": 4, "r": 4, "t": 56 if content.value != RESPONSE else 12, "b": 4},
        dragmode=False,
        hovermode="closest",
        legend={"yanchor": "top", "y": 0.0 if is_bar else 0.02, "x": 0.0, "font": {"size": 12}},
        xaxis=hidden | {"range": [-0.04, 1.04], "constrain": "domain"},
        yaxis=hidden | rows,
        annotations=_corner_names(content, colours),
    )


def _corner_names(content: CellMap, colours: Ink) -> list[dict[str, Any]]:
    top = 0.0 if len(content.axes) == _INTERVAL else HEIGHT
    corners = (
        (0.0, 0.0, "left", "top"),
        (1.0, 0.0, "right", "top"),
        (0.5, top, "center", "bottom"),
    )
    word = "most" if content.is_slice else "only"
    return [
        {
            "x": x,
            "y": y,
            "text": f"<b>{word} {html.escape(content.objectives[axis])}</b>",
            "showarrow": False,
            "xanchor": xanchor,
            "yanchor": yanchor,
            "font": {"color": objective_colour(axis, colours), "size": 13},
        }
        for axis, (x, y, xanchor, yanchor) in zip(content.axes, corners, strict=False)
    ]
