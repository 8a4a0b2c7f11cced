"""Colours: one per objective on every page, one scale for scores, inks of both themes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import plotly.graph_objects as go

Settings = Mapping[str, Any]
"""A part of a layout, nested as Plotly has it."""

SCORE_SCALE = "Viridis"
"""Scale of every score: perceptually uniform, readable for colour-blind people."""

FONT = '"Source Sans", sans-serif'
"""The pages' own font, which Streamlit serves itself."""


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of one theme; those of objectives have one hue in both, and 4.5:1 contrast."""

    text: str
    page: str
    """The theme's background: pictures and files of a figure have it too."""
    muted: str
    grid: str
    surface: str
    accent: str
    objectives: tuple[str, ...]
    """The same as the text colours in ``.streamlit/config.toml``, in the order of ``NAMES``."""


NAMES = ("blue", "orange", "green", "violet", "red", "gray")
"""Streamlit's names of the colours of objectives."""

LIGHT = Ink(
    text="#0E1417",
    page="#FBFBFA",
    muted="#5B6870",
    grid="#DDE1E3",
    surface="#FFFFFF",
    accent="#4A4FB5",
    objectives=("#0068A3", "#B84A00", "#007A59", "#75539E", "#A8487F", "#5F6970"),
)
DARK = Ink(
    text="#E6EAED",
    page="#12171B",
    muted="#9BA7AE",
    grid="#333C44",
    surface="#1C232A",
    accent="#A5AAF7",
    objectives=("#4FA8E0", "#F08A4B", "#3DBF97", "#B79AD9", "#E39AC3", "#A3ADB4"),
)


def ink(*, dark: bool) -> Ink:
    """Return the inks of a theme."""
    return DARK if dark else LIGHT


def objective_colour(position: int, colours: Ink) -> str:
    """Return the colour of the objective at ``position``; colours repeat after six."""
    return colours.objectives[position % len(colours.objectives)]


def faded(colour: str, opacity: float) -> str:
    """Return a ``#RRGGBB`` colour with an opacity."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def hex_colour(parts: tuple[float, ...]) -> str:
    """Write red, green and blue, each from 0 to 1, as ``#RRGGBB``."""
    return "#" + "".join(f"{round(255 * part):02X}" for part in parts)


def contrast(one: str, other: str) -> float:
    """Return how much two ``#RRGGBB`` colours differ in lightness: 1 (not at all) to 21.

    Source:
        WCAG 2.2, contrast ratio.
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def style(
    figure: go.Figure,
    colours: Ink,
    *,
    height: int,
    every_xaxis: Settings | None = None,
    every_yaxis: Settings | None = None,
    **layout: Any,
) -> go.Figure:
    """Give a figure the look of the pages and the whole rest of its layout, at once.

    Plotly goes through a figure for each setting that it gets later, which took longer than to
    make the figure: ``update_layout`` and its kin are not for figures of the pages.

    Args:
        figure: With all its traces; what its layout holds stays, where nothing is set here.
        colours: Inks of the theme.
        height: In pixels.
        every_xaxis: Settings of all x axes, for a figure with several.
        every_yaxis: Settings of all y axes.
        layout: Further settings, nested as Plotly has them (``xaxis={"title": {"text": ...}}``,
            no ``title_text``); they are merged key by key, and lists are replaced.
    """
    merged = figure.layout.to_plotly_json()
    for first, settings in (("xaxis", every_xaxis), ("yaxis", every_yaxis)):
        if settings is not None:
            for name in dict.fromkeys([first, *(key for key in merged if key.startswith(first))]):
                merged[name] = _merged(merged.get(name, {}), settings)
    own = {"template": _template(colours), "height": height}
    figure.layout = _merged(merged, layout) | own
    return figure


def _merged(base: Settings, over: Settings) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        is_nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if is_nested else value
    return merged


@cache
def _template(colours: Ink) -> go.layout.Template:
    # A template is checked once; the same settings given to each axis of each figure are checked
    # anew each time, which took Plotly half of the time of a page with many charts.
    axis = {
        "gridcolor": colours.grid,
        "linecolor": colours.grid,
        "zeroline": False,
        "tickfont": {"color": colours.muted, "size": 12},
        "title": {"font": {"color": colours.muted, "size": 12}},
    }
    font = {"color": colours.text, "size": 13, "family": FONT}
    return go.layout.Template(
        layout={
            "paper_bgcolor": colours.page,
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": font,
            "margin": {"l": 44, "r": 12, "t": 12, "b": 40},
            "hoverlabel": {
                "bgcolor": colours.surface,
                "bordercolor": colours.muted,
                "font": font,
                "align": "left",
            },
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": colours.muted,
                "activecolor": colours.accent,
            },
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0.0},
            "xaxis": axis,
            "yaxis": axis,
        }
    )
