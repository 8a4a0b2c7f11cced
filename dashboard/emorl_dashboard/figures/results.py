"""Pictures of a study's results: every number with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from emorl_dashboard.figures.lines import upright_line
from emorl_dashboard.figures.open_ends import inside_picture
from emorl_dashboard.figures.palette import SCORE_SCALE, Ink, objective_colour, style
from emorl_dashboard.figures.simplex import add_outline, to_plane, triangle_layout
from emorl_dashboard.frames.results import estimate_text

_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")
_LINE_HEIGHT = 18
_LONGEST_LABEL = 26


def intervals(
    rows: pd.DataFrame,
    colours: Ink,
    *,
    x_title: str,
    x_range: tuple[float, float] | None = None,
    reference: float | None = None,
    series_colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Draw estimates with their intervals, one line per label, one mark per series.

    Args:
        rows: From ``frames.results``: label, series, value, low, high, hover; in order. An
            interval without an end on a side is drawn beyond the edge of the picture.
        colours: Inks of the theme.
        x_title: What is measured, with its unit.
        x_range: Ends of the axis; by default what the rows need.
        reference: Where to draw a line: no difference, chance.
        series_colours: Colour of each series by name; by default the theme's inks.
    """
    labels, series = list(dict.fromkeys(rows["label"])), list(dict.fromkeys(rows["series"]))
    rows, x_range = inside_picture(rows, x_range)
    inks = dict(zip(series, cycle((colours.text, colours.accent, colours.muted)), strict=False))
    inks |= series_colours or {}
    place = {label: position for position, label in enumerate(labels)}
    shifts = _shifts(len(series)) if _share_lines(rows) else [0.0] * len(series)
    figure = go.Figure()
    for position, name in enumerate(series):
        part = rows[rows["series"] == name]
        figure.add_scatter(
            x=part["value"],
            y=[place[label] + shifts[position] for label in part["label"]],
            error_x={
                "array": (part["high"] - part["value"]).fillna(0),
                "arrayminus": (part["value"] - part["low"]).fillna(0),
                "symmetric": False,
                "thickness": 1.6,
                "width": 3,
            },
            mode="markers",
            name=escape(name),
            marker={
                "color": inks[name],
                "size": 9,
                "symbol": _SYMBOLS[position % len(_SYMBOLS)],
            },
            hovertext=part["hover"].tolist(),
            hoverinfo="text",
        )
    n_lines = len(labels) * (len(series) if _share_lines(rows) else 1.3)
    line = {"color": colours.muted, "width": 1.5, "dash": "dot"}
    return style(
        figure,
        colours,
        height=int(110 + max(_LINE_HEIGHT * n_lines, 34 * len(labels))),
        xaxis={"title": {"text": x_title}, "range": x_range, "fixedrange": True},
        yaxis=_named_lines(labels, colours),
        showlegend=len(series) > 1,
        margin={"t": 12, "r": 16},
        shapes=[] if reference is None else [upright_line(reference, line)],
    )


def marginal_bars(marginals: pd.DataFrame, colours: Ink) -> go.Figure:
    """Draw how each annotator used the scale, one bar per criterion and annotator.

    Args:
        marginals: The table ``marginals``: criterion, annotator, value, n_ratings, share.
        colours: Inks of the theme.
    """
    values = sorted(marginals["value"].unique())
    shades = sample_colorscale(SCORE_SCALE, np.linspace(0.15, 0.95, max(2, len(values))).tolist())
    labels = [
        f"{criterion} · {annotator}"
        for criterion, annotator in dict.fromkeys(
            zip(marginals["criterion"], marginals["annotator"], strict=True)
        )
    ]
    figure = go.Figure()
    for shade, value in zip(shades, values, strict=False):
        part = marginals[marginals["value"] == value]
        names = part["criterion"] + " · " + part["annotator"]
        figure.add_bar(
            orientation="h",
            x=part["share"],
            y=[labels.index(name) for name in names],
            name=f"rated {value:g}",
            marker={"color": shade, "line": {"color": colours.surface, "width": 1}},
            hovertext=[
                f"<b>{escape(name)}</b><br>rated {value:g}: {n} times, {share:.0%}"
                for name, n, share in zip(names, part["n_ratings"], part["share"], strict=True)
            ],
            hoverinfo="text",
        )
    height = 96 + 26 * max(1, len(labels))
    title = "share of the annotator's ratings"
    return style(figure, colours, height=height, **_stacked(labels, title, colours))


def rating_triangle(
    placed: pd.DataFrame,
    objectives: Sequence[str],
    colours: Ink,
    *,
    title: str,
    value_range: tuple[float, float],
) -> go.Figure:
    """Draw systems at their weights in the triangle, coloured by their mean rating.

    Args:
        placed: From ``frames.results.placed_ratings``.
        objectives: The three weight columns.
        colours: Inks of the theme.
        title: Of the colour bar; what the colour is, with its scale.
        value_range: Ends of the scale of ratings.
    """
    figure = go.Figure()
    add_outline(figure, colours)
    places = to_plane(placed[list(objectives)].to_numpy())
    figure.add_scatter(
        x=places[:, 0],
        y=places[:, 1],
        mode="markers+text",
        name="systems",
        showlegend=False,
        text=[
            _of_scale(value, value_range) if place == 0 else ""
            for place, value in enumerate(placed["value"])
        ],
        textposition=[_inwards(x) for x in places[:, 0]],
        marker={
            "size": 18,
            "color": placed["value"],
            "coloraxis": "coloraxis",
            "line": {"color": colours.text, "width": 1.5},
        },
        hovertext=_placed_hovers(placed, objectives, title),
        hoverinfo="text",
    )
    triangle = triangle_layout(objectives, colours)
    # The corners' names would lie below the marks of single objectives.
    for name in triangle["annotations"]:
        name["yshift"] = -14 if name["yanchor"] == "top" else 26
    triangle["xaxis"]["range"] = [-0.06, 1.06]
    triangle["yaxis"]["range"] = [-0.16, 1.02]
    return style(
        figure,
        colours,
        height=450,
        coloraxis={
            "colorscale": SCORE_SCALE,
            "cmin": value_range[0],
            "cmax": value_range[1],
            "colorbar": {
                "title": {"text": title, "side": "top"},
                "orientation": "h",
                "thickness": 12,
                "len": 0.8,
                "y": -0.02,
                "yanchor": "top",
            },
        },
        margin={"l": 12, "r": 12, "t": 24, "b": 60},
        **triangle,
    )


def rating_weights(
    placed: pd.DataFrame, objectives: Sequence[str], colours: Ink, *, title: str
) -> go.Figure:
    """Draw the weights of every system as shares of a bar, best rated first, for any n.

    Args:
        placed: From ``frames.results.placed_ratings``.
        objectives: The weight columns.
        colours: Inks of the theme.
        title: What the rating in each label is.
    """
    figure = go.Figure()
    weights = placed[list(objectives)].to_numpy(dtype=np.float64)
    shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    labels = [
        f"{label} · {value:.2f}"
        for label, value in zip(placed["label"], placed["value"], strict=True)
    ]
    hovers = _placed_hovers(placed, objectives, title)
    for position, name in enumerate(objectives):
        figure.add_bar(
            orientation="h",
            x=shares[:, position],
            y=list(range(len(placed))),
            name=escape(name),
            marker={"color": objective_colour(position, colours)},
            hovertext=hovers,
            hoverinfo="text",
        )
    height = 96 + 30 * max(1, len(placed))
    x_title = f"share of the weights; number: {title}"
    return style(figure, colours, height=height, **_stacked(labels, x_title, colours))


def _inwards(x: float) -> str:
    """Return where a text stands that is not to run over the sides, which are at 0 and 1."""
    return "top right" if x < 0.2 else "top left" if x > 0.8 else "top center"


def _of_scale(value: float, scale: tuple[float, float]) -> str:
    """Say on which scale the highest rating is: weights and scores beside it go from 0 to 1."""
    low, high = scale
    told = f"highest: {value:.2f} of {high:g}" if low == 0 else f"highest: {value:.2f}"
    return f"\u2003{told}\u2003"  # off the slanting side above a corner


def _placed_hovers(placed: pd.DataFrame, objectives: Sequence[str], title: str) -> list[str]:
    texts = []
    for row in placed.to_dict("records"):
        weights = ", ".join(f"{escape(name)} {row[name]:.3g}" for name in objectives)
        rating = estimate_text(row["value"], row["low"], row["high"])
        texts.append(
            f"<b>{escape(str(row['label']))}</b><br>{escape(title)}: {rating}<br>"
            f"weights {weights}<br>{row['n_ratings']} ratings"
        )
    return texts


def _stacked(labels: Sequence[str], x_title: str, colours: Ink) -> dict[str, Any]:
    """Return the layout of bars that are parts of a whole, one per label."""
    return {
        "xaxis": {
            "title": {"text": x_title},
            "range": [0, 1],
            "tickformat": ".0%",
            "fixedrange": True,
        },
        "yaxis": _named_lines(labels, colours),
        "barmode": "stack",
        "bargap": 0.35,
        "margin": {"t": 12, "r": 16},
        "legend": {"traceorder": "normal"},
    }


def _named_lines(labels: Sequence[str], colours: Ink) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": [_wrapped(label) for label in labels],
        "range": [len(labels) - 0.4, -0.6],
        "fixedrange": True,
        "automargin": True,
        "tickfont": {"color": colours.text, "size": 13},
    }


def _wrapped(label: str) -> str:
    """Break a long label in two lines at a blank, so that a phone has room for the marks."""
    if len(label) <= _LONGEST_LABEL:
        return escape(label)
    blanks = [place for place, letter in enumerate(label) if letter == " "]
    if not blanks:
        return escape(f"{label[: _LONGEST_LABEL - 1]}…")
    middle = min(blanks, key=lambda place: abs(place - len(label) / 2))
    lines = (label[:middle], label[middle + 1 :])
    short = (line if len(line) <= 32 else f"{line[:31]}…" for line in lines)
    return "<br>".join(escape(line) for line in short)


def _share_lines(rows: pd.DataFrame) -> bool:
    return bool(rows["label"].duplicated().any())


def _shifts(n_series: int) -> list[float]:
    """Spread the marks of one line, so that equal numbers do not hide each other."""
    if n_series == 1:
        return [0.0]
    return [0.6 * (place / (n_series - 1) - 0.5) for place in range(n_series)]
