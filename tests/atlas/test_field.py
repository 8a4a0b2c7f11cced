"""The reward of every weight vector, the grids to look at it, and weights that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emorl.atlas.explain import explain_weights, same_response
from emorl.atlas.field import RewardField, simplex_grid
from emorl.decoding.atlas import AtlasBudget
from emorl.errors import WeightsError
from tests.support.atlas_fields import fake_atlases, random_weights, scored


@pytest.fixture(scope="module")
def field() -> RewardField:
    return scored(fake_atlases(3, 4), 2)


def test_means_and_standard_errors_are_those_of_each_prompts_cell(field: RewardField) -> None:
    weights = random_weights(3, 20)
    for query, mean, error in zip(
        weights, field.means(weights), field.standard_errors(weights), strict=True
    ):
        rewards = np.array(
            [
                scores[atlas.lookup([query])[0]]
                for atlas, scores in zip(field.atlases, field.scores, strict=True)
            ]
        )
        assert mean == pytest.approx(rewards.mean(axis=0))
        assert error == pytest.approx(rewards.std(axis=0, ddof=1) / 2)  # sqrt of 4 prompts


def test_one_prompt_has_no_standard_error() -> None:
    alone = scored(fake_atlases(3, 1), 2)
    assert np.isnan(alone.standard_errors([[1.0, 1.0, 1.0]])).all()


def test_means_are_unknown_where_a_cell_is_open() -> None:
    field = scored(fake_atlases(3, 2, budget=AtlasBudget(nodes_per_prompt=3)), 2)
    weights = random_weights(3, 200)
    cells = field.cells(weights)
    is_open = np.array(
        [[a.cells[c].is_open for a, c in zip(field.atlases, row, strict=True)] for row in cells]
    ).any(axis=1)
    assert is_open.any()
    assert (np.isnan(field.means(weights)).all(axis=1) == is_open).all()


@pytest.mark.parametrize(("n", "steps"), [(2, 4), (3, 6), (4, 3)])
def test_the_simplex_grid_has_every_point_once(n: int, steps: int) -> None:
    points = simplex_grid(n, steps)
    assert points.sum(axis=1) == pytest.approx(1.0)
    assert len({tuple(point) for point in points.tolist()}) == math.comb(steps + n - 1, n - 1)


BAD = [
    [math.nan, 1.0, 1.0],
    [math.inf, 1.0, 1.0],
    [-0.1, 1.0, 1.0],
    [0.0, 0.0, 0.0],
    [1.0, 1.0],
    [1.0, 1.0, 1.0, 1.0],
    [],
]


@pytest.mark.parametrize("weights", BAD)
def test_impossible_weights_are_refused_everywhere(
    field: RewardField, weights: list[float]
) -> None:
    atlas = field.atlases[0]
    with pytest.raises(WeightsError):
        field.means([weights])
    with pytest.raises(WeightsError):
        field.cells([weights])
    with pytest.raises(WeightsError):
        field.standard_errors([weights])
    with pytest.raises(WeightsError):
        explain_weights(atlas, weights)
    with pytest.raises(WeightsError):
        same_response(atlas, [1.0, 1.0, 1.0], weights)
    with pytest.raises(WeightsError):
        same_response(atlas, weights, [1.0, 1.0, 1.0])


def test_weights_of_different_lengths_or_no_numbers_are_refused(field: RewardField) -> None:
    with pytest.raises(WeightsError, match="vectors of 3 numbers"):
        field.means([[1.0, 1.0, 1.0], [1.0]])
    with pytest.raises(WeightsError, match="vectors of 3 numbers"):
        field.means([["a", "b", "c"]])  # type: ignore[list-item]
