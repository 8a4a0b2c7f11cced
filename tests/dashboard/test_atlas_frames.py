from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from emorl.atlas.polytope import area
from emorl.errors import WeightsError
from emorl_dashboard.frames import atlas as frames
from emorl_dashboard.frames import atlas_prompts
from emorl_dashboard.frames.atlas_place import (
    find_place,
    place_text,
    room_text,
    way_rows,
    way_text,
)
from emorl_dashboard.frames.words import count_words, differing_words
from tests.support.atlas_fields import fake_atlases, random_weights
from tests.support.dashboard_atlases import fixed, halves, scored_atlas

OBJECTIVES = ("reflection", "empathy", "fluency")
WHOLE = atlas_prompts.Cut((0, 1, 2), (1 / 3, 1 / 3, 1 / 3))


def test_words_that_another_text_lacks_are_marked_and_the_pieces_make_up_the_text() -> None:
    text = "I hear you,  and it\nis hard"
    pieces = differing_words(text, "I hear that it is hard")
    assert "".join(piece for piece, mark in pieces if mark != "missing") == text
    assert [piece for piece, mark in pieces if mark == "own"] == ["you,  and"]


def test_words_that_only_the_other_text_has_are_missing_in_their_place() -> None:
    pieces = differing_words("I hear you.", "Well, I hear you. It is hard.")
    assert pieces == [("Well,", "missing"), ("I hear you.", "same"), ("It is hard.", "missing")]
    assert differing_words("", "all") == [("all", "missing")]


@pytest.mark.parametrize("text", ["", "  ", "one", " one  two "])
def test_a_text_differs_from_itself_in_no_word(text: str) -> None:
    pieces = differing_words(text, text)
    assert "".join(piece for piece, _ in pieces) == text
    assert {mark for _, mark in pieces} <= {"same"}


def test_very_long_texts_are_compared_as_bags_of_words() -> None:
    pieces = differing_words("a " * 3_000 + "new", "a " * 3_000)
    assert [piece for piece, mark in pieces if mark == "own"] == ["new"]
    assert count_words("a " * 3_000 + "new") == 3_001


def test_responses_are_listed_by_area_with_weights_that_give_them() -> None:
    # The first wins where w0 >= 3 w1: a triangle with corners e0, e2 and (3, 1, 0) / 4.
    scored = scored_atlas(
        ("small", "large one"), [[1, 0, 0], [0, 3, 0]], [[0.9, 0.3, 0.6], [0.2, 0.4, 0.6]]
    )
    table = frames.cell_table(scored, OBJECTIVES)
    assert list(table["text"]) == ["large one", "small"]
    assert list(table["area"]) == pytest.approx([0.75, 0.25])
    assert list(table["n_words"]) == [2, 1]
    assert list(table["mean_reward"]) == pytest.approx([0.4, 0.6])
    for cell, text in zip(table["cell"], table["weights_text"], strict=True):
        weights = [float(part) for part in text.split(",")]
        assert scored.atlas.lookup([weights])[0] == cell


def test_a_cell_thinner_than_five_decimals_gets_weights_inside_of_it() -> None:
    # Between w1 / w0 = 1 and 1 + 2e-6: shares rounded to 1e-5 cannot tell.
    thin = scored_atlas(
        ("left", "thin", "right"),
        [[2.0, 0.0], [1.0, 1.0], [-1e-6, 2.0 - 1e-12]],
        [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]],
    )
    text = frames.weights_in_cell(thin.atlas, 1)
    assert thin.atlas.lookup([[float(part) for part in text.split(",")]])[0] == 1
    assert thin.atlas.cells[1].area < 1e-5


def test_an_open_response_has_no_score_and_says_so() -> None:
    scored = halves(open_cell=1)
    table = frames.cell_table(scored, OBJECTIVES)
    row = frames.row_of(table, 1)
    assert math.isnan(row["mean_reward"])
    assert "not scored" in frames.score_lines(row, OBJECTIVES)
    assert frames.shown_text(row).endswith("…")
    told = frames.coverage_text(scored.atlas)
    assert told.startswith("One response to this prompt; finished ones cover 50.00 % of all")
    assert "1 more is open: the budget ended" in told


def test_a_prompt_whose_only_response_is_open_has_no_response_yet() -> None:
    cell = replace(halves().atlas.cells[0], area=1.0, is_open=True)
    atlas = replace(halves().atlas, branches=(), cells=(cell,), covered=0.0)
    told = frames.coverage_text(atlas)
    assert told.startswith("No response to this prompt is finished. 1 is open: the budget ended")


def test_colours_reach_from_zero_to_one_or_over_what_is_shown() -> None:
    table = frames.cell_table(halves(), OBJECTIVES)
    assert frames.value_range(table, "reflection", stretched=False) == (0.0, 1.0)
    assert frames.value_range(table, "reflection", stretched=True) == (0.2, 0.9)
    # Equal scores have no range to stretch over.
    assert frames.value_range(table, "fluency", stretched=True) == (0.0, 1.0)


def test_the_radius_and_the_borders_of_weights_are_exact() -> None:
    place = find_place(halves().atlas, (0.5, 0.25, 0.25))
    # The border is w0 = w1; its distance is (0.5 - 0.25) / sqrt(2).
    assert place.radius == pytest.approx(0.25 / math.sqrt(2))
    told = {way_text(way, OBJECTIVES): way for way in place.ways}
    assert set(told) == {"reflection ↓ 0.250", "empathy ↑ 0.500"}
    # Down to 0.25 of a sum of 0.75; up to 0.5 of a sum of 1.25.
    assert told["reflection ↓ 0.250"].share == pytest.approx(1 / 3)
    assert told["empathy ↑ 0.500"].share == pytest.approx(0.4)


def test_the_weights_behind_a_border_give_the_response_behind_it() -> None:
    scored = halves()
    place = find_place(scored.atlas, (0.5, 0.25, 0.25))
    rows = way_rows(place, frames.cell_table(scored, OBJECTIVES), OBJECTIVES)
    assert list(rows["text"]) == ["B is second", "B is second"]
    for text in rows["weights_text"]:
        weights = [float(part) for part in text.split(",")]
        assert scored.atlas.lookup([weights])[0] == 1
        assert max(abs(a - b) for a, b in zip(weights, place.weights, strict=True)) < 0.26


def test_one_response_everywhere_is_no_choice() -> None:
    scored = fixed()
    place = find_place(scored.atlas, (1.0, 1.0, 1.0))
    row = frames.cell_table(scored, OBJECTIVES).iloc[0]
    assert place.ways == ()
    assert "no choice" in place_text(place, row, OBJECTIVES)


@pytest.mark.parametrize("axes", [(0, 1, 2), (3, 0, 2), (1, 3)])
def test_a_slice_shows_the_cells_that_a_look_up_finds(axes: tuple[int, ...]) -> None:
    [atlas] = fake_atlases(4, 1, seed=3)
    shares = (0.1, 0.4, 0.2, 0.3)
    shapes = frames.shapes(atlas, axes, shares)
    assert len(shapes) > 1
    assert sum(area(shape.corners) for shape in shapes) == pytest.approx(1.0)
    for shape in shapes:
        middle = shape.corners.mean(axis=0)
        weights = frames.slice_weights(middle.tolist(), axes, shares)
        assert sum(weights) == pytest.approx(1.0)
        assert atlas.lookup([weights])[0] == shape.cell
        others = [place for place in range(4) if place not in axes]
        assert [weights[place] for place in others] == [shares[place] for place in others]


def test_three_objectives_are_drawn_as_the_atlas_keeps_them() -> None:
    scored = halves()
    drawn = frames.shapes(scored.atlas, (0, 1, 2))
    assert [shape.corners.tolist() for shape in drawn] == [
        cell.vertices.tolist() for cell in scored.atlas.cells
    ]
    assert frames.part_of((0.0, 0.0, 1.0), (0, 1)) is None
    assert frames.part_of((0.2, 0.2, 0.6), (0, 1)) == (0.5, 0.5)


def test_extents_hold_every_weight_of_a_cell() -> None:
    [atlas] = fake_atlases(4, 1, seed=3)
    table = pd.DataFrame({"cell": range(len(atlas.cells))})
    extents = frames.extents(table, atlas, ("a", "b", "c", "d"))
    ends = {
        (cell, name): (low, high)
        for cell, name, low, _, high in extents.itertuples(index=False, name=None)
    }
    for weights in random_weights(4, 200):
        cell = int(atlas.lookup(weights[None])[0])
        for name, weight in zip("abcd", weights, strict=True):
            low, high = ends[cell, name]
            assert low - 1e-9 <= weight <= high + 1e-9


def test_prompts_with_the_most_choice_come_first() -> None:
    table = atlas_prompts.prompt_table([fixed(1), halves(0)], {0: "zero", 1: "one"}, OBJECTIVES)
    assert list(table["prompt"]) == ["zero", "one"]
    # Two responses of equal area: one bit. Mean rewards 0.6 and 0.4.
    assert list(table["entropy"]) == pytest.approx([1.0, 0.0])
    assert list(table["spread"]) == pytest.approx([0.2, 0.0])
    assert list(table["spread reflection"]) == pytest.approx([0.7, 0.0])
    told = atlas_prompts.choice_text(table)
    assert "1 of 2 prompts have more than one response; 1 have no choice at all" in told
    assert "at most 0.200" in told


def test_borders_inside_the_triangle_are_lines_and_its_sides_are_not() -> None:
    lines = atlas_prompts.border_lines([halves(), fixed()], WHOLE)
    # One border from (1, 1, 0) / 2 to (0, 0, 1), once for each side of it.
    assert lines.shape == (6, 3)
    ends = {tuple(np.round(row, 9)) for row in lines if np.isfinite(row).all()}
    assert ends == {(0.5, 0.5, 0.0), (0.0, 0.0, 1.0)}
    assert len(atlas_prompts.border_frame(atlas_prompts.border_lines([halves()], WHOLE))) == 2


def test_borders_of_two_objectives_are_places() -> None:
    scored = scored_atlas(("a", "b"), [[1, 0], [0, 3]], [[0.1, 0.2], [0.3, 0.4]])
    # w0 = 3 w1 where the second has a quarter.
    steps = atlas_prompts.border_steps([scored], atlas_prompts.Cut((0, 1), (0.5, 0.5)))
    assert steps.tolist() == pytest.approx([0.25])
    assert atlas_prompts.border_frame(steps).iloc[:, 0].tolist() == pytest.approx([0.25])


def test_borders_of_four_objectives_are_drawn_in_the_slice_that_holds_the_fourth() -> None:
    # The first text wins where w0 >= w1 + w3. With w3 held at 0.2 the others share 0.8:
    # u0 - u1 >= 0.25, from (5, 3, 0) / 8 to (1, 0, 3) / 4.
    scored = scored_atlas(
        ("a", "b"), [[1, 0, 0, 0], [0, 1, 0, 1]], [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]
    )
    shares = (0.3, 0.3, 0.2, 0.2)
    lines = atlas_prompts.border_lines([scored], atlas_prompts.Cut((0, 1, 2), shares))
    ends = {tuple(np.round(row, 9)) for row in lines if np.isfinite(row).all()}
    assert ends == {(0.625, 0.375, 0.0), (0.25, 0.0, 0.75)}
    # Of the first two alone: u0 + u1 = 1 share 0.6, and 0.6 (u0 - u1) >= 0.2 up to u1 = 1/3.
    steps = atlas_prompts.border_steps([scored], atlas_prompts.Cut((0, 1), shares))
    assert steps.tolist() == pytest.approx([1 / 3])


@pytest.mark.parametrize("text", ["2,1,0", "[2, 1, 0]", " 2 1 0 ", "(2; 1; 0)"])
def test_weights_can_be_typed_in_many_ways(text: str) -> None:
    assert atlas_prompts.read_weights(text, 3) == (2.0, 1.0, 0.0)


@pytest.mark.parametrize("text", ["", "1,2", "a,b,c", "nan,1,1", "-1,0,1", "0,0,0", "1e999,0,0"])
def test_impossible_weights_are_refused_in_words(text: str) -> None:
    with pytest.raises(WeightsError):
        atlas_prompts.read_weights(text, 3)


def test_weights_on_one_ray_are_the_same_ensemble_for_every_prompt() -> None:
    found = atlas_prompts.compare_weights([halves()], (2.0, 1.0, 0.0), (10.0, 5.0, 0.0))
    here, everywhere = atlas_prompts.sameness_text(found, 0)
    assert found.is_one_ray
    assert "One ray" in here
    assert "every prompt gets the same response" in everywhere


def test_weights_in_one_cell_and_in_different_cells_are_told_apart() -> None:
    scored = [halves(0), fixed(1)]
    same = atlas_prompts.compare_weights(scored, (2.0, 1.0, 0.0), (3.0, 1.0, 0.0))
    other = atlas_prompts.compare_weights(scored, (2.0, 1.0, 0.0), (1.0, 2.0, 0.0))
    assert same.different == ()
    assert "in one cell" in atlas_prompts.sameness_text(same, 0)[0]
    assert other.different == (0,)
    assert "different cells" in atlas_prompts.sameness_text(other, 0)[0]
    assert "in one cell" in atlas_prompts.sameness_text(other, 1)[0]
    assert "1 of 2 mapped prompts" in atlas_prompts.sameness_text(other, 1)[1]
    table = atlas_prompts.difference_table(
        scored, {0: "zero"}, other.different, (2.0, 1.0, 0.0), (1.0, 2.0, 0.0)
    )
    assert table[["first", "second"]].to_numpy().tolist() == [["A is first", "B is second"]]


def test_weights_in_one_open_cell_are_not_said_to_be_the_same() -> None:
    scored = [halves(0, open_cell=0), fixed(1)]
    unknown = atlas_prompts.compare_weights(scored, (2.0, 1.0, 0.0), (3.0, 1.0, 0.0))
    assert (unknown.different, unknown.unknown) == ((), (0,))
    here, everywhere = atlas_prompts.sameness_text(unknown, 0)
    assert "Not known" in here
    assert "the same response to 1 of 2" in everywhere
    assert "Yes" in atlas_prompts.sameness_text(unknown, 1)[0]
    # Different cells are told apart, open or not; one ray is one ensemble.
    other = atlas_prompts.compare_weights(scored, (2.0, 1.0, 0.0), (1.0, 2.0, 0.0))
    assert (other.different, other.unknown) == ((0,), ())
    ray = atlas_prompts.compare_weights(scored, (2.0, 1.0, 0.0), (4.0, 2.0, 0.0))
    assert (ray.different, ray.unknown) == ((), ())


def test_the_room_in_an_open_cell_is_said_to_be_an_upper_bound() -> None:
    scored = halves(open_cell=0)
    table = frames.cell_table(scored, OBJECTIVES)
    place = find_place(scored.atlas, (0.5, 0.25, 0.25))
    assert place.is_open
    told = place_text(place, frames.row_of(table, place.cell), OBJECTIVES)
    assert "begin like this" in told
    assert "at most 0.177 away" in told  # 0.25 / sqrt(2)
    assert "inside the band too" in room_text(place)
    assert "stays the same" in room_text(find_place(scored.atlas, (0.25, 0.5, 0.25)))


def test_one_open_cell_over_all_weights_is_not_said_to_be_without_choice() -> None:
    scored = scored_atlas(("Always",), [[1, 1, 1]], [[0.5, 0.5, 0.5]], open_cell=0)
    place = find_place(scored.atlas, (1.0, 1.0, 1.0))
    row = frames.cell_table(scored, OBJECTIVES).iloc[0]
    assert "no choice" not in place_text(place, row, OBJECTIVES)
    assert "not known" in room_text(place)
    table = atlas_prompts.prompt_table([scored, halves(1)], {}, OBJECTIVES)
    told = atlas_prompts.choice_text(table)
    assert "1 of 2 prompts have more than one response" in told
    assert "no choice at all" not in told


def test_the_proven_best_is_read_with_its_region() -> None:
    row = {
        "split": "aggregation",
        "weights": [0.5, 0.5, 0.0],
        "corners": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "mean_reward": 0.9,
    }
    best = frames.best_proven(pd.DataFrame([row]), 3)
    assert best is not None
    assert best.corners.tolist() == np.eye(3).tolist()
    assert frames.best_proven(pd.DataFrame(columns=list(row)), 3) is None


def test_without_evaluations_the_weights_are_equal() -> None:
    none = pd.DataFrame({"mean_reward": [], "weights": []})
    some = pd.DataFrame({"mean_reward": [0.2, np.nan, 0.7], "weights": [[1, 0], [0, 0], [1, 1]]})
    assert frames.best_found(none, 3) == (1.0, 1.0, 1.0)
    assert frames.best_found(some, 2) == (1.0, 1.0)
