from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from emorl.errors import InputError
from emorl.search.pareto import hypervolume, on_front

# A coarse grid: equal points and equal coordinates are what goes wrong.
COORDINATES = st.integers(0, 4)


def points_of(n_objectives: int) -> st.SearchStrategy[NDArray[np.float64]]:
    rows = st.lists(st.tuples(*[COORDINATES] * n_objectives), max_size=14)
    return rows.map(lambda rows: np.array(rows, dtype=float).reshape(-1, n_objectives))


def by_definition(points: NDArray[np.float64]) -> list[bool]:
    return [not any((q >= p).all() and (q > p).any() for q in points) for p in points]


def unit_cubes(points: NDArray[np.float64]) -> int:
    """Count the cubes of side one below some point, as all coordinates are whole."""
    corners = itertools.product(range(4), repeat=points.shape[1])
    return sum(any((point > corner).all() for point in points) for corner in corners)


@pytest.mark.parametrize("n_objectives", [2, 3, 4])
def test_the_front_is_what_nothing_dominates(n_objectives: int) -> None:
    @given(points_of(n_objectives))
    def check(points: NDArray[np.float64]) -> None:
        assert on_front(points).tolist() == by_definition(points)

    check()


@pytest.mark.parametrize("n_objectives", [2, 3])
def test_the_hypervolume_counts_every_dominated_unit_cube(n_objectives: int) -> None:
    @given(points_of(n_objectives))
    def check(points: NDArray[np.float64]) -> None:
        assert hypervolume(points, (0.0,) * n_objectives) == pytest.approx(unit_cubes(points))

    check()


def test_large_fronts_agree_over_the_blocks() -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(0, 12, size=(700, 3)).astype(float)
    assert on_front(points).tolist() == by_definition(points)


def test_a_point_without_a_score_is_not_on_the_front() -> None:
    points = np.array([[1.0, math.nan], [0.5, 0.5]])
    assert on_front(points).tolist() == [False, True]


def test_the_reference_point_is_where_volume_begins() -> None:
    # (0.9 - 0.5) x (0.7 - 0.6); the other point is below the reference.
    points = np.array([[0.9, 0.7], [0.4, 1.0]])
    assert hypervolume(points, (0.5, 0.6)) == pytest.approx(0.04)


def test_the_hypervolume_of_four_objectives_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="needs 2 or 3 objectives"):
        hypervolume(np.ones((1, 4)), (0.0,) * 4)
