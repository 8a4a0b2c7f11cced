"""The smallest difference that a plan would find."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from emorl.errors import StudyError
from emorl_dashboard.study.analysis.latent import PLANNED, expected_rating
from emorl_dashboard.study.analysis.power import minimal_detectable_difference

PAPER: dict[str, Any] = {"n_items": 64, "n_annotators_per_item": 2, "n_systems": 5}


def test_64_items_and_two_raters_find_about_a_quarter_point() -> None:
    start = time.perf_counter()
    assert minimal_detectable_difference(**PAPER) == pytest.approx(0.27, abs=0.05)
    assert minimal_detectable_difference(**PAPER | {"n_systems": 2}) == pytest.approx(
        0.23, abs=0.04
    )
    assert time.perf_counter() - start < 4


def test_more_items_raters_and_fewer_systems_find_less() -> None:
    found = minimal_detectable_difference(**PAPER)
    for better in ({"n_items": 128}, {"n_annotators_per_item": 4}, {"n_systems": 2}):
        assert minimal_detectable_difference(**PAPER | better) < found
    for harder in ({"power": 0.95}, {"alpha": 0.01}):
        assert minimal_detectable_difference(**PAPER | harder) > found


def test_few_items_are_planned_by_the_exact_test_of_the_analysis() -> None:
    # Five items of one sign have p = 2/32, by the exact test: never below 5 %.
    five: dict[str, Any] = {"n_items": 5, "n_annotators_per_item": 1, "n_systems": 2}
    assert math.isinf(minimal_detectable_difference(**five))
    assert not math.isinf(minimal_detectable_difference(**five | {"n_items": 6}))


def test_the_same_arguments_give_the_same_answer() -> None:
    assert minimal_detectable_difference(**PAPER) == minimal_detectable_difference(**PAPER)


def test_a_plan_that_finds_nothing_says_infinite() -> None:
    tiny: dict[str, Any] = {"n_items": 2, "n_annotators_per_item": 1, "n_systems": 30}
    assert math.isinf(minimal_detectable_difference(**tiny))


def test_a_wider_scale_moves_the_difference_in_its_own_points() -> None:
    wide = minimal_detectable_difference(**PAPER, scale=(1, 7))
    assert 2 < wide / minimal_detectable_difference(**PAPER) < 4


def test_the_model_of_ratings_is_a_share_of_one_variance_around_the_middle() -> None:
    assert PLANNED.prompt + PLANNED.response + PLANNED.rater == pytest.approx(1)
    assert expected_rating(0.0, 3) == pytest.approx(1)
    assert expected_rating(9.0, 3) == pytest.approx(2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_items": 1}, "Plan a larger study"),
        ({"n_systems": 1}, "Plan a larger study"),
        ({"n_annotators_per_item": 0}, "Plan a larger study"),
        ({"scale": (2, 2)}, "Give two levels"),
        ({"power": 1.0}, "lie between 0 and 1"),
        ({"alpha": 0.0}, "lie between 0 and 1"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        minimal_detectable_difference(**PAPER | change)
