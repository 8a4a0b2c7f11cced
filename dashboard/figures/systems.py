"""Systems side by side: every score with its standard error."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from dashboard.figures.palette import Ink, objective_colour, style
from dashboard.frames.numbers import score_text
from dashboard.frames.runs import system_label


def system_scores(frame: pd.DataFrame, objectives: Sequence[str], colours: Ink) -> go.Figure:
    """Draw one line per system, one dot per objective, a diamond for the mean reward.

    Args:
        frame: From ``frames.runs.system_frame``.
        objectives: Names of the score columns.
        colours: Inks of the theme.
    """
    labels = [system_label(system) for system in frame["system"]]
    figure = go.Figure()
    shifts = _shifts(len(objectives) + 1)
    for position, name in enumerate(objectives):
        columns, colour = (name, f"{name}_se"), objective_colour(position, colours)
        _add(figure, frame, columns, shifts[position], {"color": colour, "size": 10})
    diamond = {"color": colours.text, "size": 11, "symbol": "diamond"}
    _add(figure, frame, ("mean_reward", "mean_reward_se"), shifts[-1], diamond)
    style(figure, colours, height=70 + 52 * max(1, len(frame)))
    figure.update_xaxes(
        range=[-0.02, 1.02], title_text="score, 0 to 1", dtick=0.25, fixedrange=True
    )
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.5, -0.5],
        fixedrange=True,
        tickfont_color=colours.text,
        tickfont_size=13,
    )
    figure.update_layout(margin={"l": 110, "t": 8}, showlegend=False)
    return figure


def _add(
    figure: go.Figure,
    frame: pd.DataFrame,
    columns: tuple[str, str],
    shift: float,
    marker: dict[str, object],
) -> None:
    value, error = columns
    name = value.replace("_", " ")
    rows = zip(frame["system"], frame[value], frame[error], strict=True)
    figure.add_scatter(
        x=frame[value],
        y=[place + shift for place in range(len(frame))],
        error_x={"array": frame[error].fillna(0), "thickness": 1.2, "width": 3},
        mode="markers",
        name=name,
        marker=marker,
        hovertext=[
            f"<b>{system_label(system)}</b><br>{name} {score_text(score, deviation)}"
            for system, score, deviation in rows
        ],
        hoverinfo="text",
    )


def _shifts(n_marks: int) -> list[float]:
    """Spread the marks of one line a little, so that equal scores do not hide each other."""
    return [0.4 * (place / (n_marks - 1) - 0.5) for place in range(n_marks)]
