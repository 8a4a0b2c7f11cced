"""Parallel coordinates: each evaluated direction a line over its weights and its scores.

Plotly's own kind of plot can neither be clicked nor show a selected line: lines are drawn on
plain axes instead, in bins of colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from emorl_dashboard.figures.palette import (
    SCORE_SCALE,
    Ink,
    contrast,
    hex_colour,
    objective_colour,
    style,
)
from emorl_dashboard.figures.points import flat_kind, score_axis, scores_of
from emorl_dashboard.frames.weight_space import MEAN_REWARD

Floats = NDArray[np.float64]

N_BINS = 24
_LEAST_CONTRAST = 1.5
"""Lines whose colour is closer to the page's have edges: the darkest on a dark page, say."""
EDGES = "edges"
_MOST_TWO_LINES = 9
"""Axes up to which names of two lines fit beside each other, upright in a narrow window."""
MOST_CLICKABLE = 400
"""Lines that have points to hover and click, the best ones; all lines are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelContent:
    """What to draw."""

    points: pd.DataFrame
    """Each direction once, from ``frames.weight_space.evaluation_frame``, with scores."""
    objectives: Sequence[str]
    value: str
    value_range: tuple[float, float]
    selected: pd.DataFrame
    """No row, or the selected direction with its scores."""
    is_compact: bool = False


def parallel_coordinates(content: ParallelContent, colours: Ink) -> go.Figure:
    """Draw shares of the weights, then the scores; brighter lines are better, and on top."""
    figure = go.Figure()
    rows = content.points.sort_values(content.value, kind="stable")
    values = axis_values(rows, content.objectives)
    ranges = _ranges(values, len(content.objectives))
    _add_lines(figure, content, _placed(values, ranges), scores_of(rows, content.value), colours)
    best = slice(-MOST_CLICKABLE, None)
    _add_points(figure, content, rows.iloc[best], values[best], ranges, colours)
    if not content.selected.empty:
        own = axis_values(content.selected, content.objectives)
        figure.add_scatter(
            x=np.arange(own.shape[1]),
            y=np.clip(_placed(own, ranges)[0], 0.0, 1.0),
            mode="lines+markers",
            line={"color": colours.accent, "width": 3},
            marker={"color": colours.accent, "size": 8},
            name="selected",
            hoverinfo="skip",
        )
    n_axes = values.shape[1]
    return style(
        figure,
        colours,
        height=520 if content.is_compact else 560,
        coloraxis=score_axis(content.value, content.value_range, colours),
        margin={"l": 24, "r": 24, "t": 64, "b": 24},
        showlegend=False,
        hovermode="closest",
        uirevision="keep the view",
        xaxis=_named_ticks(content.objectives, colours) | {"range": [-0.3, n_axes - 0.7]},
        yaxis={"visible": False, "range": [-0.07, 1.08]},
        shapes=[_axis_line(axis, colours) for axis in range(n_axes)],
        annotations=_ends(ranges, colours),
    )


def axis_values(rows: pd.DataFrame, objectives: Sequence[str]) -> Floats:
    """Return shares of the weights, scores and mean reward, ``(n_rows, 2 n_objectives + 1)``."""
    weights = rows[[f"w_{name}" for name in objectives]].to_numpy(dtype=float)
    shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    scores = rows[[*objectives, MEAN_REWARD]].to_numpy(dtype=float)
    return np.concatenate([shares, scores], axis=1)


def _ranges(values: Floats, n_objectives: int) -> Floats:
    """Return the ends of every axis, ``(2, n_axes)``: shares from 0 to 1, scores as they are."""
    n_axes = values.shape[1]
    if not len(values):
        return np.array([[0.0] * n_axes, [1.0] * n_axes])
    low, high = values.min(axis=0), values.max(axis=0)
    low[:n_objectives], high[:n_objectives] = 0.0, 1.0
    flat = high - low < 1e-6
    low[flat], high[flat] = low[flat] - 0.5, high[flat] + 0.5
    return np.stack([low, high])


def _placed(values: Floats, ranges: Floats) -> Floats:
    placed: Floats = (values - ranges[0]) / (ranges[1] - ranges[0])
    return placed


def _add_lines(
    figure: go.Figure,
    content: ParallelContent,
    placed: Floats,
    scores: NDArray[np.float32],
    colours: Ink,
) -> None:
    low, high = content.value_range
    bins = np.clip((scores - low) / max(high - low, 1e-9) * N_BINS, 0, N_BINS - 1).astype(int)
    n_axes = placed.shape[1]
    palette = sample_colorscale(SCORE_SCALE, (np.arange(N_BINS) + 0.5) / N_BINS, colortype="tuple")
    opacity = 0.7 if len(placed) <= MOST_CLICKABLE else 0.35
    for one in np.unique(bins):
        lines = placed[bins == one]
        # NaN lifts the pen between two lines.
        y = np.concatenate([lines, np.full((len(lines), 1), np.nan)], axis=1).ravel()
        x = np.tile(np.append(np.arange(n_axes, dtype=np.float32), np.nan), len(lines))
        trace = {
            "type": flat_kind(len(placed)),
            "x": x.astype(np.float32),
            "y": y.astype(np.float32),
            "mode": "lines",
            "opacity": opacity,
            "hoverinfo": "skip",
        }
        line = hex_colour(palette[one])
        if contrast(line, colours.page) < _LEAST_CONTRAST:
            edge = {"color": colours.muted, "width": 3}
            figure.add_trace(trace | {"line": edge, "name": EDGES, "opacity": opacity / 2})
        figure.add_trace(trace | {"line": {"color": line, "width": 1.5}, "name": "directions"})


def _add_points(
    figure: go.Figure,
    content: ParallelContent,
    rows: pd.DataFrame,
    values: Floats,
    ranges: Floats,
    colours: Ink,
) -> None:
    texts = rows["weights_text"].tolist()
    placed = _placed(values, ranges)
    names = [name for name, _ in _axis_names(content.objectives)]
    for axis, name in enumerate(names):
        figure.add_scatter(
            x=np.full(len(rows), axis, dtype=np.float32),
            y=placed[:, axis].astype(np.float32),
            mode="markers",
            marker={
                "size": 6,
                "color": scores_of(rows, content.value),
                "coloraxis": "coloraxis",
                "line": {"color": colours.muted, "width": 0.5},
            },
            customdata=texts,
            text=values[:, axis].astype(np.float32),
            hovertemplate=f"{name} <b>%{{text:.3f}}</b>"
            f"<br>{content.value.replace('_', ' ')} %{{marker.color:.3f}}"
            "<br>weights %{customdata}<extra></extra>",
            name=name,
        )


def _axis_names(objectives: Sequence[str]) -> list[tuple[str, int | None]]:
    """Return what each axis shows, and whose colour it has (None: all objectives)."""
    shares = [(f"share of {name}", place) for place, name in enumerate(objectives)]
    scores = [(f"score of {name}", place) for place, name in enumerate(objectives)]
    return [*shares, *scores, ("mean reward", None)]


def _axis_line(axis: int, colours: Ink) -> dict[str, Any]:
    line = {"color": colours.muted, "width": 1}
    ends = {"x0": axis, "x1": axis, "y0": 0, "y1": 1}
    return {"type": "line", "line": line, "layer": "below", **ends}


def _named_ticks(objectives: Sequence[str], colours: Ink) -> dict[str, Any]:
    """Return the x axis: Plotly turns the names upright where they would run into each other."""
    named = _axis_names(objectives)
    return {
        "tickvals": list(range(len(named))),
        "ticktext": [
            _tick(name, place, colours, in_two_lines=len(named) <= _MOST_TWO_LINES)
            for name, place in named
        ],
        "autotickangles": [0, -90],
        "automargin": True,
        "showgrid": False,
        "fixedrange": True,
    }


def _tick(name: str, place: int | None, colours: Ink, *, in_two_lines: bool) -> str:
    colour = colours.text if place is None else objective_colour(place, colours)
    text = "<br>".join(name.replace(" of ", " ").split(" ", 1)) if in_two_lines else name
    return f'<span style="color:{colour}"><b>{text}</b></span>'


def _ends(ranges: Floats, colours: Ink) -> list[dict[str, Any]]:
    """Return the numbers at both ends of every axis."""
    return [
        {
            "x": axis,
            "y": y,
            "text": f"{value:.2f}".rstrip("0").rstrip("."),
            "showarrow": False,
            "yanchor": anchor,
            "font": {"color": colours.muted, "size": 11},
        }
        for y, anchor, values in ((-0.01, "top", ranges[0]), (1.01, "bottom", ranges[1]))
        for axis, value in enumerate(values.tolist())
    ]
