"""The triangle of three weights: a field as an image, the evaluated directions on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from emorl.records import Weights
from emorl_dashboard.figures.palette import Ink, style
from emorl_dashboard.figures.points import flat_kind, named, ring, score_axis, scores_of
from emorl_dashboard.figures.simplex import (
    HEIGHT,
    add_outline,
    cover_outside,
    from_plane,
    to_plane,
    triangle_layout,
)
from emorl_dashboard.frames.numbers import weights_text

Floats = NDArray[np.float64]

N_COLUMNS = 180
"""Width of the image; a row per pixel of the same height."""
_N_ROWS = round(N_COLUMNS * HEIGHT)
_IMAGE_OPACITY = 0.8
_NEAR_PIXELS = 8
"""A click this near means the point, further away the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TernaryContent:
    """What to draw; a field comes as the scores of ``image_shares``."""

    points: pd.DataFrame
    objectives: Sequence[str]
    axes: Sequence[str]
    """The three objectives of the corners."""
    value: str
    value_range: tuple[float, float]
    field: NDArray[np.float32] | None = None
    """``(n_image_points,)``, NaN where nothing is shown."""
    best_region: Floats | None = None
    """Corners of the region of the proven best weights, ``(n_corners, 3)``; a single one if only
    these weights are known to be as good."""
    front: Floats | None = None
    """Weights of the exact front, ``(n_weights, 3)``."""
    selected: Weights | None = None
    """Of all objectives."""
    is_compact: bool = False


def image_shares() -> Floats:
    """Return the shares of three objectives at every place of the image; NaN outside.

    Returns:
        ``(n_image_points, 3)``, row by row from below, each summing to one.
    """
    xs, ys = _ticks()
    x, y = (axis.ravel() for axis in np.meshgrid(xs, ys))
    shares = from_plane(np.stack([x, y], axis=1))
    outside = np.abs(to_plane(shares) - np.stack([x, y], axis=1)).max(axis=1) > 1 / N_COLUMNS
    shares[outside] = np.nan
    return shares


def ternary_map(content: TernaryContent, colours: Ink) -> go.Figure:
    """Draw the triangle; every point carries its weights as text in ``customdata``."""
    figure = go.Figure()
    if content.field is not None:
        xs, ys = _ticks()
        figure.add_heatmap(
            x=xs,
            y=ys,
            z=content.field.reshape(len(ys), len(xs)),
            coloraxis="coloraxis",
            opacity=_IMAGE_OPACITY,
            hovertemplate=f"{content.value.replace('_', ' ')} %{{z:.3f}}<extra></extra>",
            hoverongaps=False,
            name="field of all weights",
        )
        cover_outside(figure, colours, 3 / N_COLUMNS)
    add_outline(figure, colours)
    _add_front(figure, content, colours)
    _add_points(figure, content, colours)
    _add_region(figure, content, colours)
    _add_selected(figure, content, colours)
    return style(
        figure,
        colours,
        height=420 if content.is_compact else 680,
        coloraxis=score_axis(content.value, content.value_range, colours),
        margin={"l": 8, "r": 8, "t": 56, "b": 40},
        legend={"yanchor": "top", "y": 0.0, "x": 0.0, "font": {"size": 12}},
        uirevision="keep the view",
        hovermode="closest",
        hoverdistance=_NEAR_PIXELS,
        **triangle_layout(
            content.objectives, colours, [content.objectives.index(name) for name in content.axes]
        ),
    )


def _ticks() -> tuple[Floats, Floats]:
    return np.linspace(0.0, 1.0, N_COLUMNS), np.linspace(0.0, HEIGHT, _N_ROWS)


def _shares_of(rows: pd.DataFrame, axes: Sequence[str]) -> Floats:
    shares: Floats = rows[[f"w_{name}" for name in axes]].to_numpy(dtype=np.float64)
    return shares


def _add_points(figure: go.Figure, content: TernaryContent, colours: Ink) -> None:
    shares = _shares_of(content.points, content.axes)
    rows = content.points[shares.sum(axis=1) > 0].drop_duplicates("direction_key")
    if rows.empty:
        return
    places = to_plane(_shares_of(rows, content.axes)).astype(np.float32)
    kind = flat_kind(len(rows))
    figure.add_trace(
        {
            "type": kind,
            "x": places[:, 0],
            "y": places[:, 1],
            "mode": "markers",
            "name": "evaluated directions",
            "marker": {
                "size": 9 if kind == "scatter" else 5,
                "color": scores_of(rows, content.value),
                "coloraxis": "coloraxis",
                "line": {"color": colours.text, "width": 1},
            },
            "legendrank": 1,
            **named(rows, content.objectives, content.value),
        }
    )


def _add_front(figure: go.Figure, content: TernaryContent, colours: Ink) -> None:
    if content.front is None or not len(content.front):
        return
    places = to_plane(content.front).astype(np.float32)
    figure.add_scatter(
        x=places[:, 0],
        y=places[:, 1],
        mode="markers",
        name="exact Pareto front",
        marker={
            "symbol": "diamond",
            "size": 6,
            "color": colours.surface,
            "line": {"color": colours.text, "width": 1},
        },
        customdata=[weights_text(row) for row in content.front.tolist()],
        hovertemplate="on the exact Pareto front<br>weights %{customdata}<extra></extra>",
    )


def _add_region(figure: go.Figure, content: TernaryContent, colours: Ink) -> None:
    if content.best_region is None or not len(content.best_region):
        return
    places = to_plane(np.vstack([content.best_region, content.best_region[:1]]))
    middle = content.best_region.mean(axis=0)
    is_proven = len(content.best_region) > 1
    # Often too small to see: a star says where to look.
    figure.add_scatter(
        x=places[:, 0],
        y=places[:, 1],
        mode="lines",
        line={"color": colours.text, "width": 2.5},
        name="best region",
        legendgroup="best",
        showlegend=False,
        hoverinfo="skip",
    )
    place = to_plane(middle[None])[0]
    figure.add_scatter(
        x=[place[0]],
        y=[place[1]],
        mode="markers",
        name="best of all weights, proven" if is_proven else "best weights known",
        legendgroup="best",
        marker={
            "symbol": "star",
            "size": 15,
            "color": colours.surface,
            "line": {"color": colours.text, "width": 1.5},
        },
        customdata=[weights_text(middle.tolist())],
        hovertemplate=f"{'proven best of all weights' if is_proven else 'best weights known'}"
        "<br>%{customdata}<extra></extra>",
    )


def _add_selected(figure: go.Figure, content: TernaryContent, colours: Ink) -> None:
    if content.selected is None:
        return
    own = [content.selected[list(content.objectives).index(name)] for name in content.axes]
    if not any(own):
        return
    place = to_plane([own])[0]
    figure.add_scatter(
        x=[place[0]],
        y=[place[1]],
        mode="markers",
        name="selected",
        marker=ring(colours, 18),
        customdata=[weights_text(content.selected)],
        hoverinfo="skip",
    )
