from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emorl_dashboard.components import plane_click, text_table
from emorl_dashboard.figures import atlas as figures
from emorl_dashboard.figures.atlas_prompts import border_bar, border_map, prompt_choice
from emorl_dashboard.figures.atlas_weights import extents_chart, room_to_move
from emorl_dashboard.figures.compare import method_differences, method_scores, runs_side_by_side
from emorl_dashboard.figures.palette import DARK, LIGHT
from emorl_dashboard.figures.simplex import HEIGHT
from emorl_dashboard.frames import atlas as frames
from emorl_dashboard.frames import atlas_prompts, compare_runs
from emorl_dashboard.frames.atlas_place import find_place
from emorl_dashboard.frames.comparison import comparison
from tests.dashboard.test_compare_frames import method
from tests.support.atlas_fields import fake_atlases
from tests.support.dashboard_atlases import fixed, halves, scored_atlas
from tests.support.formula import HOSTILE

OBJECTIVES = ("reflection", "empathy", "fluency")


def content(value: str = "response", **changes: object) -> figures.CellMap:
    scored = halves()
    drawn = figures.CellMap(
        table=frames.cell_table(scored, OBJECTIVES),
        shapes=frames.shapes(scored.atlas, (0, 1, 2)),
        objectives=OBJECTIVES,
        axes=(0, 1, 2),
        value=value,
        value_range=(0.0, 1.0),
        selected_cell=0,
        selected=(0.5, 0.25, 0.25),
    )
    return replace(drawn, **changes)  # type: ignore[arg-type]


def traces(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def test_each_response_is_a_polygon_that_can_be_read_by_hovering() -> None:
    figure = figures.cell_map(content(), LIGHT)
    [second] = traces(figure, "response 1")
    # Corners of w1 >= w0: the middle of the lower side, the right corner, the top.
    corners = sorted(set(zip(np.round(second.x, 6), np.round(second.y, 6), strict=True)))
    assert corners == [(0.5, 0.0), (0.5, round(HEIGHT, 6)), (1.0, 0.0)]
    assert "50.00 % of all weights" in second.text
    assert "B is second" in second.text
    assert "reflection 0.200" in second.text


def test_the_selected_response_is_outlined_over_all_others() -> None:
    figure = figures.cell_map(content(), LIGHT)
    polygons = [trace for trace in figure.data if trace.fill == "toself"]
    assert polygons[-1].name == "response 0"
    assert polygons[-1].line.width > polygons[0].line.width


def test_scores_colour_by_viridis_and_open_responses_have_no_colour_of_it() -> None:
    table = frames.cell_table(halves(open_cell=1), OBJECTIVES)
    figure = figures.cell_map(content("reflection", table=table, value_range=(0.0, 0.9)), DARK)
    [first], [second] = traces(figure, "response 0"), traces(figure, "response 1")
    assert first.fillcolor == "rgb(253, 231, 37)"  # the end of Viridis
    assert second.fillcolor.startswith("#")
    assert traces(figure, "colours")


def test_the_largest_responses_have_colours_of_their_own() -> None:
    table = pd.DataFrame({"cell": range(12), "is_open": [False] * 11 + [True]})
    colours = figures.response_colours(table)
    assert len({colours[cell] for cell in range(8)}) == 8
    assert {colours[cell] for cell in (8, 9, 10)} == {figures.OTHER_COLOUR}
    assert colours[11] not in {*figures.RESPONSE_COLOURS, figures.OTHER_COLOUR}


def test_texts_are_escaped_in_hovers() -> None:
    hostile = scored_atlas((HOSTILE,), [[1, 1, 1]], [[0.5, 0.5, 0.5]])
    row = frames.cell_table(hostile, OBJECTIVES).iloc[0]
    text = figures.hover_text(row, OBJECTIVES)
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert "<img" not in text
    assert len(figures.wrapped("word " * 10_000)) < 700


def test_two_objectives_make_a_bar_whose_places_are_shares_of_the_second() -> None:
    scored = scored_atlas(("a", "b"), [[1, 0], [0, 3]], [[0.1, 0.2], [0.3, 0.4]])
    drawn = content(
        table=frames.cell_table(scored, ("a", "b")),
        shapes=frames.shapes(scored.atlas, (0, 1)),
        objectives=("a", "b"),
        axes=(0, 1),
        selected=(0.9, 0.1),
        best=(0.5, 0.5),
        best_region=np.array([[0.6, 0.4], [0.4, 0.6]]),
    )
    figure = figures.cell_map(drawn, LIGHT)
    [first] = traces(figure, "response 0")
    assert (min(first.x), max(first.x)) == pytest.approx((0.0, 0.25))
    assert len(traces(figure, "best region")) == 2
    assert figures.place_of(0.25, 0.1, 2) == (0.75, 0.25)
    assert figures.place_of(0.25, 2.0, 2) is None


def test_a_click_well_outside_of_the_triangle_is_no_click_on_it() -> None:
    assert figures.place_of(0.5, HEIGHT, 3) == pytest.approx((0.0, 0.0, 1.0), abs=1e-9)
    assert figures.place_of(-0.01, -0.01, 3) == pytest.approx((1.0, 0.0, 0.0))
    assert figures.place_of(0.0, HEIGHT, 3) is None


@pytest.mark.parametrize("sent", [None, 3, "", "1", "a,b", "1,2,3", "nan,0", "inf,1"])
def test_what_is_no_place_is_no_click(sent: object) -> None:
    assert plane_click.read_place(sent) is None


def test_a_place_is_read_as_two_numbers() -> None:
    assert plane_click.read_place("0.25,-1e-3") == (0.25, -0.001)


def test_contents_of_text_tables_sort_by_number_and_keep_every_word() -> None:
    assert text_table.number(0.5, "50 %") == {"text": "50 %", "value": 0.5}
    assert text_table.number(float("nan"), "nan")["value"] is None
    assert text_table.words([("a ", "same"), ("c", "missing"), ("b", "own")])["value"] == "a b"
    assert text_table.words([])["text"] == "(no words)"


def test_the_band_of_a_weight_ends_at_its_borders() -> None:
    place = find_place(halves().atlas, (0.5, 0.25, 0.25))
    figure = room_to_move(place, {0: "A", 1: HOSTILE}, OBJECTIVES, LIGHT)
    bands = [trace for trace in traces(figure, "the response stays") if trace.line.width > 10]
    ends = [tuple(band.x) for band in bands]
    assert ends[0] == pytest.approx((1 / 3, 1.0))
    assert ends[1] == pytest.approx((0.0, 0.4))
    assert ends[2] == (0.0, 1.0)
    assert all("<script>" not in border.hovertext for border in traces(figure, "border"))


def test_every_prompt_is_a_point_that_names_itself() -> None:
    table = atlas_prompts.prompt_table([halves(0), fixed(1)], {0: HOSTILE}, OBJECTIVES)
    figure = prompt_choice(table, 1, LIGHT)
    [points] = traces(figure, "prompts")
    assert list(points.customdata) == [0, 1]
    assert "<script>" not in points.hovertext[0]
    [chosen] = traces(figure, "selected")
    assert list(chosen.x) == [0.0]


def test_borders_are_drawn_in_the_plane_with_gaps_between_them() -> None:
    lines = atlas_prompts.border_lines([halves()], atlas_prompts.Cut((0, 1, 2), (1 / 3,) * 3))
    figure = border_map(lines, OBJECTIVES, {"selected weights": (1.0, 0.0, 0.0)}, 1, LIGHT)
    [drawn] = traces(figure, "borders")
    assert np.isnan(drawn.x).tolist() == [False, False, True] * 2
    assert set(np.round(drawn.x[:2], 6)) == {0.5}
    none = border_map(np.empty((0, 3)), OBJECTIVES, {}, 3, DARK)
    assert len(traces(none, "borders")[0].x) == 0


def test_a_corner_of_a_slice_has_its_objectives_colour_and_leaves_room_for_the_others() -> None:
    four = ("a", "b", "c", "d")
    sliced = border_map(np.empty((0, 3)), four, {}, 3, DARK, (0, 2, 3))
    assert [note.text for note in sliced.layout.annotations] == [
        "<b>most a</b>", "<b>most c</b>", "<b>most d</b>"
    ]  # fmt: skip
    colours = [note.font.color for note in sliced.layout.annotations]
    assert colours == [DARK.objectives[place] for place in (0, 2, 3)]
    whole = border_map(np.empty((0, 3)), OBJECTIVES, {}, 3, DARK)
    assert whole.layout.annotations[0].text == "<b>only reflection</b>"


def test_borders_of_two_objectives_count_up() -> None:
    figure = border_bar(np.array([0.25, 0.5]), ("a", "b"), {"best": (1.0, 3.0)}, 2, LIGHT)
    assert list(figure.data[0].y) == [0, 1, 2, 2]
    assert list(figure.data[1].x) == [0.75]


def test_reaches_are_drawn_for_every_objective() -> None:
    [atlas] = fake_atlases(4, 1, seed=3)
    names = {cell: f"response {cell}" for cell in range(len(atlas.cells))}
    four = ("a", "b", "c", "d")
    extents = frames.extents(pd.DataFrame({"cell": list(names)}), atlas, four)
    assert [trace.name for trace in extents_chart(extents, names, four, LIGHT).data] == list(four)


def test_methods_are_drawn_with_both_ends_of_their_intervals() -> None:
    known = [method("one", [0.2, 0.4, 0.9]), method("two", [0.3, 0.5, 0.7])]
    rows = comparison(known, known[0], OBJECTIVES)
    scores = method_scores(rows, OBJECTIVES, LIGHT)
    assert [trace.name for trace in scores.data] == [*OBJECTIVES, "mean reward"]
    reward = scores.data[-1]
    own = rows[rows["measure"] == "mean_reward"]
    assert list(reward.x + reward.error_x.array) == pytest.approx(list(own["high"]))
    assert list(reward.x - reward.error_x.arrayminus) == pytest.approx(list(own["low"]))
    apart = method_differences(rows, OBJECTIVES, DARK)
    assert list(apart.data[-1].x) == pytest.approx([0.0, 0.0])


def test_runs_are_drawn_as_dots_and_their_mean() -> None:
    rows: list[compare_runs.Row] = [
        {"run": run, "label": "Base", "mean_reward": value} | dict.fromkeys(OBJECTIVES, value)
        for run, value in (("a", 0.4), ("<b>", 0.6))
    ]
    summary = compare_runs.over_runs(rows, OBJECTIVES)
    figure = runs_side_by_side(rows, summary, "mean_reward", LIGHT)
    assert list(figure.data[0].x) == [0.4, 0.6]
    assert "&lt;b&gt;" in figure.data[0].hovertext[1]
    assert list(figure.data[1].x) == pytest.approx([0.5])
