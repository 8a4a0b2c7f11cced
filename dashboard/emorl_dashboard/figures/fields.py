"""The score of all weights in a map: an image in the plane, nested surfaces in space."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from emorl_dashboard.figures.cones import N_FACES, cone_mesh

_SURFACES_FROM = 0.5
_LAST_SURFACE = 0.9
_N_SURFACES = 4
_SURFACE_OPACITY = 0.3
_FLAT_LIGHT = {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0}
"""Without shadows, so that colours keep their meaning."""
_IMAGE_OPACITY = 0.55
FIELD_NAME = "field of all weights"
"""Name of the trace of a field."""


def add_field(figure: go.Figure, field: np.ndarray, n_axes: int, *, n_weights: int) -> None:
    """Draw a field, if anything of it is shown.

    Args:
        figure: A map in two or three axes.
        field: As ``MapContent.field`` says; NaN where nothing is shown.
        n_axes: 2 or 3.
        n_weights: How many there are; more than axes if the others are fixed.
    """
    if not np.isfinite(field).any():
        return
    if n_axes == 2:
        _add_image(figure, field)
    elif n_weights == n_axes:
        _add_cones(figure, field)
    else:
        _add_surfaces(figure, field)


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
