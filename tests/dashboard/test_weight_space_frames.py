from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from emorl.runs.schema import COLUMNS
from emorl.weights import direction_key
from emorl_dashboard.frames import weight_space as frames
from emorl_dashboard.frames.counts import count_note, not_a_number_note
from emorl_dashboard.frames.filters import Filters, filter_note, passing, shown_points

OBJECTIVES = ("a1", "b1")


def evaluations(*rows: tuple[int, tuple[float, float], str, float | None]) -> pd.DataFrame:
    """Make the table ``evaluations`` from (round, weights, kind, mean reward) in a unit box."""
    return pd.DataFrame(
        [
            {
                "search": "hierarchical",
                "round": round_,
                "point": point,
                "weights": list(weights),
                "direction_key": direction_key(weights),
                "kind": kind,
                "box_lower": [0.0, 0.0],
                "box_upper": [1.0, 1.0],
                "means": None if reward is None else [reward, reward],
                "standard_errors": None if reward is None else [0.01, 0.02],
                "mean_reward": reward,
                "seconds": 1.0,
            }
            for point, (round_, weights, kind, reward) in enumerate(rows)
        ]
    )


SEARCH = evaluations(
    (1, (0.0, 0.0), "zero", None),
    (1, (1.0, 0.0), "measured", 0.4),
    (1, (0.5, 0.5), "measured", 0.6),
    (2, (1.0, 1.0), "shared", 0.6),
    (2, (1.0, 0.5), "measured", 0.7),
    (2, (0.5, 0.5), "shared", 0.6),
)


@pytest.fixture
def frame() -> pd.DataFrame:
    return frames.evaluation_frame(SEARCH, OBJECTIVES)


def test_lists_become_one_column_per_objective(frame: pd.DataFrame) -> None:
    row = frame[frame["weights_text"] == "1,0.5"].iloc[0]
    assert (row["w_a1"], row["w_b1"], row["a1"], row["b1_se"]) == (1.0, 0.5, 0.7, 0.02)


def test_the_zero_vector_has_no_scores(frame: pd.DataFrame) -> None:
    zero = frame[frame["kind"] == "zero"].iloc[0]
    assert math.isnan(zero["a1"])
    assert math.isnan(zero["mean_reward"])


def test_an_empty_table_gives_an_empty_frame_with_all_columns() -> None:
    empty = COLUMNS["evaluations"].empty_table().to_pandas()
    frame = frames.evaluation_frame(empty, OBJECTIVES)
    assert frame.empty
    assert {"w_a1", "a1", "a1_se", "mean_reward", "weights_text"} <= set(frame.columns)


def test_a_point_seen_in_two_rounds_is_drawn_once_with_its_first_round(
    frame: pd.DataFrame,
) -> None:
    distinct = frames.distinct_points(frame)
    assert len(distinct) == 5
    assert distinct.set_index("weights_text").loc["0.5,0.5", "round"] == 1


def test_filters_keep_rounds_kinds_and_scores(frame: pd.DataFrame) -> None:
    first = shown_points(frame, Filters(up_to_round=1))
    assert list(first["weights_text"]) == ["0,0", "1,0", "0.5,0.5"]
    good = shown_points(frame, Filters(up_to_round=1, at_least={"mean_reward": 0.5}))
    assert list(good["weights_text"]) == ["0.5,0.5"]
    measured = shown_points(frame, Filters(up_to_round=2, kinds=["measured"]))
    assert set(measured["kind"]) == {"measured"}


def test_a_lowest_score_of_zero_leaves_nothing_out(frame: pd.DataFrame) -> None:
    shown = shown_points(frame, Filters(up_to_round=2, at_least={"a1": 0.0}))
    assert len(shown) == len(frame)


def test_rounds_are_those_of_the_hierarchical_search() -> None:
    other = evaluations((7, (0.2, 0.8), "measured", 0.5)).assign(search="random")
    both = frames.evaluation_frame(pd.concat([other, SEARCH]), OBJECTIVES)
    assert frames.searches(both) == ["hierarchical", "random"]
    assert frames.last_round(both) == 2
    shown = shown_points(both, Filters(up_to_round=1))
    assert "0.2,0.8" in set(shown["weights_text"])
    only = shown_points(both, Filters(up_to_round=1, searches=["random"]))
    assert list(only["weights_text"]) == ["0.2,0.8"]


def test_fields_are_filtered_by_their_scores() -> None:
    means = np.array([[0.2, 0.8], [0.6, 0.6], [np.nan, np.nan]])
    filters = Filters(up_to_round=1, at_least={"a1": 0.5})
    assert passing(means, OBJECTIVES, filters).tolist() == [False, True, False]


def test_filters_say_what_they_leave_out() -> None:
    filters = Filters(up_to_round=1, at_least={"mean_reward": 0.5, "a1": 0.0})
    told = "3 of 6 points pass the filters (mean reward ≥ 0.500)."
    assert filter_note(filters, 3, 6) == told
    assert filter_note(Filters(up_to_round=1), 6, 6) == ""


def test_the_path_holds_the_best_point_after_every_round(frame: pd.DataFrame) -> None:
    path = frames.best_path(frame)
    assert list(path["weights_text"]) == ["0.5,0.5", "1,0.5"]
    assert list(path["until_round"]) == [1, 2]


def test_of_equal_rewards_the_earlier_point_is_the_best(frame: pd.DataFrame) -> None:
    without_winner = frame[frame["weights_text"] != "1,0.5"]
    best = frames.best_point(without_winner, OBJECTIVES)
    assert best is not None
    assert best.weights == (0.5, 0.5)


def test_weights_on_the_ray_of_a_point_find_it(frame: pd.DataFrame) -> None:
    point = frames.point_at(frame, (0.5, 0.0), OBJECTIVES)
    assert point is not None
    assert point.weights == (1.0, 0.0)


def test_the_nearest_point_is_the_one_at_the_smallest_angle(frame: pd.DataFrame) -> None:
    # (1, 0.1) lies atan(0.1) = 5.71 degrees from (1, 0), 20.9 from (1, 0.5).
    nearest = frames.nearest_point(frame, (1.0, 0.1), OBJECTIVES)
    assert nearest is not None
    assert nearest[0].weights == (1.0, 0.0)
    assert nearest[1] == pytest.approx(math.degrees(math.atan(0.1)))


def test_nothing_is_near_the_zero_vector(frame: pd.DataFrame) -> None:
    assert frames.nearest_point(frame, (0.0, 0.0), OBJECTIVES) is None


def test_a_distance_is_told_unless_it_is_that_very_point(frame: pd.DataFrame) -> None:
    point = frames.point_at(frame, (1.0, 0.0), OBJECTIVES)
    assert frames.distance_note(point, (1.0, 0.0)) == ""
    assert "the very same ensemble" in frames.distance_note(point, (0.25, 0.0))
    assert "5.7° away" in frames.distance_note(point, (1.0, 0.1))


def test_boxes_are_those_of_the_rounds_shown() -> None:
    rounds = pd.DataFrame(
        [{"round": 1, "chosen_lower": [0.5, 0.0], "chosen_upper": [1.0, 0.5]}],
    )
    boxes = frames.boxes(SEARCH, rounds, up_to_round=1)
    assert [(box.round, box.lower, box.is_chosen) for box in boxes] == [
        (1, (0.0, 0.0), False),
        (1, (0.5, 0.0), True),
    ]


def test_hover_says_what_is_measured_and_what_is_not(frame: pd.DataFrame) -> None:
    texts = dict(zip(frame["weights_text"], frames.hover_texts(frame, OBJECTIVES), strict=True))
    assert "a1: weight 1, score 0.700 ± 0.010" in texts["1,0.5"]
    assert "shares the score measured on its ray" in texts["1,1"]
    assert "not evaluated" in texts["0,0"]


def test_the_table_of_points_is_best_first(frame: pd.DataFrame) -> None:
    table = frames.point_table(frame, OBJECTIVES)
    assert table["mean reward"].iloc[0] == 0.7
    assert frame["weights_text"][table.index[0]] == "1,0.5"


def test_a_triangle_keeps_the_shares_of_the_other_weights() -> None:
    # Of (0.1, 0.2, 0.3, 0.4), the first three share 0.6.
    moved = frames.with_shares((0.1, 0.2, 0.3, 0.4), (0, 1, 2), (0.5, 0.5, 0.0))
    assert moved == pytest.approx((0.3, 0.3, 0.0, 0.4))


def test_weights_that_leave_the_triangle_nothing_give_way_to_it() -> None:
    assert frames.with_shares((0, 0, 0, 1), (0, 1, 2), (0.2, 0.3, 0.5)) == (0.2, 0.3, 0.5, 0.0)


def test_errors_stand_beside_their_scores_in_the_table(frame: pd.DataFrame) -> None:
    names = list(frames.point_table(frame, OBJECTIVES).columns)
    assert names[names.index("a1") + 1] == "a1 ± se"
    assert "search" not in names


def test_the_counts_of_a_search_hang_together_in_one_sentence() -> None:
    search = evaluations(
        (1, (0.0, 0.0), "zero", None),
        (1, (0.5, 0.5), "shared", 0.6),
        (1, (1.0, 1.0), "measured", 0.6),
        (2, (1.0, 1.0), "shared", 0.6),
        (2, (1.0, 0.5), "measured", 0.7),
    )
    told = count_note(frames.evaluation_frame(search, OBJECTIVES))
    # (1, 1) comes twice, and (0.5, 0.5) is on its ray.
    assert told.startswith(
        "5 points: 4 different weight vectors, 1 of them all 0, on 2 directions from zero."
    )
    plain = evaluations((1, (1.0, 0.5), "measured", 0.7))
    assert count_note(frames.evaluation_frame(plain, OBJECTIVES)) == ""


def test_scores_that_are_not_numbers_are_told_and_the_zero_vector_is_none_of_them() -> None:
    search = evaluations(
        (1, (0.0, 0.0), "zero", None),
        (1, (1.0, 0.0), "measured", math.nan),
        (1, (0.0, 1.0), "measured", 0.5),
    )
    frame = frames.evaluation_frame(search, OBJECTIVES)
    assert not_a_number_note(frame).startswith("1 of 3 points have scores that are not numbers")
    assert not_a_number_note(frame[frame["kind"] != "measured"]) == ""
