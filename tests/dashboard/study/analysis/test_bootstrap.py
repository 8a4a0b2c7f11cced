"""Intervals over source items: their coverage, their sentences, their draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emorl.errors import StudyError
from emorl_dashboard.study.analysis.bootstrap import (
    Estimate,
    Floats,
    Resamples,
    draw_resamples,
    estimate,
    open_estimate,
)

N_ITEMS = 64


def resamples(n_items: int = N_ITEMS, n_resamples: int = 1000) -> Resamples:
    names = [f"item {place}" for place in range(n_items)]
    return draw_resamples(names, ["set"] * n_items, n_resamples=n_resamples)


def mean_of(values: np.ndarray, draws: Resamples) -> Estimate:
    return estimate(
        lambda counts: counts @ values / counts.sum(axis=1), draws, np.ones(len(values), bool)
    )


def test_intervals_of_a_mean_hold_the_truth_in_93_to_97_of_100_studies() -> None:
    random = np.random.default_rng(3)
    draws = resamples()
    # Skewed like ratings: 0, 1 or 2 with mean 0.15 + 2 * 0.75 = 1.65.
    studies = random.choice(3, p=[0.1, 0.15, 0.75], size=(600, N_ITEMS)).astype(float)
    found = [mean_of(values, draws) for values in studies]
    assert 0.93 <= np.mean([one.low <= 1.65 <= one.high for one in found]) <= 0.97


def test_the_value_is_the_statistic_of_the_data_and_lies_in_its_interval() -> None:
    values = np.random.default_rng(0).normal(size=N_ITEMS)
    found = mean_of(values, resamples())
    assert found.value == pytest.approx(values.mean())
    assert found.low < found.value < found.high
    assert found.n_items == N_ITEMS
    # Close to the normal interval of a mean.
    assert found.high - found.low == pytest.approx(3.92 * values.std() / 8, rel=0.15)


def test_each_resample_draws_as_many_items_of_a_data_set_as_it_has() -> None:
    draws = draw_resamples(["a", "b", "c", "d", "e"], ["x", "x", "y", "y", "y"], n_resamples=50)
    assert (draws.counts[:, :2].sum(axis=1) == 2).all()
    assert (draws.counts[:, 2:].sum(axis=1) == 3).all()


def test_the_same_seed_draws_the_same_and_another_seed_other_items() -> None:
    one, same = resamples(), resamples()
    assert (one.counts == same.counts).all()
    other = draw_resamples(one.items, ["set"] * N_ITEMS, n_resamples=1000, seed=1)
    assert (one.counts != other.counts).any()


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (np.full(N_ITEMS, 2.0), "No interval: every source item shows the same."),
        (np.array([1.0]), "No interval: one source item alone has no spread."),
    ],
)
def test_an_interval_without_width_is_explained(values: np.ndarray, note: str) -> None:
    found = mean_of(values, resamples(len(values)))
    assert found.value == values[0]
    assert math.isnan(found.low)
    assert found.note == note


def test_a_statistic_that_most_resamples_leave_undefined_gets_no_interval() -> None:
    values = np.zeros(N_ITEMS)
    values[0] = 1  # drawn in about 64 % of the resamples only
    found = estimate(
        lambda counts: np.where(counts @ values > 0, counts @ values, np.nan),
        resamples(),
        np.ones(N_ITEMS, bool),
    )
    assert found.value == 1
    assert "undefined in 3" in found.note


@pytest.mark.parametrize(("items", "n_resamples"), [(["a", "a"], 10), (["a", "b"], 0)])
def test_impossible_draws_are_refused(items: list[str], n_resamples: int) -> None:
    with pytest.raises(StudyError, match="Name each source item once"):
        draw_resamples(items, ["set"] * len(items), n_resamples=n_resamples)


def open_mean(values: Floats, draws: Resamples, *, is_bounded: Floats) -> Estimate:
    """Estimate a mean that only draws with one of some source items bound from above."""

    def bounds(counts: Floats) -> tuple[Floats, Floats]:
        mean = counts @ values / counts.sum(axis=1)
        ends = np.where(counts @ is_bounded > 0, mean, np.inf)
        return ends, ends

    return open_estimate(bounds, draws, np.ones(len(values), bool))


def test_an_interval_that_every_resample_bounds_is_the_ordinary_one() -> None:
    values = np.random.default_rng(1).normal(size=N_ITEMS)
    found = open_mean(values, resamples(), is_bounded=np.ones(N_ITEMS))
    ordinary = mean_of(values, resamples())
    assert found.note == ""
    # Ends are drawn values, not between two of them.
    assert (found.value, found.low, found.high) == pytest.approx(
        (ordinary.value, ordinary.low, ordinary.high), abs=0.01
    )


@pytest.mark.parametrize(("n_bounding", "is_open"), [(1, True), (3, True), (6, False)])
def test_an_end_is_infinite_where_more_than_2_5_per_cent_of_resamples_lack_one(
    n_bounding: int, is_open: bool
) -> None:
    # Without any of n of 64 source items: about e^-n of the resamples; 37, 5 and 0.25 %.
    values = np.random.default_rng(1).normal(size=N_ITEMS)
    bounding = (np.arange(N_ITEMS) < n_bounding).astype(float)
    found = open_mean(values, resamples(), is_bounded=bounding)
    assert math.isinf(found.high) == is_open
    assert math.isfinite(found.low)
    assert found.note.startswith("No upper bound: ") == is_open


def test_one_source_item_has_no_open_interval() -> None:
    found = open_mean(np.array([1.0]), resamples(1, 10), is_bounded=np.ones(1))
    assert (found.value, found.note) == (
        1.0,
        "No interval: one source item alone has no spread.",
    )
    alike = open_mean(np.ones(5), resamples(5, 10), is_bounded=np.ones(5))
    assert alike.note == "No interval: every source item shows the same."
