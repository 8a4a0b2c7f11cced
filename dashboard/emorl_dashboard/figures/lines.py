"""Straight lines across a plot, and the word beside one, for the lists of a figure's layout.

Plotly's ``add_vline`` looks for its axes in all traces, which takes milliseconds a line.
"""

from __future__ import annotations

from typing import Any

from emorl_dashboard.figures.palette import Settings


def upright_line(x: float, line: Settings, *, axes: str = "") -> dict[str, Any]:
    """Return the shape of a line from the lower to the upper edge of a plot.

    Args:
        x: Where, in units of the x axis.
        line: Colour, width and dash.
        axes: Number of the plot's axes, as in ``x2`` and ``y2``; none for the first.
    """
    ends = {"x0": x, "x1": x, "xref": f"x{axes}", "y0": 0, "y1": 1, "yref": f"y{axes} domain"}
    return {"type": "line", "line": line, **ends}


def level_line(y: float, line: Settings) -> dict[str, Any]:
    """Return the shape of a line from the left to the right edge of a plot, at ``y``."""
    ends = {"x0": 0, "x1": 1, "xref": "x domain", "y0": y, "y1": y, "yref": "y"}
    return {"type": "line", "line": line, **ends}


def beside_upright(x: float, text: str, colour: str) -> dict[str, Any]:
    """Return the annotation to the left of the lower end of an upright line."""
    place = {"x": x, "xref": "x", "xanchor": "right"}
    place |= {"y": 0, "yref": "y domain", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "font": {"color": colour, "size": 12}, **place}


def above_level(y: float, text: str, colour: str) -> dict[str, Any]:
    """Return the annotation above the left end of a level line."""
    place = {"x": 0, "xref": "x domain", "xanchor": "left"}
    place |= {"y": y, "yref": "y", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "font": {"color": colour, "size": 12}, **place}
