"""The map of evaluated weights: the paper's Figure 5, to turn and to click."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.figures.cones import N_FACES, cone_mesh
from dashboard.figures.palette import FONT, Ink, style
from dashboard.figures.points import MANY_POINTS, flat_kind, named, ring, score_axis, scores_of
from dashboard.frames.numbers import weights_text
from dashboard.frames.weight_space import Box
from engine.records import Weights

_NAMES = {"measured": "measured", "shared": "shares a measured score", "zero": "not evaluated"}
_SYMBOLS = {"measured": "circle", "shared": "diamond", "zero": "circle-open"}
_SURFACES_FROM = 0.5
_LAST_SURFACE = 0.9
_N_SURFACES = 4
_SURFACE_OPACITY = 0.3
_FLAT_LIGHT = {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0}
"""Without shadows, so that colours keep their meaning."""
_IMAGE_OPACITY = 0.55
FIELD_NAME = "field of all weights"
"""Name of the trace of a field."""
_SIZES = {"measured": 7, "shared": 5, "zero": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapContent:
    """What to draw.

    ``points`` and ``path`` come from ``frames.weight_space``; ``value_range`` fixes the colours,
    so that they keep their meaning when the round changes.
    """

    points: pd.DataFrame
    path: pd.DataFrame
    boxes: Sequence[Box]
    objectives: Sequence[str]
    axes: Sequence[str]
    """Two or three objectives to lay out in space."""
    value: str
    value_range: tuple[float, float]
    selected: Weights | None = None
    field: np.ndarray | None = None
    """A score from ``frames.field.face_grid`` where there are just three objectives, else on a
    regular grid of the axes (``box_grid``); NaN where nothing is shown. Drawn as nested surfaces,
    or in two axes as an image."""
    is_compact: bool = False
    """For a phone: lower."""


def weight_map(content: MapContent, colours: Ink) -> go.Figure:
    """Draw the evaluated weights as points in two or three axes, coloured by a score.

    Every point carries its weights as text in ``customdata``, so that a click can name it.
    Without points the same axes are drawn.
    """
    figure = go.Figure()
    _add_field(figure, content)
    _add_boxes(figure, content, colours)
    for kind in _NAMES:
        _add_points(figure, content, kind, colours)
    _add_path(figure, content, colours)
    _add_selected(figure, content, colours)
    is_flat = len(content.axes) == 2
    return style(
        figure,
        colours,
        height=460 if content.is_compact else 620,
        coloraxis=score_axis(content.value, content.value_range, colours),
        legend={
            "orientation": "h",
            "yanchor": "top",
            "y": -0.14 if is_flat else 0.0,
            "x": 0.0,
            "font": {"size": 12},
        },
        uirevision="keep the camera",
        **(_flat_axes if is_flat else _space_axes)(content.axes, colours),
    )


def _axis(colours: Ink, title: str) -> dict[str, Any]:
    font = {"color": colours.text, "size": 14, "family": FONT}
    return {
        "range": [-0.04, 1.04],
        "dtick": 0.25,
        "gridcolor": colours.grid,
        "zeroline": False,
        "tickfont": {"color": colours.muted, "size": 12, "family": FONT},
        "title": {"text": title, "font": font},
    }


def _flat_axes(names: Sequence[str], colours: Ink) -> dict[str, Any]:
    across, up = (_axis(colours, f"weight of {name}") for name in names)
    return {
        "xaxis": across | {"constrain": "domain"},
        "yaxis": up | {"scaleanchor": "x", "constrain": "domain"},
        "margin": {"l": 56, "r": 12, "t": 56, "b": 90},
    }


def _space_axes(names: Sequence[str], colours: Ink) -> dict[str, Any]:
    # Not along the diagonal, where points with equal weights would hide each other.
    walls = {"backgroundcolor": "rgba(0,0,0,0)", "showbackground": False, "showspikes": False}
    # Short titles: in space every letter is cut into triangles, which takes milliseconds.
    axes = {
        f"{letter}axis": _axis(colours, name) | walls
        for letter, name in zip("xyz", names, strict=True)
    }
    camera = {"eye": {"x": 1.6, "y": 1.0, "z": 0.85}, "center": {"z": -0.1}}
    scene = {"aspectmode": "cube", "camera": camera, "uirevision": "keep the camera"}
    return {"scene": axes | scene, "margin": {"l": 0, "r": 0, "t": 44, "b": 0}}


def _add(figure: go.Figure, axes: Sequence[str], coordinates: np.ndarray, **trace: object) -> None:
    columns = coordinates.astype(np.float32).T
    if len(axes) == 2:
        figure.add_trace(
            {"type": flat_kind(len(coordinates)), "x": columns[0], "y": columns[1], **trace}
        )
    else:
        figure.add_scatter3d(x=columns[0], y=columns[1], z=columns[2], **trace)


def _add_field(figure: go.Figure, content: MapContent) -> None:
    if content.field is None or not np.isfinite(content.field).any():
        return
    if len(content.axes) == 2:
        _add_image(figure, content.field)
    elif len(content.objectives) == len(content.axes):
        _add_cones(figure, content.field)
    else:
        _add_surfaces(figure, content.field)


def _add_image(figure: go.Figure, field: np.ndarray) -> None:
    n_steps = round(field.size**0.5)
    ticks = np.linspace(0.0, 1.0, n_steps, dtype=np.float32)
    figure.add_heatmap(
        x=ticks,
        y=ticks,
        z=field.reshape(n_steps, n_steps).T,
        coloraxis="coloraxis",
        opacity=_IMAGE_OPACITY,
        hoverinfo="skip",
        name=FIELD_NAME,
    )


def _add_cones(figure: go.Figure, field: np.ndarray) -> None:
    n_steps = round((field.size / N_FACES) ** 0.5)
    low, high = _levels(field)
    corners, levels = cone_mesh(
        field.reshape(N_FACES, n_steps, n_steps), np.linspace(low, high, _N_SURFACES).tolist()
    )
    points = corners.reshape(-1, 3).astype(np.float32).T
    places = np.arange(points.shape[1], dtype=np.int32).reshape(-1, 3).T
    figure.add_mesh3d(
        **dict(zip("xyz", points, strict=True)),
        **dict(zip("ijk", places, strict=True)),
        intensity=np.repeat(levels, 3).astype(np.float32),
        opacity=_SURFACE_OPACITY,
        lighting=_FLAT_LIGHT,
        coloraxis="coloraxis",
        hoverinfo="skip",
        name=FIELD_NAME,
    )


def _add_surfaces(figure: go.Figure, field: np.ndarray) -> None:
    n_steps = round(field.size ** (1 / 3))
    ticks = np.linspace(0.0, 1.0, n_steps, dtype=np.float32)
    x, y, z = (axis.ravel() for axis in np.meshgrid(ticks, ticks, ticks, indexing="ij"))
    low, high = _levels(field)
    figure.add_isosurface(
        x=x,
        y=y,
        z=z,
        value=np.where(np.isnan(field), low - 1, field).astype(np.float32),
        isomin=low,
        isomax=high,
        surface={"count": _N_SURFACES},
        caps={f"{letter}_show": False for letter in "xyz"},
        opacity=_SURFACE_OPACITY,
        lighting=_FLAT_LIGHT,
        coloraxis="coloraxis",
        hoverinfo="skip",
        name=FIELD_NAME,
    )


def _levels(field: np.ndarray) -> tuple[float, float]:
    """Return the scores of the outermost and the innermost surface."""
    low, high = float(np.nanquantile(field, _SURFACES_FROM)), float(np.nanmax(field))
    return low, low + (high - low) * _LAST_SURFACE


def _add_points(figure: go.Figure, content: MapContent, kind: str, colours: Ink) -> None:
    rows = content.points[content.points["kind"] == kind]
    if rows.empty:
        return
    size = _SIZES[kind] * (2 if len(content.axes) == 2 else 1)
    # Plotly paints legend symbols of coloured points black: this trace without points has one.
    _add(
        figure,
        content.axes,
        np.full((1, len(content.axes)), np.nan),
        mode="markers",
        name=_NAMES[kind],
        legendgroup=kind,
        marker={"symbol": _SYMBOLS[kind], "color": colours.muted, "size": size},
        hoverinfo="skip",
    )
    # A circle is drawn as dozens of triangles, a square as two: thousands show where, not what.
    symbol, size = (_SYMBOLS[kind], size) if len(rows) <= MANY_POINTS else ("square", size // 2)
    marker: dict[str, object] = {"size": size, "symbol": symbol, "opacity": 1}
    if kind == "zero":
        marker |= {"color": colours.muted}
    else:
        marker |= {"color": scores_of(rows, content.value), "coloraxis": "coloraxis"}
        if len(rows) <= MANY_POINTS:
            marker |= {"line": {"color": colours.muted, "width": 0.5}}
    _add(
        figure,
        content.axes,
        rows[[f"w_{name}" for name in content.axes]].to_numpy(),
        mode="markers",
        name=_NAMES[kind],
        legendgroup=kind,
        showlegend=False,
        marker=marker,
        **named(rows, content.objectives, content.value),
    )


def _add_path(figure: go.Figure, content: MapContent, colours: Ink) -> None:
    if content.path.empty:
        return
    _add(
        figure,
        content.axes,
        content.path[[f"w_{name}" for name in content.axes]].to_numpy(),
        mode="lines",
        name="best point, round by round",
        line={"color": colours.text, "width": 5 if len(content.axes) == 3 else 2.5},
        hoverinfo="skip",
    )


def _add_selected(figure: go.Figure, content: MapContent, colours: Ink) -> None:
    if content.selected is None:
        return
    positions = [list(content.objectives).index(name) for name in content.axes]
    _add(
        figure,
        content.axes,
        np.asarray([[content.selected[position] for position in positions]]),
        mode="markers",
        name="selected",
        marker=ring(colours),
        customdata=[weights_text(content.selected)],
        hoverinfo="skip",
    )


def _add_boxes(figure: go.Figure, content: MapContent, colours: Ink) -> None:
    last = max((box.round for box in content.boxes), default=0)
    laid = [box for box in content.boxes if not box.is_chosen]
    chosen = [box for box in content.boxes if box.is_chosen and box.round == last]
    for boxes, name, line in (
        (laid, "boxes of the rounds", {"color": colours.muted, "width": 1.5}),
        (chosen, f"sub-box chosen in round {last}", {"color": colours.accent, "width": 4}),
    ):
        if boxes:
            positions = [list(content.objectives).index(axis) for axis in content.axes]
            edges = np.vstack([_edges(box, positions) for box in boxes])
            _add(figure, content.axes, edges, mode="lines", name=name, line=line, hoverinfo="skip")


def _edges(box: Box, positions: Sequence[int]) -> np.ndarray:
    """Return the edges of a box in the chosen axes; a row of NaN lifts the pen."""
    ends = [(box.lower[position], box.upper[position]) for position in positions]
    corners = list(itertools.product(*ends))
    gap = (np.nan,) * len(positions)
    strokes: list[tuple[float, ...]] = []
    for one, other in itertools.combinations(corners, 2):
        if sum(a != b for a, b in zip(one, other, strict=True)) == 1:
            strokes += [one, other, gap]
    return np.asarray(strokes, dtype=np.float32).reshape(-1, len(positions))
