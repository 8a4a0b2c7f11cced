"""The Pareto front of evaluated directions, its volume, and the history of searches."""

from __future__ import annotations

import pandas as pd
import pytest

from emorl.runs.schema import COLUMNS
from emorl_dashboard.frames import history
from emorl_dashboard.frames import trade_off as trades
from emorl_dashboard.frames.filters import Filters, shown_points
from emorl_dashboard.frames.weight_space import MEAN_REWARD, evaluation_frame
from tests.dashboard.test_weight_space_frames import OBJECTIVES, SEARCH, evaluations


def directions(*means: tuple[float, float]) -> pd.DataFrame:
    """Make evaluations of directions that are all different."""
    rows = evaluations(*[(1, (1.0, 0.1 * n), "measured", 0.5) for n in range(len(means))])
    rows["means"] = [list(pair) for pair in means]
    return evaluation_frame(rows, OBJECTIVES)


NO_FRONT = trades.exact_front(
    COLUMNS["front"].empty_table().to_pandas(), OBJECTIVES, split="aggregation"
)
EXACT = trades.exact_front(
    pd.DataFrame(
        {
            "split": ["aggregation", "inference"],
            "weights": [[0.4, 0.6], [0.1, 0.9]],
            "radius": 0.1,
            "means": [[0.9, 0.9], [0.1, 0.1]],
            "is_supported": True,
            "is_complete": True,
        }
    ),
    OBJECTIVES,
    split="aggregation",
)


def test_the_front_is_of_directions_not_of_grid_points() -> None:
    frame = trades.trade_off_frame(evaluation_frame(SEARCH, OBJECTIVES), OBJECTIVES)
    # (0.5, 0.5) and (1, 1) are one direction, the zero vector is none.
    assert list(frame["weights_text"]) == ["1,0", "0.5,0.5", "1,0.5"]
    assert list(frame["on_front"]) == [False, False, True]


def test_the_note_names_objectives_reference_and_volume() -> None:
    frame = trades.trade_off_frame(directions((0.8, 0.2), (0.4, 0.5), (0.3, 0.3)), OBJECTIVES)
    # 0.8 x 0.2 + 0.4 x 0.3 = 0.28.
    told = trades.volume_note(frame, EXACT, OBJECTIVES, OBJECTIVES)
    assert "Hypervolume 0.2800, of the exact front 0.8100" in told
    assert "(of a1, b1; reference point 0, 0; at most 1)" in told


def test_beyond_three_objectives_the_volume_is_of_the_pair_that_is_drawn() -> None:
    frame = trades.trade_off_frame(directions((0.8, 0.2)), OBJECTIVES)
    told = trades.volume_note(frame, NO_FRONT, ("a1", "b1", "c", "d"), ("a1", "b1"))
    assert told == "Hypervolume 0.1600 (of a1, b1; reference point 0, 0; at most 1)."


def test_stairs_go_down_along_the_front_of_two_objectives() -> None:
    frame = directions((0.8, 0.2), (0.4, 0.5), (0.3, 0.3))
    stairs = trades.stairs(frame, "a1", "b1")
    assert list(zip(stairs["x"], stairs["y"], strict=True)) == [(0.4, 0.5), (0.4, 0.2), (0.8, 0.2)]


def test_stairs_lie_above_every_point_to_their_left() -> None:
    stairs = trades.stairs(directions((0.8, 0.2), (0.4, 0.5), (0.6, 0.1)), "a1", "b1")
    # A step goes down where the better first score begins, so that (0.6, 0.1) is below it.
    assert stairs["y"].is_monotonic_decreasing


def test_the_exact_front_is_of_one_split_and_filtered_like_the_points() -> None:
    assert list(EXACT["weights_text"]) == ["0.4,0.6"]
    assert trades.front_weights(EXACT, OBJECTIVES).tolist() == [[0.4, 0.6]]
    high = Filters(up_to_round=1, at_least={"a1": 0.95})
    assert trades.passing_rows(EXACT, high).empty
    frame = trades.trade_off_frame(directions((0.8, 0.2)), OBJECTIVES)
    assert "The atlas holds 1 such trade-offs" in trades.front_note(frame, EXACT)


def test_history_counts_what_was_measured_within_each_search() -> None:
    other = evaluations((1, (0.2, 0.8), "measured", 0.65)).assign(search="random")
    frame = evaluation_frame(pd.concat([SEARCH, other]), OBJECTIVES)
    found = history.history_frame(frame)
    assert list(found["n_measured"]) == [1, 2, 3, 1]
    assert list(found["best"]) == [0.4, 0.6, 0.7, 0.65]


def test_filters_change_what_is_shown_of_a_search_not_what_it_measured() -> None:
    frame = evaluation_frame(SEARCH, OBJECTIVES)
    found = history.history_frame(frame, frame[frame[MEAN_REWARD] >= 0.7].reset_index(drop=True))
    assert list(found["n_measured"]) == [3]
    assert list(found["best"]) == [0.7]


def test_a_later_point_at_the_same_weights_does_not_let_the_measured_one_pass() -> None:
    rows = (1, (1.0, 0.5), "measured", 0.6), (2, (1.0, 0.5), "shared", 0.6)
    frame = evaluation_frame(evaluations(*rows), OBJECTIVES)
    shown = shown_points(frame, Filters(up_to_round=2, kinds=["shared"]))
    assert len(shown) == 1
    assert history.history_frame(frame, shown).empty
    # A search without rounds is found again by what it has.
    other = frame.assign(search="random", round=float("nan"), point=float("nan"))
    assert len(history.history_frame(other, other)) == 1


def test_the_best_so_far_keeps_its_rises_and_its_end() -> None:
    rows = [(1, (1.0, 0.1 * n), "measured", reward) for n, reward in enumerate((0.5, 0.4, 0.6))]
    rows.append((1, (0.5, 1.0), "measured", 0.2))
    found = history.history_frame(evaluation_frame(evaluations(*rows), OBJECTIVES))
    rises = history.improvements(found, "hierarchical")
    assert list(rises["n_measured"]) == [1, 3, 4]


def test_the_history_says_when_the_best_came_and_what_is_left() -> None:
    found = history.history_frame(evaluation_frame(SEARCH, OBJECTIVES))
    told = history.history_note(found, 0.71)
    assert "hierarchical: 0.7000 after 3 of 3 measured directions" in told
    assert "at most 0.0100 is left" in told
    assert "nothing is left" in history.history_note(found, 0.7)
    assert history.history_note(found.iloc[:0], None) == ""


@pytest.mark.parametrize("bound", [None, 0.9])
def test_an_empty_search_has_an_empty_front_and_history(bound: float | None) -> None:
    empty = evaluation_frame(COLUMNS["evaluations"].empty_table().to_pandas(), OBJECTIVES)
    assert trades.trade_off_frame(empty, OBJECTIVES).empty
    assert trades.stairs(empty, "a1", "b1").empty
    found = history.history_frame(empty)
    assert history.history_note(found, bound) in ("", "proven: no weights exceed 0.9000.")
