"""The triangle of three weights that sum to one, laid out in the plane.

Plotly's own ternary axes draw neither contours nor images, and a click between points selects
nothing: the triangle is drawn on plain axes instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from emorl_dashboard.figures.palette import Ink, objective_colour

Floats = NDArray[np.float64]

HEIGHT = math.sqrt(3) / 2
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, HEIGHT]])
"""Of the first (left), second (right) and third objective (top)."""
_N_CORNERS = len(_CORNERS)
_NEAR = 0.05
"""A click this far outside means the border."""


def to_plane(weights: Sequence[Sequence[float]] | Floats) -> Floats:
    """Return the place of weights in the triangle.

    Args:
        weights: ``(n_points, 3)``, none negative, none all zero; any scale.

    Returns:
        x and y, ``(n_points, 2)``.
    """
    vectors = np.asarray(weights, dtype=np.float64).reshape(-1, 3)
    place: Floats = vectors / vectors.sum(axis=1, keepdims=True) @ _CORNERS
    return place


def from_plane(places: Sequence[Sequence[float]] | Floats) -> Floats:
    """Return the weights, summing to one, of places in the triangle; places outside are clipped.

    Args:
        places: x and y, ``(n_points, 2)``.
    """
    xy = np.asarray(places, dtype=np.float64).reshape(-1, 2)
    third = xy[:, 1] / HEIGHT
    second = xy[:, 0] - third / 2
    weights = np.clip(np.stack([1 - second - third, second, third], axis=1), 0.0, None)
    inside: Floats = weights / weights.sum(axis=1, keepdims=True)
    return inside


def shares_at(text: str) -> tuple[float, ...] | None:
    """Return the weights, summing to one, where somebody clicked into the triangle.

    Args:
        text: ``@x,y`` as ``components.point_click`` sends it; from a browser, so it may be
            anything.

    Returns:
        None for a place well outside, or no place.
    """
    match = re.fullmatch(r"@(-?\d{1,3}\.\d{1,9}),(-?\d{1,3}\.\d{1,9})", text)
    if match is None:
        return None
    place = np.array([[float(match[1]), float(match[2])]])
    inside = from_plane(place)
    if np.abs(to_plane(inside) - place).max() > _NEAR:
        return None
    return tuple(round(share, 5) for share in inside[0].tolist())


def cover_outside(figure: go.Figure, colours: Ink, width: float) -> None:
    """Paint a frame around the triangle in the page's colour: pixels of an image end in stairs.

    Args:
        figure: With the image.
        colours: Inks of the theme.
        width: Of the frame; an edge of the triangle is 1.
    """
    middle = _CORNERS.mean(axis=0)
    # A corner is twice as far from the middle as an edge.
    outer = _CORNERS + (_CORNERS - middle) * (2 * width / np.linalg.norm(_CORNERS[0] - middle))
    inner, outer = (np.vstack([ring, ring[:1]]) for ring in (_CORNERS, outer))
    path = np.vstack([outer, inner[::-1], outer[:1]])
    figure.add_scatter(
        x=path[:, 0],
        y=path[:, 1],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=colours.page,
        hoverinfo="skip",
        showlegend=False,
        name="outside",
    )


def add_outline(figure: go.Figure, colours: Ink) -> None:
    """Draw the edges of the triangle."""
    outline = np.vstack([_CORNERS, _CORNERS[:1]])
    figure.add_scatter(
        x=outline[:, 0],
        y=outline[:, 1],
        mode="lines",
        line={"color": colours.muted, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
        name="outline",
    )


def triangle_layout(
    objectives: Sequence[str], colours: Ink, axes: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the names of the corners, and axes that nobody sees, for ``palette.style``.

    Args:
        objectives: All of the run.
        colours: Inks of the theme.
        axes: Positions of those at the corners. Where there are others, which keep some weight, a
            corner is most of its objective and not only that.
    """
    corners = range(_N_CORNERS) if axes is None else axes
    share = "only" if len(objectives) == _N_CORNERS else "most"
    anchors = (("left", "top"), ("right", "top"), ("center", "bottom"))
    names = [
        {
            "x": x,
            "y": y,
            "text": f"<b>{share} {objectives[place]}</b>",
            "showarrow": False,
            "xanchor": xanchor,
            "yanchor": yanchor,
            "font": {"color": objective_colour(place, colours), "size": 13},
        }
        for place, (x, y), (xanchor, yanchor) in zip(
            corners, _CORNERS.tolist(), anchors, strict=True
        )
    ]
    axis = {"visible": False, "fixedrange": False, "constrain": "domain"}
    return {
        "annotations": names,
        "xaxis": axis | {"range": [-0.04, 1.04]},
        "yaxis": axis | {"range": [-0.1, HEIGHT + 0.08], "scaleanchor": "x"},
    }
