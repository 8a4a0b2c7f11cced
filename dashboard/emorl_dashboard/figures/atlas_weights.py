"""How far one weight may move alone, and how far each response reaches along the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from emorl_dashboard.figures.atlas import wrapped
from emorl_dashboard.figures.palette import Ink, faded, objective_colour, style
from emorl_dashboard.frames.atlas_place import Place, Way
from emorl_dashboard.frames.numbers import weight_text

_MOST_EXTENTS = 16
_SHARES: dict[str, Any] = {"range": [-0.02, 1.02], "tickformat": ".0%"}


def room_to_move(
    place: Place, texts: dict[int, str], objectives: Sequence[str], colours: Ink
) -> go.Figure:
    """Draw, per weight, how far it may move alone before the response changes.

    In an open cell the bands are paler: the response may change inside of them too.

    Args:
        place: The selected weights in the prompt's atlas.
        texts: Responses by cell, for the hovers at the borders.
        objectives: Names of the weights.
        colours: Inks of the theme.
    """
    figure = go.Figure()
    for member, share in enumerate(place.shares):
        colour = objective_colour(member, colours)
        ways = {way.direction: way for way in place.ways if way.member == member}
        low = ways["less"].share if "less" in ways else 0.0
        high = ways["more"].share if "more" in ways else 1.0
        if share == 1.0:
            low = 1.0  # the others are zero: its own size changes nothing
        _add_line(figure, (0.0, 1.0), member, colours.grid, 3)
        _add_line(figure, (low, high), member, faded(colour, 0.2 if place.is_open else 0.55), 13)
        for way in ways.values():
            _add_border(figure, way, texts[way.cell], colours)
        figure.add_scatter(
            x=[share],
            y=[member],
            mode="markers",
            marker={"color": colours.text, "size": 11, "symbol": "diamond"},
            hovertext=f"{objectives[member]} now: weight {weight_text(place.weights[member])}, "
            f"{100 * share:.1f} % of the sum",
            hoverinfo="text",
            name="now",
        )
    title = {"text": "share of the sum, the others in proportion"}
    return style(
        figure,
        colours,
        height=72 + 42 * len(objectives),
        showlegend=False,
        margin={"l": 96, "r": 14, "t": 6},
        dragmode=False,
        xaxis=_SHARES | {"title": title, "fixedrange": True},
        yaxis=_named_rows(objectives, colours),
    )


def _add_line(
    figure: go.Figure, ends: tuple[float, float], row: int, colour: str, width: int
) -> None:
    figure.add_scatter(
        x=list(ends),
        y=[row, row],
        mode="lines",
        line={"color": colour, "width": width},
        hoverinfo="skip",
        name="the response stays",
    )


def _add_border(figure: go.Figure, way: Way, text: str, colours: Ink) -> None:
    figure.add_scatter(
        x=[way.share],
        y=[way.member],
        mode="markers",
        marker={"color": colours.text, "size": 20, "symbol": "line-ns-open", "line_width": 2.5},
        hovertext=f"<b>at weight {weight_text(way.weight)}, {100 * way.share:.1f} % of the sum, "
        f"the response changes to</b><br>{wrapped(text)}",
        hoverinfo="text",
        name="border",
    )


def extents_chart(
    extents: pd.DataFrame, names: dict[int, str], objectives: Sequence[str], colours: Ink
) -> go.Figure:
    """Draw how far each response reaches along each weight, for four objectives and more.

    Args:
        extents: From ``frames.atlas.extents``; the largest responses come first.
        names: What each cell is called.
        objectives: Names of the weights.
        colours: Inks of the theme.
    """
    cells = list(dict.fromkeys(extents["cell"]))[:_MOST_EXTENTS]
    shown = extents[extents["cell"].isin(cells)]
    figure = go.Figure()
    width = 0.7 / len(objectives)
    for position, name in enumerate(objectives):
        rows = shown[shown["objective"] == name]
        heights = [cells.index(cell) + width * (position + 0.5) - 0.35 for cell in rows["cell"]]
        figure.add_scatter(
            x=rows["middle"],
            y=heights,
            mode="markers",
            marker={"color": objective_colour(position, colours), "size": 7},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rows["high"] - rows["middle"],
                "arrayminus": rows["middle"] - rows["low"],
                "thickness": 3,
                "width": 0,
            },
            hovertext=[
                f"{names[row['cell']]}: {name} {100 * row['low']:.0f} to "
                f"{100 * row['high']:.0f} % of the sum"
                for _, row in rows.iterrows()
            ],
            hoverinfo="text",
            name=name,
        )
    return style(
        figure,
        colours,
        height=90 + (16 + 12 * len(objectives)) * len(cells),
        margin={"l": 96, "t": 30},
        dragmode=False,
        xaxis=_SHARES | {"title": {"text": "share of the sum"}},
        yaxis=_named_rows([names[cell] for cell in cells], colours),
    )


def _named_rows(names: Sequence[str], colours: Ink) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "range": [len(names) - 0.5, -0.5],
        "fixedrange": True,
        "showgrid": False,
        "tickfont": {"color": colours.text, "size": 13},
    }
