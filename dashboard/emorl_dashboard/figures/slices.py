"""A matrix of slices: two weights vary, the others stay where the selected direction has them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from emorl.records import Weights
from emorl_dashboard.figures.palette import Ink, style
from emorl_dashboard.figures.points import ring, score_axis
from emorl_dashboard.frames.field import Floats
from emorl_dashboard.frames.numbers import weights_text

N_STEPS = 25
"""Points along each axis of a slice."""
_RANGE = (-0.06, 1.06)


def slice_matrix(
    slices: Mapping[tuple[int, int], tuple[Floats, NDArray[np.float32]]],
    objectives: Sequence[str],
    at: Weights,
    value: str,
    value_range: tuple[float, float],
    colours: Ink,
) -> go.Figure:
    """Draw a slice for each pair of weights, below the diagonal of a matrix.

    Args:
        slices: Pair of places -> weights ``(n_steps ** 2, n_objectives)`` (the second varies
            fastest) and their scores, NaN where nothing is shown.
        objectives: Names of the weights.
        at: The direction that all slices go through, marked.
        value: Name of the score.
        value_range: Of the colours.
        colours: Inks of the theme.

    Returns:
        Heat maps; each pixel carries its weights as text in ``customdata``.
    """
    n = len(objectives)
    figure = go.Figure(layout=_panels(n - 1))
    ticks = np.linspace(0.0, 1.0, N_STEPS)
    axes: dict[str, dict[str, Any]] = {}
    for first, second in itertools.combinations(range(n), 2):
        # Panels are numbered row by row; the row of a second weight has as many as its place.
        panel = second * (second - 1) // 2 + first
        number = "" if panel == 0 else str(panel + 1)
        on_axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        weights, scores = slices[first, second]
        shape = (N_STEPS, N_STEPS)
        texts = np.array([weights_text(one) for one in weights.tolist()]).reshape(shape).T
        figure.add_heatmap(
            x=ticks,
            y=ticks,
            z=scores.reshape(shape).T,
            coloraxis="coloraxis",
            customdata=texts.tolist(),
            hovertemplate=f"{value.replace('_', ' ')} %{{z:.3f}}"
            "<br>weights %{customdata}<extra></extra>",
            hoverongaps=False,
            name=f"{objectives[first]} and {objectives[second]}",
            **on_axes,
        )
        figure.add_scatter(
            x=[at[first]],
            y=[at[second]],
            mode="markers",
            marker=ring(colours, 12),
            name="selected",
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
            **on_axes,
        )
        axes[f"xaxis{number}"] = _across(objectives[first], is_outer=second == n - 1)
        axes[f"yaxis{number}"] = _up(objectives[second], is_outer=first == 0)
    return style(
        figure,
        colours,
        height=190 * (n - 1) + 110,
        coloraxis=score_axis(value, value_range, colours),
        margin={"l": 56, "r": 12, "t": 64, "b": 48},
        showlegend=False,
        uirevision="keep the view",
        **axes,
    )


@cache
def _panels(n_rows: int) -> go.Layout:
    # Plotly takes tens of milliseconds to lay them out.
    specs: list[list[dict[str, Any] | None]] = [
        [{} if column <= row else None for column in range(n_rows)] for row in range(n_rows)
    ]
    return make_subplots(
        n_rows, n_rows, specs=specs, horizontal_spacing=0.03, vertical_spacing=0.03
    ).layout


def _across(objective: str, *, is_outer: bool) -> dict[str, Any]:
    """Return the x axis of a panel, which speaks at the lower edge of the matrix only.

    The name stands among the ticks: Plotly turns ticks upright where a panel is too narrow for
    them, and titles of neighbours would run into each other.
    """
    ticks = {
        "tickvals": [0, 0.5, 1],
        "ticktext": ["0", f"<b>{objective}</b>", "1"],
        "autotickangles": [0, -90],
        "automargin": True,
    }
    return {"range": _RANGE, "showticklabels": is_outer, "showgrid": False, **ticks}


def _up(objective: str, *, is_outer: bool) -> dict[str, Any]:
    """Return the y axis of a panel; only those at the left edge of the matrix speak."""
    title = {"title": {"text": f"weight of {objective}"}} if is_outer else {}
    return {"range": _RANGE, "showticklabels": is_outer, "showgrid": False, **title}
