"""The map of evaluated weights: the paper's Figure 5, to turn and to click."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from emorl.records import Weights
from emorl_dashboard.figures.fields import add_field
from emorl_dashboard.figures.palette import FONT, Ink, faded, style
from emorl_dashboard.figures.points import (
    MANY_POINTS,
    flat_kind,
    named,
    ring,
    score_axis,
    scores_of,
)
from emorl_dashboard.frames.numbers import weights_text
from emorl_dashboard.frames.weight_space import Box

_SYMBOLS = {"measured": "circle", "shared": "diamond"}
_KEY = "● measured   ◆ shares a measured score"
"""What the symbols mean. An entry each in the legend would need a trace of its own: Plotly paints
the symbols of coloured points black there."""
_SIZES = {"measured": 7, "shared": 5}
_ZERO_SIZE = 5
_CORNER_PIXELS, _BESIDE_PIXELS = 16, 30


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
    if content.field is not None:
        add_field(figure, content.field, len(content.axes), n_weights=len(content.objectives))
    _add_boxes(figure, content, colours)
    evaluated = content.points[content.points["kind"] != "zero"]
    _add_points(figure, content, evaluated, colours)
    _add_zero(figure, content, colours)
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
            "y": (-0.22 if content.is_compact else -0.14) if is_flat else 0.0,
            "x": 0.0,
            "font": {"size": 12},
            "title": _key_of(evaluated, colours),
        },
        uirevision="keep the camera",
        **(_flat_axes if is_flat else _space_axes)(content, colours),
    )


def _flat_axes(content: MapContent, colours: Ink) -> dict[str, Any]:
    font = {"color": colours.text, "size": 14, "family": FONT}
    across, up = (
        _axis(colours)
        | {
            "tickfont": {"color": colours.muted, "size": 12, "family": FONT},
            "title": {"text": f"weight of {name}", "font": font},
        }
        for name in content.axes
    )
    return {
        "xaxis": across | {"constrain": "domain"},
        "yaxis": up | {"scaleanchor": "x", "constrain": "domain"},
        "margin": {"l": 56, "r": 12, "t": 56, "b": 110},
    }


def _space_axes(content: MapContent, colours: Ink) -> dict[str, Any]:
    # The corners are named by annotations, which are text of the page. Titles and numbers of axes
    # in space are cut into triangles letter by letter: without a GPU a third of the time until
    # the cube is there.
    walls = {
        "backgroundcolor": "rgba(0,0,0,0)",
        "showbackground": False,
        "showspikes": False,
        "showticklabels": False,
        "title": {"text": ""},
    }
    axes = {f"{letter}axis": _axis(colours) | walls for letter in "xyz"}
    # Not along the diagonal, where points with equal weights would hide each other.
    camera = {"eye": {"x": 1.6, "y": 1.0, "z": 0.85}, "center": {"z": -0.1}}
    scene = {
        "aspectmode": "cube",
        "camera": camera,
        "uirevision": "keep the camera",
        "annotations": [*_zero_ring(content, colours), *_corner_names(content.axes, colours)],
    }
    return {"scene": axes | scene, "margin": {"l": 0, "r": 0, "t": 44, "b": 0}}


def _axis(colours: Ink) -> dict[str, Any]:
    return {"range": [-0.04, 1.04], "dtick": 0.25, "gridcolor": colours.grid, "zeroline": False}


def _corner_names(names: Sequence[str], colours: Ink) -> list[dict[str, Any]]:
    """Return the text at the origin, and at the corners where just one weight is 1."""

    def named(place: Sequence[int], text: str, colour: str) -> dict[str, Any]:
        # Off the cube as the camera first sees it: the points are inside.
        x, y, z = place
        return {
            **dict(zip("xyz", place, strict=True)),
            "text": text,
            "showarrow": False,
            "xshift": _BESIDE_PIXELS * (y - x),
            "yshift": _CORNER_PIXELS * (1 if z else -1),
            "font": {"color": colour, "size": 14, "family": FONT},
            "bgcolor": faded(colours.page, 0.7),  # points and edges go on behind it
        }

    corners = np.eye(3, dtype=int).tolist()
    return [
        named((0, 0, 0), "0", colours.muted),
        *(named(at, f"{name} = 1", colours.text) for at, name in zip(corners, names, strict=True)),
    ]


def _add(figure: go.Figure, axes: Sequence[str], coordinates: np.ndarray, **trace: object) -> None:
    columns = coordinates.astype(np.float32).T
    if len(axes) == 2:
        figure.add_trace(
            {"type": flat_kind(len(coordinates)), "x": columns[0], "y": columns[1], **trace}
        )
    else:
        figure.add_scatter3d(x=columns[0], y=columns[1], z=columns[2], **trace)


def _key_of(rows: pd.DataFrame, colours: Ink) -> dict[str, Any]:
    has_shared = len(rows) <= MANY_POINTS and (rows["kind"] == "shared").any()
    font = {"size": 12, "color": colours.text}
    return {"text": _KEY, "side": "top", "font": font} if has_shared else {}


def _add_points(figure: go.Figure, content: MapContent, rows: pd.DataFrame, colours: Ink) -> None:
    if rows.empty:
        return
    marker: dict[str, object] = {
        "opacity": 1,
        "color": scores_of(rows, content.value),
        "coloraxis": "coloraxis",
    }
    if len(rows) <= MANY_POINTS:
        marker |= {
            "symbol": rows["kind"].map(_SYMBOLS).tolist(),
            # Plotly takes half of sizes that differ in space, as it does in the plane of any size.
            "size": rows["kind"].map(_SIZES).to_numpy() * 2,
            "line": {"color": colours.muted, "width": 0.5},
        }
    else:
        # A circle is drawn as dozens of triangles, a square as two: thousands show where, not
        # what.
        marker |= {"symbol": "square", "size": _SIZES["measured"] * _enlarged(content) // 2}
    _add(
        figure,
        content.axes,
        rows[[f"w_{name}" for name in content.axes]].to_numpy(),
        mode="markers",
        name="evaluated",
        showlegend=False,
        marker=marker,
        **named(rows, content.objectives, content.value),
    )


def _add_zero(figure: go.Figure, content: MapContent, colours: Ink) -> None:
    rows = content.points[content.points["kind"] == "zero"]
    if rows.empty or len(content.axes) == 3:
        return  # in space an annotation names it: a trace of one point costs as much as of all
    _add(
        figure,
        content.axes,
        rows[[f"w_{name}" for name in content.axes]].to_numpy(),
        mode="markers",
        name="not evaluated",
        marker={
            "symbol": "circle-open",
            "color": colours.muted,
            "size": _ZERO_SIZE * _enlarged(content),
        },
        **named(rows, content.objectives, content.value),
    )


def _zero_ring(content: MapContent, colours: Ink) -> list[dict[str, Any]]:
    if not (content.points["kind"] == "zero").any():
        return []
    ring_of_zero = {"text": "○", "font": {"color": colours.muted, "size": 16, "family": FONT}}
    place = {"x": 0, "y": 0, "z": 0, "showarrow": False}
    return [place | ring_of_zero | {"hovertext": "All weights 0: no direction, not evaluated"}]


def _enlarged(content: MapContent) -> int:
    # Plotly draws a marker in space about twice as large as one of the same size in the plane.
    return 2 if len(content.axes) == 2 else 1


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
