"""Methods side by side: scores with intervals, differences from a reference, several runs."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from emorl_dashboard.figures.lines import upright_line
from emorl_dashboard.figures.palette import Ink, Settings, objective_colour, style
from emorl_dashboard.frames.compare import MEAN_REWARD
from emorl_dashboard.frames.compare_runs import Row
from emorl_dashboard.frames.comparison import interval_text

_SPREAD = 0.5
_ROW_PIXELS = 54


def method_scores(rows: pd.DataFrame, objectives: Sequence[str], colours: Ink) -> go.Figure:
    """Draw one line per method: a dot per objective and a diamond for the mean reward.

    Args:
        rows: From ``frames.comparison.comparison``.
        objectives: Names of the scores.
        colours: Inks of the theme.
    """
    figure = _intervals(rows, objectives, colours, ("value", "low", "high"))
    axis = {"range": [-0.02, 1.02], "dtick": 0.25, "title": {"text": "score, 0 to 1"}}
    return _laid_out(figure, _labels(rows), colours, xaxis=axis)


def method_differences(rows: pd.DataFrame, objectives: Sequence[str], colours: Ink) -> go.Figure:
    """Draw each method's paired difference from the reference, in the places of its scores.

    Args:
        rows: From ``frames.comparison.comparison``.
        objectives: Names of the scores.
        colours: Inks of the theme.
    """
    columns = ("difference", "difference_low", "difference_high")
    figure = _intervals(rows, objectives, colours, columns)
    return _laid_out(
        figure,
        _labels(rows),
        colours,
        xaxis={"title": {"text": "difference on the same prompts"}},
        shapes=[upright_line(0, {"color": colours.text, "width": 1.5})],
    )


def _labels(rows: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(rows["label"]))


def _intervals(
    rows: pd.DataFrame, objectives: Sequence[str], colours: Ink, columns: tuple[str, str, str]
) -> go.Figure:
    labels = _labels(rows)
    measures = [*objectives, MEAN_REWARD]
    figure = go.Figure()
    value, low, high = columns
    for place, measure in enumerate(measures):
        own = rows[rows["measure"] == measure]
        figure.add_scatter(
            x=own[value],
            y=[labels.index(label) + _shift(place, len(measures)) for label in own["label"]],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (own[high] - own[value]).fillna(0),
                "arrayminus": (own[value] - own[low]).fillna(0),
                "thickness": 1.5,
                "width": 3,
            },
            mode="markers",
            marker=_marker(place, objectives, colours),
            name=measure.replace("_", " "),
            hovertext=[
                f"<b>{html.escape(label)}</b><br>{measure.replace('_', ' ')} "
                f"{interval_text(middle, lower, upper, sign=value == 'difference')}"
                for label, middle, lower, upper in zip(
                    own["label"], own[value], own[low], own[high], strict=True
                )
            ],
            hoverinfo="text",
        )
    return figure


def _shift(place: int, n_marks: int) -> float:
    """Spread the marks of one line, so that equal scores do not hide each other."""
    return _SPREAD * (place / max(1, n_marks - 1) - 0.5)


def _marker(place: int, objectives: Sequence[str], colours: Ink) -> dict[str, object]:
    if place < len(objectives):
        return {"color": objective_colour(place, colours), "size": 9}
    return {"color": colours.text, "size": 10, "symbol": "diamond"}


def _laid_out(
    figure: go.Figure, labels: Sequence[str], colours: Ink, *, xaxis: Settings, **layout: Any
) -> go.Figure:
    return style(
        figure,
        colours,
        height=76 + _ROW_PIXELS * max(1, len(labels)),
        margin={"l": 150, "t": 34, "r": 10},
        dragmode=False,
        xaxis={"fixedrange": True, **xaxis},
        yaxis={
            "tickvals": list(range(len(labels))),
            "ticktext": [_short(label) for label in labels],
            "range": [len(labels) - 0.5, -0.5],
            "fixedrange": True,
            "showgrid": False,
            "tickfont": {"color": colours.text, "size": 13},
        },
        **layout,
    )


def _short(label: str) -> str:
    """Return a label that fits beside the plot, escaped."""
    most = 20
    return html.escape(label if len(label) <= most else f"{label[: most - 1]}…")


def runs_side_by_side(
    rows: Sequence[Row], summary: pd.DataFrame, measure: str, colours: Ink
) -> go.Figure:
    """Draw each method's score in every run, and the mean over runs with its deviation.

    Args:
        rows: From ``frames.compare_runs.run_rows``, of all runs.
        summary: From ``frames.compare_runs.over_runs``.
        measure: ``mean_reward`` or an objective.
        colours: Inks of the theme.
    """
    labels = list(dict.fromkeys(str(row["label"]) for row in rows))
    figure = go.Figure()
    figure.add_scatter(
        x=[row[measure] for row in rows],
        y=[labels.index(str(row["label"])) for row in rows],
        mode="markers",
        marker={"color": colours.muted, "size": 8, "opacity": 0.65},
        name="one run",
        hovertext=[
            f"<b>{html.escape(str(row['run']))}</b><br>{html.escape(str(row['label']))} "
            f"{row[measure]:.3f}"
            for row in rows
        ],
        hoverinfo="text",
    )
    own = summary[summary["measure"] == measure]
    figure.add_scatter(
        x=own["mean"],
        y=[labels.index(label) + 0.22 for label in own["label"]],
        error_x={"array": own["sd"].fillna(0), "thickness": 1.5, "width": 4},
        mode="markers",
        marker={"color": colours.accent, "size": 11, "symbol": "diamond"},
        name="mean ± standard deviation",
        hovertext=[
            f"<b>{html.escape(row['label'])}</b>, {row['n_runs']} runs<br>"
            f"{row['mean']:.3f}, from {row['lowest']:.3f} to {row['highest']:.3f}"
            for row in own.to_dict("records")
        ],
        hoverinfo="text",
    )
    title = {"text": f"{measure.replace('_', ' ')}, 0 to 1"}
    return _laid_out(figure, labels, colours, xaxis={"title": title})
