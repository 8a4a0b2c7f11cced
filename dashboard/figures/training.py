"""Training curves over data points."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from dashboard.figures.palette import Ink, faded, objective_colour, style


def adapter_curves(
    frame: pd.DataFrame, objectives: Sequence[str], adapter: str, colours: Ink
) -> go.Figure:
    """Draw every objective's validation mean of one adapter, with a band of ± one standard error.

    Args:
        frame: From ``frames.training.validation_frame``.
        objectives: Names of the score columns.
        adapter: Whose rows to draw; its own objective is drawn thick.
        colours: Inks of the theme.
    """
    rows = frame[frame["adapter"] == adapter]
    figure = go.Figure()
    for position, name in enumerate(objectives):
        _add_band(figure, rows, name, objective_colour(position, colours))
    for position, name in enumerate(objectives):
        figure.add_scatter(
            x=rows["data_points"],
            y=rows[name],
            mode="lines+markers",
            name=name,
            line={
                "color": objective_colour(position, colours),
                "width": 3.5 if name == adapter else 1.5,
            },
            marker={"size": 7 if name == adapter else 4},
            customdata=rows[[f"{name}_se", "step"]],
            hovertemplate=(
                f"<b>{name} %{{y:.3f}} ± %{{customdata[0]:.3f}}</b><br>"
                "%{x} data points, step %{customdata[1]}<extra></extra>"
            ),
        )
    style(figure, colours, height=260)
    _mark_convergence(figure, rows, colours)
    figure.update_yaxes(range=[-0.02, 1.05], dtick=0.25)
    figure.update_xaxes(title_text="data points (prompts)", rangemode="tozero")
    figure.update_layout(showlegend=False, uirevision=adapter)
    return figure


def step_curves(
    frame: pd.DataFrame, objectives: Sequence[str], value: str, title: str, colours: Ink
) -> go.Figure:
    """Draw a number of every step, one colour per adapter: the steps faint, their mean strong.

    Args:
        frame: From ``frames.training.step_frame``.
        objectives: Adapters that may occur, in order.
        value: ``reward`` or ``kl``.
        title: Title of the axis.
        colours: Inks of the theme.
    """
    figure = go.Figure()
    for position, name in enumerate(objectives):
        colour = objective_colour(position, colours)
        rows = frame[frame["adapter"] == name]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["data_points"],
            y=rows[value],
            mode="lines",
            line={"color": faded(colour, 0.3), "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=rows["data_points"],
            y=rows[f"{value}_smooth"],
            mode="lines",
            name=name,
            line={"color": colour, "width": 2.5},
            customdata=rows[[value, "step"]],
            hovertemplate=(
                f"<b>{name} %{{y:.3f}}</b> (running mean)<br>this step %{{customdata[0]:.3f}}<br>"
                "%{x} data points, step %{customdata[1]}<extra></extra>"
            ),
        )
    style(figure, colours, height=260)
    figure.update_yaxes(title_text=title, rangemode="tozero")
    figure.update_xaxes(title_text="data points (prompts)", rangemode="tozero")
    figure.update_layout(showlegend=False, uirevision=value, margin={"l": 56})
    return figure


def _add_band(figure: go.Figure, rows: pd.DataFrame, name: str, colour: str) -> None:
    upper = rows[name] + rows[f"{name}_se"]
    lower = rows[name] - rows[f"{name}_se"]
    figure.add_scatter(
        x=pd.concat([rows["data_points"], rows["data_points"][::-1]]),
        y=pd.concat([upper, lower[::-1]]),
        fill="toself",
        fillcolor=faded(colour, 0.18),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        name=f"{name} ± se",
    )


def _mark_convergence(figure: go.Figure, rows: pd.DataFrame, colours: Ink) -> None:
    converged = rows[rows["converged"]]
    if converged.empty:
        return
    figure.add_vline(
        x=int(converged["data_points"].min()),
        line={"color": colours.muted, "width": 1.5, "dash": "dot"},
        annotation={"text": "converged", "font": {"color": colours.muted, "size": 12}},
        annotation_position="bottom left",
    )
