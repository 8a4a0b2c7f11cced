"""The layout that all figures of the pages get, and the settings that each adds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import plotly.graph_objects as go
import pytest
from plotly.subplots import make_subplots

from emorl_dashboard.components import source
from emorl_dashboard.figures import lines
from emorl_dashboard.figures.palette import DARK, LIGHT, NAMES, Ink, style
from emorl_dashboard.figures.palette import contrast as palette_contrast

THEMES = {"light": LIGHT, "dark": DARK}
TEXT, GRAPHIC = 4.5, 3.0
"""Least contrasts of WCAG 2.2 AA: for text, and for sliders, marks and focus rings."""


def theme(name: str) -> dict[str, str]:
    """The colours of a theme as Streamlit's settings have them."""
    settings = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
    colours: dict[str, str] = tomllib.loads(settings.read_text(encoding="utf-8"))["theme"][name]
    return colours


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2.2 defines it, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def tint(colour: str, page: str, opacity: float) -> str:
    """A colour laid thinly over the page."""
    pairs = [(int(colour[at : at + 2], 16), int(page[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(a * opacity + b * (1 - opacity)):02X}" for a, b in pairs)


@pytest.mark.parametrize("name", THEMES)
def test_the_colours_of_a_theme_can_be_read(name: str) -> None:
    own = theme(name)
    primary, page = own["primaryColor"], own["backgroundColor"]
    faint = []
    for ground in (page, own["secondaryBackgroundColor"]):
        texts = ["textColor", "linkColor", *(key for key in own if key.endswith("TextColor"))]
        faint += [key for key in texts if contrast(own[key], ground) < TEXT]
        if contrast(primary, ground) < GRAPHIC:  # sliders, toggles, focus rings
            faint.append("primaryColor")
    # A chosen segment is written in the primary colour on a tenth of it.
    if contrast(primary, tint(primary, page, 0.1)) < TEXT:
        faint.append("chosen segment")
    assert faint == []


@pytest.mark.parametrize(("name", "place"), [("light", 0), ("dark", 1)])
def test_text_on_the_primary_colour_can_be_read(name: str, place: int) -> None:
    """Buttons and tags of choices: Streamlit's own white is too faint in the dark."""
    pairs = re.findall(r"light-dark\((#\w{6}), (#\w{6})\)", source("theme.css"))
    text, hovered, opened, ground, _ = (pair[place] for pair in pairs)
    assert contrast(text, theme(name)["primaryColor"]) >= TEXT
    assert contrast(text, hovered) >= TEXT
    assert contrast(opened, theme(name)["backgroundColor"]) >= TEXT
    # What stays in sight hides the views that scroll by behind it, and is else not seen.
    assert ground.upper() == theme(name)["backgroundColor"]


def test_the_contrast_of_colours_is_that_of_the_guidelines() -> None:
    assert palette_contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert palette_contrast("#FFFFFF", "#767676") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize(("name", "colours"), THEMES.items())
def test_figures_have_the_colours_of_the_theme(name: str, colours: Ink) -> None:
    own = theme(name)
    assert colours.page == own["backgroundColor"]
    assert colours.text == own["textColor"]
    assert list(colours.objectives) == [own[f"{hue}TextColor"] for hue in NAMES]
    readable = (colours.text, colours.muted, colours.accent, *colours.objectives)
    assert [one for one in readable if contrast(one, colours.page) < TEXT] == []


def test_a_setting_joins_what_the_layout_holds_key_by_key() -> None:
    figure = go.Figure(layout={"xaxis": {"title": {"text": "old"}, "dtick": 0.5}})
    figure.add_annotation(text="a note", x=0, y=0)
    style(figure, LIGHT, height=300, xaxis={"title": {"text": "new"}}, legend={"y": 0.5})
    assert figure.layout.xaxis.title.text == "new"
    assert figure.layout.xaxis.dtick == 0.5
    assert [note.text for note in figure.layout.annotations] == ["a note"]
    assert figure.layout.legend.to_plotly_json() == {"y": 0.5}
    assert figure.layout.height == 300


def test_settings_of_every_axis_reach_each_but_its_own_win() -> None:
    figure = make_subplots(2, 2, shared_yaxes=True)
    style(
        figure,
        LIGHT,
        height=300,
        every_xaxis={"dtick": 0.5},
        every_yaxis={"range": [0, 1]},
        yaxis3={"range": [0, 9]},
    )
    assert [figure.layout[f"xaxis{n}"].dtick for n in (1, 2, 3, 4)] == [0.5] * 4
    ranges = [figure.layout[f"yaxis{n}"].range for n in (1, 2, 3, 4)]
    assert ranges == [(0, 1), (0, 1), (0, 9), (0, 1)]
    assert figure.layout.yaxis2.matches == "y"  # as make_subplots had laid it


def test_settings_of_every_axis_reach_the_axes_of_a_plain_figure() -> None:
    figure = style(go.Figure(), DARK, height=300, every_xaxis={"visible": False})
    assert figure.layout.xaxis.visible is False
    assert figure.layout.yaxis.visible is None


def test_a_setting_that_plotly_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="title_txt"):
        style(go.Figure(), LIGHT, height=300, xaxis={"title_txt": "typing error"})


def test_lines_are_those_of_plotly() -> None:
    theirs = go.Figure(go.Scatter(x=[1], y=[2]))
    note = {"text": "here", "font": {"color": "#123456", "size": 12}}
    up = {"annotation": dict(note), "annotation_position": "bottom left"}
    level = {"annotation": note | {"yanchor": "bottom"}, "annotation_position": "top left"}
    theirs.add_vline(2, line={"width": 3}, **up)
    theirs.add_hline(5, line={"width": 1}, **level)
    ours = go.Figure(
        layout={
            "shapes": [lines.upright_line(2, {"width": 3}), lines.level_line(5, {"width": 1})],
            "annotations": [
                lines.beside_upright(2, "here", "#123456"),
                lines.above_level(5, "here", "#123456"),
            ],
        }
    )
    assert ours.layout.to_plotly_json() == theirs.layout.to_plotly_json()
