"""Systems, and runs, side by side: every score with its uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from emorl_dashboard.figures.palette import Ink, Settings, objective_colour, style
from emorl_dashboard.frames.numbers import score_text
from emorl_dashboard.frames.runs import system_label
from emorl_dashboard.frames.seeds import NORMAL_95

_LABEL_CHARACTERS = 16


def system_scores(frame: pd.DataFrame, objectives: Sequence[str], colours: Ink) -> go.Figure:
    """Draw one line per system, one dot per objective, a diamond for the mean reward.

    Args:
        frame: From ``frames.runs.system_frame``.
        objectives: Names of the score columns.
        colours: Inks of the theme.
    """
    labels = [system_label(system) for system in frame["system"]]
    xaxis = {"range": [-0.02, 1.02], "dtick": 0.25}
    return _score_lines(frame, labels, objectives, colours, xaxis)


def run_scores(
    frame: pd.DataFrame,
    spread: Mapping[str, float],
    objectives: Sequence[str],
    colours: Ink,
) -> go.Figure:
    """Draw one line per run with 95 % intervals, and one for their mean where there are several.

    Args:
        frame: From ``frames.seeds.score_frame``.
        spread: From ``frames.seeds.over_runs``.
        objectives: Names of the score columns.
        colours: Inks of the theme.
    """
    names = ["mean_reward", *objectives]
    rows = frame.assign(**{f"{name}_se": NORMAL_95 * frame[f"{name}_se"] for name in names})
    labels = [str(name) for name in rows["run"]]
    if spread:
        mean = {"run": "", **{name: spread[name] for name in names}}
        mean |= {f"{name}_se": spread[f"{name}_half"] for name in names}
        rows = pd.concat([rows, pd.DataFrame([mean])], ignore_index=True)
        labels.append(f"Mean of {len(frame)}")
    # Runs differ by little: the axis shows their neighbourhood, not all of 0 to 1.
    xaxis = {"range": _neighbourhood(rows, names), "nticks": 6}
    return _score_lines(rows, labels, objectives, colours, xaxis)


def _neighbourhood(rows: pd.DataFrame, names: Sequence[str]) -> tuple[float, float]:
    """Return an axis range around all scores and their intervals."""
    halves = rows[[f"{name}_se" for name in names]].fillna(0).to_numpy()
    scores = rows[list(names)].to_numpy()
    if np.isnan(scores).all():
        return -0.02, 1.02
    low, high = float(np.nanmin(scores - halves)), float(np.nanmax(scores + halves))
    margin = 0.08 * max(high - low, 0.05)
    return low - margin, high + margin


def _score_lines(
    frame: pd.DataFrame,
    labels: Sequence[str],
    objectives: Sequence[str],
    colours: Ink,
    xaxis: Settings,
) -> go.Figure:
    """Draw scores with the half widths ``<name>_se``, a line per row."""
    figure = go.Figure()
    rows = frame.assign(label=[_short(label) for label in labels])
    shifts = _shifts(len(objectives) + 1)
    for position, name in enumerate(objectives):
        columns, colour = (name, f"{name}_se"), objective_colour(position, colours)
        _add(figure, rows, columns, shifts[position], {"color": colour, "size": 10})
    diamond = {"color": colours.text, "size": 11, "symbol": "diamond"}
    _add(figure, rows, ("mean_reward", "mean_reward_se"), shifts[-1], diamond)
    return style(
        figure,
        colours,
        height=70 + 52 * max(1, len(rows)),
        xaxis={"title": {"text": "score, 0 to 1"}, "fixedrange": True, **xaxis},
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": list(rows["label"]),
            "range": [len(rows) - 0.5, -0.5],
            "fixedrange": True,
            "tickfont": {"color": colours.text, "size": 13},
        },
        margin={"l": 120, "t": 8},
        showlegend=False,
    )


def _short(label: str) -> str:
    return label if len(label) <= _LABEL_CHARACTERS else f"{label[: _LABEL_CHARACTERS - 1]}…"


def _add(
    figure: go.Figure,
    frame: pd.DataFrame,
    columns: tuple[str, str],
    shift: float,
    marker: dict[str, object],
) -> None:
    value, error = columns
    name = value.replace("_", " ")
    rows = zip(frame["label"], frame[value], frame[error], strict=True)
    figure.add_scatter(
        x=frame[value],
        y=[place + shift for place in range(len(frame))],
        error_x={"array": frame[error].fillna(0), "thickness": 1.2, "width": 3},
        mode="markers",
        name=name,
        marker=marker,
        hovertext=[
            f"<b>{label}</b><br>{name} {score_text(score, deviation)}"
            for label, score, deviation in rows
        ],
        hoverinfo="text",
    )


def _shifts(n_marks: int) -> list[float]:
    """Spread the marks of one line a little, so that equal scores do not hide each other."""
    return [0.4 * (place / (n_marks - 1) - 0.5) for place in range(n_marks)]
