"""A matrix of slices: two weights vary, the others stay where the selected direction has them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboard.figures.palette import Ink, style
from dashboard.figures.points import ring, score_axis
from dashboard.frames.field import Floats
from dashboard.frames.numbers import weights_text
from engine.records import Weights

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
    figure = make_subplots(
        n - 1,
        n - 1,
        specs=[[{} if column <= row else None for column in range(n - 1)] for row in range(n - 1)],
        horizontal_spacing=0.03,
        vertical_spacing=0.03,
    )
    ticks = np.linspace(0.0, 1.0, N_STEPS)
    for first, second in itertools.combinations(range(n), 2):
        row, column = second, first + 1
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
            row=row,
            col=column,
        )
        figure.add_scatter(
            x=[at[first]],
            y=[at[second]],
            mode="markers",
            marker=ring(colours, 12),
            name="selected",
            showlegend=False,
            hoverinfo="skip",
            row=row,
            col=column,
        )
        figure.update_xaxes(range=_RANGE, row=row, col=column, showticklabels=second == n - 1)
        figure.update_yaxes(range=_RANGE, row=row, col=column, showticklabels=first == 0)
        if second == n - 1:
            figure.update_xaxes(title=f"weight of {objectives[first]}", row=row, col=column)
        if first == 0:
            figure.update_yaxes(title=f"weight of {objectives[second]}", row=row, col=column)
    style(figure, colours, height=190 * (n - 1) + 110)
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(showgrid=False)
    figure.update_layout(
        coloraxis=score_axis(value, value_range, colours),
        margin={"l": 56, "r": 12, "t": 56, "b": 48},
        showlegend=False,
        uirevision="keep the view",
    )
    return figure
