"""The certified search and the exact front against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emorl.atlas.cells import Floats
from emorl.atlas.constraints import in_plane
from emorl.atlas.field import RewardField, simplex_grid
from emorl.atlas.polytope import area
from emorl.decoding.atlas import AtlasBudget
from emorl.search.certified import (
    SearchBudget,
    certified_search,
    exact_front,
    region_around,
)
from emorl.search.pareto import supported
from tests.support.atlas_fields import fake_atlases, scored

SIZES = (2, 3, 4)
STEPS = {2: 4_000, 3: 120, 4: 24}
seeds = st.integers(0, 10**6)


def field_of(n: int, seed: int, *, n_objectives: int = 3, levels: int = 10**6) -> RewardField:
    """Return a field of 4 prompts; some score by a few levels, so that many rewards are equal."""
    atlases = fake_atlases(n, 4, seed=seed % 50, disagreement=12, max_new_tokens=4)
    return scored(atlases, n_objectives, seed=seed, levels=levels)


def interval_middles(field: RewardField) -> Floats:
    """Return a point of every interval on which all responses are constant (two members)."""
    ends = {cell.vertices[0, 0] for atlas in field.atlases for cell in atlas.cells}
    ends |= {cell.vertices[-1, 0] for atlas in field.atlases for cell in atlas.cells}
    borders = np.array(sorted(ends))
    wide = np.diff(borders) > 1e-9
    first = ((borders[1:] + borders[:-1]) / 2)[wide]
    return np.stack([first, 1 - first], axis=1)


def brute_points(field: RewardField) -> Floats:
    """Return weights to try: all intervals for two members, else a dense grid."""
    n = field.n_members
    if n == 2:
        return interval_middles(field)
    # Off the symmetric points, at which cells meet.
    grid = simplex_grid(n, STEPS[n]) + 1e-4 * np.arange(1, n + 1)
    dense: Floats = grid / grid.sum(axis=1, keepdims=True)
    return dense


def undominated(means: Floats) -> Floats:
    """Return the distinct rows that no other row reaches in every column."""
    distinct = np.unique(means.round(9), axis=0)
    kept = [
        row
        for row in distinct
        if not ((distinct >= row).all(axis=1) & (distinct > row).any(axis=1)).any()
    ]
    return np.array(kept)


@pytest.mark.parametrize("n", SIZES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds, levels=st.sampled_from([1, 4, 10**6]))
def test_no_weights_beat_the_certified_ones(n: int, seed: int, levels: int) -> None:
    field = field_of(n, seed, levels=levels)
    proof = certified_search(field)
    best = proof.best
    assert field.means([best.weights]).mean() == pytest.approx(best.mean_reward, abs=1e-12)
    assert field.means([best.weights])[0] == pytest.approx(np.array(best.means), abs=1e-12)
    assert proof.gap == 0
    assert proof.upper_bound == best.mean_reward
    brute = field.means(brute_points(field)).mean(axis=1).max()
    assert brute <= best.mean_reward + 1e-12
    if n == 2:
        assert brute == pytest.approx(best.mean_reward, abs=1e-12)


@pytest.mark.parametrize("n", SIZES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds, levels=st.sampled_from([2, 10**6]))
def test_the_best_region_is_one_of_equal_means(n: int, seed: int, levels: int) -> None:
    field = field_of(n, seed, levels=levels)
    best = certified_search(field).best
    rng = np.random.default_rng(seed)
    weights = np.array(best.weights)
    assert weights.sum() == pytest.approx(1.0)
    assert best.area == pytest.approx(area(best.corners))
    moves = in_plane(rng.standard_normal((100, n)))
    moves *= (1 - 1e-6) * best.radius / np.linalg.norm(moves, axis=1, keepdims=True)
    for points in (weights + moves, rng.dirichlet(np.ones(len(best.corners)), 100) @ best.corners):
        found = field.means(np.maximum(points, 0.0))
        assert found.mean(axis=1) == pytest.approx(best.mean_reward, abs=1e-12)
        assert found == pytest.approx(np.tile(best.means, (100, 1)), abs=1e-12)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("regions", [0, 1, 3])
def test_a_small_budget_still_gives_a_valid_bound(n: int, regions: int) -> None:
    gaps = []
    for seed in range(6):
        field = field_of(n, seed)
        proof = certified_search(field, SearchBudget(regions=regions))
        best = certified_search(field).best.mean_reward
        assert proof.regions <= regions
        assert proof.best.mean_reward <= best + 1e-12
        assert proof.upper_bound >= best - 1e-12
        assert proof.gap == pytest.approx(proof.upper_bound - proof.best.mean_reward)
        gaps.append(proof.gap)
    if regions <= 1:
        assert max(gaps) > 0


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("nodes", [1, 3, 6])
def test_open_cells_leave_a_gap_that_is_no_promise_too_small(n: int, nodes: int) -> None:
    for seed in range(4):
        atlases = fake_atlases(n, 4, seed=seed, budget=AtlasBudget(nodes_per_prompt=nodes))
        field = scored(atlases, 2, seed=seed)
        proof = certified_search(field)
        # Whatever the open cells score, no weights get above the bound.
        hopeful = RewardField(
            field.atlases, tuple(np.where(np.isnan(s), 1.0, s) for s in field.scores)
        )
        reachable = certified_search(hopeful).best.mean_reward
        assert proof.upper_bound == pytest.approx(
            max(reachable, proof.best.mean_reward), abs=1e-12
        )
        known = np.nanmax(np.append(field.means(brute_points(field)).mean(axis=1), 0.0))
        assert proof.best.mean_reward >= known - 1e-12
        front = exact_front(field)
        if reachable > proof.best.mean_reward + 1e-9:
            assert proof.gap > 0
            assert not front.is_complete
        for region in front.regions:
            assert field.means([region.weights])[0] == pytest.approx(np.array(region.means))


def test_a_field_of_open_cells_only_proves_nothing() -> None:
    field = scored(fake_atlases(3, 2, budget=AtlasBudget(seconds=0.0)), 2)
    unknown = RewardField(field.atlases, tuple(np.full_like(s, np.nan) for s in field.scores))
    proof = certified_search(unknown)
    closed = [all(not cell.is_open for cell in atlas.cells) for atlas in field.atlases]
    assert not any(closed)
    assert proof.best.mean_reward == 0.0
    assert proof.upper_bound == proof.gap == 1.0
    assert exact_front(unknown).regions == ()
    assert not exact_front(unknown).is_complete


@pytest.mark.parametrize("n", [2, 3])
@settings(max_examples=15, deadline=None)
@given(seed=seeds, levels=st.sampled_from([3, 10**6]), n_objectives=st.integers(2, 3))
@example(seed=280, levels=3, n_objectives=3)  # a grid point on a border of its region
def test_the_front_is_that_of_brute_force(
    n: int, seed: int, levels: int, n_objectives: int
) -> None:
    field = field_of(n, seed, levels=levels, n_objectives=n_objectives)
    front = exact_front(field)
    means = np.array([region.means for region in front.regions])
    assert front.is_complete
    for region in front.regions:
        assert field.means([region.weights])[0] == pytest.approx(np.array(region.means), abs=1e-12)
    assert len(undominated(means)) == len(means)
    brute = undominated(field.means(brute_points(field)))
    # Every weight vector tried is matched or beaten by the front, in every objective.
    for row in brute:
        assert (means >= row - 1e-8).all(axis=1).any()
    if n == 2:
        assert np.allclose(np.unique(means.round(9), axis=0), brute, atol=1e-8)


def test_a_small_budget_leaves_the_front_incomplete_and_undominated() -> None:
    front = exact_front(field_of(3, 1), SearchBudget(regions=2))
    means = np.array([region.means for region in front.regions])
    assert not front.is_complete
    assert len(undominated(means)) == len(means)


@pytest.mark.parametrize("n", [2, 3])
def test_supported_points_are_the_optima_of_some_mix_of_objectives(n: int) -> None:
    for seed in range(4):
        front = exact_front(field_of(n, seed, n_objectives=n))
        means = np.array([region.means for region in front.regions])
        mixes = np.random.default_rng(seed).dirichlet(np.ones(n), size=20_000)
        winners = np.unique((mixes @ means.T).argmax(axis=1))
        assert all(front.is_supported[winner] for winner in winners)
        assert sum(front.is_supported) <= len(winners) + 1


def test_supported_is_known_for_a_few_points() -> None:
    # (0.4, 0.4) is below the line from (1, 0) to (0, 1), (0.5, 0.5) is on it, and above it is
    # (0.6, 0.6), with which only the ends are left beside it.
    ends = [[1.0, 0.0], [0.0, 1.0]]
    assert supported(np.array([*ends, [0.4, 0.4]])) == [True, True, False]
    assert supported(np.array([*ends, [0.5, 0.5]])) == [True, True, True]
    assert supported(np.array([*ends, [0.6, 0.6], [0.55, 0.6]])) == [True, True, True, False]
    assert supported(np.array([[0.3, 0.7]])) == [True]
    assert supported(np.empty((0, 2))) == []


def test_an_open_best_is_told_as_a_point() -> None:
    atlases = fake_atlases(3, 4, seed=1, budget=AtlasBudget(nodes_per_prompt=1))
    field = scored(atlases, 2, seed=1)
    best = certified_search(field).best
    # Its texts go on, and nobody knows whether they stay the same around it.
    assert np.isnan(field.means([best.weights])).any()
    assert (best.radius, best.area) == (0.0, 0.0)
    np.testing.assert_array_equal(best.corners, [best.weights])


def test_the_region_around_weights_is_known_where_all_responses_are() -> None:
    field = field_of(3, 3)
    weights = (0.21, 0.33, 0.46)
    region = region_around(field, weights)
    assert region is not None
    assert region.means == pytest.approx(field.means([weights])[0], abs=1e-12)
    np.testing.assert_array_equal(field.cells([weights]), field.cells([region.weights]))
    assert region.radius > 0
    assert region_around(scored(fake_atlases(3, 2, budget=AtlasBudget(1)), 2), weights) is None
