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

from dashboard.figures.palette import SCORE_SCALE, Ink, objective_colour, style
from dashboard.figures.points import flat_kind, score_axis, scores_of
from dashboard.frames.weight_space import MEAN_REWARD

Floats = NDArray[np.float64]

N_BINS = 24
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
    _add_lines(figure, content, _placed(values, ranges), scores_of(rows, content.value))
    best = slice(-MOST_CLICKABLE, None)
    _add_points(figure, content, rows.iloc[best], values[best], ranges)
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
        margin={"l": 24, "r": 24, "t": 64, "b": 120 if content.is_compact else 40},
        showlegend=False,
        hovermode="closest",
        uirevision="keep the view",
        xaxis={"visible": False, "range": [-0.3, n_axes - 0.7]},
        yaxis={"visible": False, "range": [-0.12, 1.08]},
        shapes=[_axis_line(axis, colours) for axis in range(n_axes)],
        annotations=_axis_texts(content, ranges, colours),
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
    figure: go.Figure, content: ParallelContent, placed: Floats, scores: NDArray[np.float32]
) -> None:
    low, high = content.value_range
    bins = np.clip((scores - low) / max(high - low, 1e-9) * N_BINS, 0, N_BINS - 1).astype(int)
    n_axes = placed.shape[1]
    palette = sample_colorscale(SCORE_SCALE, (np.arange(N_BINS) + 0.5) / N_BINS)
    opacity = 0.7 if len(placed) <= MOST_CLICKABLE else 0.35
    for one in np.unique(bins):
        lines = placed[bins == one]
        # NaN lifts the pen between two lines.
        y = np.concatenate([lines, np.full((len(lines), 1), np.nan)], axis=1).ravel()
        x = np.tile(np.append(np.arange(n_axes, dtype=np.float32), np.nan), len(lines))
        figure.add_trace(
            {
                "type": flat_kind(len(placed)),
                "x": x.astype(np.float32),
                "y": y.astype(np.float32),
                "mode": "lines",
                "line": {"color": palette[one], "width": 1.5},
                "opacity": opacity,
                "hoverinfo": "skip",
                "name": "directions",
            }
        )


def _add_points(
    figure: go.Figure, content: ParallelContent, rows: pd.DataFrame, values: Floats, ranges: Floats
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


def _two_lines(name: str) -> str:
    first, _, rest = name.replace(" of ", " ").partition(" ")
    return f"<b>{first}<br>{rest}</b>"


def _axis_line(axis: int, colours: Ink) -> dict[str, Any]:
    line = {"color": colours.muted, "width": 1}
    ends = {"x0": axis, "x1": axis, "y0": 0, "y1": 1}
    return {"type": "line", "line": line, "layer": "below", **ends}


def _axis_texts(content: ParallelContent, ranges: Floats, colours: Ink) -> list[dict[str, Any]]:
    """Return the annotations of all axes: both ends and the name of each."""
    texts: list[dict[str, Any]] = []
    for axis, (name, place) in enumerate(_axis_names(content.objectives)):
        colour = colours.text if place is None else objective_colour(place, colours)
        texts += [
            {
                "x": axis,
                "y": y,
                "text": f"{ranges[end, axis]:.2f}",
                "showarrow": False,
                "yanchor": anchor,
                "font": {"color": colours.muted, "size": 11 if content.is_compact else 12},
            }
            for y, anchor, end in ((-0.01, "top", 0), (1.01, "bottom", 1))
        ]
        texts.append(
            {
                "x": axis,
                "y": -0.07,
                "text": f"<b>{name}</b>" if content.is_compact else _two_lines(name),
                "showarrow": False,
                "yanchor": "top",
                "textangle": -90 if content.is_compact else 0,
                "font": {"color": colour, "size": 12},
            }
        )
    return texts
