"""Scores over all weights: samples of fields, effects of weights, what is proven."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emorl.atlas.rows import ScoredAtlas
from emorl.runs.schema import COLUMNS
from emorl_dashboard.frames import marginal, proof
from emorl_dashboard.frames.field import NearestDirection, box_grid, sample, through
from emorl_dashboard.frames.filters import Filters
from emorl_dashboard.frames.weight_space import evaluation_frame
from tests.dashboard.test_weight_space_frames import OBJECTIVES, SEARCH
from tests.support.atlas_fields import fake_atlases, random_weights, scored

ALL = Filters(up_to_round=9)
THREE = ("a1", "b1", "c1")


def test_a_sample_leaves_places_without_a_direction_empty() -> None:
    field = scored(fake_atlases(3, 4), 3)
    weights = np.array([[0.0, 0.0, 0.0], [np.nan] * 3, [1.0, 0.5, 0.0]])
    values = sample(field, weights).values(THREE, "b1", ALL)
    assert np.isnan(values[:2]).all()
    assert values[2] == pytest.approx(field.means([[1.0, 0.5, 0.0]])[0, 1])
    assert values.dtype == np.float32


def test_a_sample_shows_no_weights_that_the_filters_leave_out() -> None:
    field = scored(fake_atlases(2, 4), 2)
    weights = random_weights(2, 60)
    least = float(np.median(field.means(weights)[:, 0]))
    filters = Filters(up_to_round=1, at_least={"a1": least})
    values = sample(field, weights).values(OBJECTIVES, "b1", filters)
    np.testing.assert_array_equal(np.isnan(values), field.means(weights)[:, 0] < least)


def test_without_an_atlas_a_place_has_the_score_of_the_nearest_direction() -> None:
    nearest = NearestDirection(evaluation_frame(SEARCH, OBJECTIVES), OBJECTIVES)
    # Evaluated: (1, 0) at 0 degrees, (1, 0.5) at 26.6, (0.5, 0.5) at 45.
    found = nearest.means(np.array([[1.0, 0.1], [0.2, 0.12], [0.0, 3.0]]))
    np.testing.assert_array_equal(found[:, 0], [0.4, 0.7, 0.6])


def test_a_grid_varies_its_axes_and_keeps_the_others() -> None:
    grid = box_grid((2, 0), (0.0, 0.7, 0.0), 3)
    assert grid.shape == (9, 3)
    assert set(grid[:, 1]) == {0.7}
    np.testing.assert_array_equal(grid[1], [0.5, 0.7, 0.0])  # the last axis varies fastest


def test_a_triangle_in_four_weights_goes_through_the_direction() -> None:
    at = (0.1, 0.2, 0.3, 0.4)
    own = np.array([[0.1, 0.2, 0.3]]) / 0.6
    np.testing.assert_allclose(through(own, (0, 1, 2), at), [at])
    np.testing.assert_allclose(through(own, (0, 1, 2), (0, 0, 0, 1)), [[*own[0], 0.0]])


def test_an_effect_at_share_one_is_the_score_of_that_weight_alone() -> None:
    field = scored(fake_atlases(3, 6), 3)
    for effects in (
        marginal.averaged_effects(field, THREE),
        marginal.effects_along(field, (0.3, 0.3, 0.4), THREE),
    ):
        alone = effects[(effects["weight"] == "b1") & (effects["share"] == 1.0)]
        np.testing.assert_allclose(alone["mean"], field.means([[0.0, 1.0, 0.0]])[0])
        assert set(effects["n_prompts"]) == {6}


def test_the_line_of_a_weight_goes_through_the_direction() -> None:
    at = (0.2, 0.3, 0.5)
    line = marginal.line_through(at, 1, np.array([0.0, 0.3, 1.0]))
    np.testing.assert_allclose(line[1], at)
    np.testing.assert_allclose(line.sum(axis=1), 1.0)
    np.testing.assert_allclose(marginal.line_through((0, 2, 0), 1, np.zeros(1)), [[0.5, 0, 0.5]])


def test_intervals_are_those_of_students_t_over_prompts() -> None:
    directions = evaluation_frame(SEARCH, OBJECTIVES)
    responses = pd.DataFrame(
        {
            "direction_key": ["1,0"] * 3,
            "prompt_index": [0, 1, 2],
            "scores": [[0.1, 0.5], [0.2, 0.5], [0.6, 0.5]],
        }
    )
    effects = marginal.binned_effects(directions, responses, OBJECTIVES)
    row = effects[(effects["weight"] == "a1") & (effects["objective"] == "a1")].iloc[0]
    # Mean 0.3, standard deviation 0.26458, standard error 0.15275, t(2) = 4.3027.
    assert (row["share"], row["mean"]) == (1.0, pytest.approx(0.3))
    assert row["high"] - row["mean"] == pytest.approx(4.3027 * 0.152753, rel=1e-4)


def test_without_responses_there_are_no_effects() -> None:
    empty = COLUMNS["responses"].empty_table().to_pandas()
    directions = evaluation_frame(SEARCH, OBJECTIVES)
    assert marginal.binned_effects(directions, empty, OBJECTIVES).empty


def test_filters_leave_weights_out_of_an_average() -> None:
    field = scored(fake_atlases(3, 4), 3)
    nothing = marginal.averaged_effects(field, THREE, lambda means: means[:, 0] > 2)
    assert nothing["mean"].isna().all()
    assert marginal.n_prompts(nothing) == 0


def test_the_cost_of_a_weight_is_the_change_of_every_score() -> None:
    field = scored(fake_atlases(2, 5), 2)
    table = marginal.cost_table(field, (0.5, 0.5), OBJECTIVES)
    change = field.means([[1.0, 0.0]]) - field.means([[0.0, 1.0]])
    assert table["b1"].iloc[0].startswith(f"{change[0, 1]:+.3f} ± ")


def test_any_weights_are_looked_up_with_their_responses() -> None:
    atlases = fake_atlases(3, 4)
    field = scored(atlases, 3)
    point = proof.looked_up(field, (1.0, 0.25, 0.5))
    assert point is not None
    assert point.scores == pytest.approx(tuple(field.means([[1.0, 0.25, 0.5]])[0]))
    rows = [
        ScoredAtlas("aggregation", place, atlas, scores, 0.1)
        for place, (atlas, scores) in enumerate(zip(atlases, field.scores, strict=True))
    ]
    responses = proof.responses_at(rows, (1.0, 0.25, 0.5))
    mean = np.array(responses["scores"].to_list()).mean(axis=0)
    np.testing.assert_allclose(mean, np.array(point.scores))
    assert proof.looked_up(field, (0.0, 0.0, 0.0)) is None


def test_a_proof_has_its_region_and_what_is_left() -> None:
    row = {
        "split": "aggregation",
        "weights": [0.3, 0.7],
        "radius": 0.01,
        "corners": [0.2, 0.8, 0.4, 0.6],
        "means": [0.85, 0.95],
        "mean_reward": 0.9,
        "upper_bound": 0.91,
    }
    certificates = pd.DataFrame([row])
    found = proof.proof_of(certificates, split="aggregation")
    assert found is not None
    np.testing.assert_array_equal(found.corners, [[0.2, 0.8], [0.4, 0.6]])
    assert "better by 0.0100 at most" in proof.proof_note(found)
    assert proof.proof_of(certificates, split="inference") is None
    point = pd.DataFrame([row | {"radius": 0.0, "corners": [0.3, 0.7]}])
    alone = proof.proof_of(point, split="aggregation")
    assert alone is not None
    told = proof.proof_note(alone)
    assert "mean reward at least 0.9000" in told
    assert "may move" not in told
