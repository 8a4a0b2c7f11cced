"""The layout that all figures of the pages get, and the settings that each adds."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest
from plotly.subplots import make_subplots

from dashboard.figures import lines
from dashboard.figures.palette import DARK, LIGHT, style


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
