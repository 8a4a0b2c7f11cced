"""Look-ups in an atlas, and the inequalities of its cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emorl.atlas.cells import Floats, PromptAtlas
from emorl.atlas.constraints import (
    cell_normals,
    distances_outside,
    in_plane,
    inner_circle,
    radius_around,
)
from tests.support.atlas_fields import fake_atlases, random_weights

SIZES = (2, 3, 4)


def atlas_of(n: int, seed: int = 0) -> PromptAtlas:
    atlases = fake_atlases(n, 3, seed=seed, disagreement=16, max_new_tokens=4)
    return max(atlases, key=lambda atlas: len(atlas.cells))


def walked(atlas: PromptAtlas, weights: Floats) -> tuple[int, float]:
    """Follow one query down; return its cell and the smallest relative margin on the way."""
    position, margin = 0, np.inf
    while atlas.branches and position >= 0:
        branch = atlas.branches[position]
        scores = [sum(w * z for w, z in zip(weights, v, strict=True)) for v in branch.vectors]
        ranked = sorted(scores)
        margin = min(margin, (ranked[-1] - ranked[-2]) / max(map(abs, scores)))
        position = branch.children[scores.index(ranked[-1])]
    return (-1 - position if atlas.branches else 0), margin


@pytest.mark.parametrize("n", SIZES)
def test_a_lookup_of_many_equals_a_walk_of_each(n: int) -> None:
    weights = random_weights(n, 400)
    for seed in range(3):
        atlas = atlas_of(n, seed)
        assert len(atlas.cells) > 2
        for query, cell in zip(weights, atlas.lookup(weights), strict=True):
            expected, margin = walked(atlas, query)
            assert cell == expected or margin < 1e-12


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("scale", [1e-300, 1e-3, 3.0, 1e300])
def test_scaled_weights_have_the_same_cells(n: int, scale: float) -> None:
    weights = np.random.default_rng(0).integers(0, 8, size=(200, n)).astype(float)
    weights = weights[weights.any(axis=1)]
    atlas = atlas_of(n)
    assert (atlas.lookup(weights * scale) == atlas.lookup(weights)).all()


def test_no_queries_give_no_cells() -> None:
    assert atlas_of(3).lookup(np.empty((0, 3))).shape == (0,)


def test_an_atlas_without_branches_has_one_cell_for_all_weights() -> None:
    atlas = fake_atlases(3, 1, disagreement=0)[0]
    assert len(atlas.cells) == 1
    assert not atlas.branches
    assert atlas.lookup(random_weights(3, 5)).tolist() == [0] * 5


@pytest.mark.parametrize("n", SIZES)
def test_the_normals_of_a_cell_hold_inside_and_one_fails_outside(n: int) -> None:
    atlas = atlas_of(n)
    weights = random_weights(n, 300)
    cells = atlas.lookup(weights)
    for cell, normals in enumerate(cell_normals(atlas)):
        lowest = (weights @ normals.T).min(axis=1)
        assert (lowest[cells == cell] >= -1e-12).all()
        assert (lowest[cells != cell] <= 1e-12).all()


@pytest.mark.parametrize("n", SIZES)
def test_the_inner_ball_of_the_simplex_is_known(n: int) -> None:
    # A side's distance from the middle: |1/n| over the length of its normal in the plane.
    weights, radius = inner_circle(np.empty((0, n)))
    assert weights == pytest.approx(np.full(n, 1 / n))
    assert radius == pytest.approx(1 / np.sqrt(n * (n - 1)))


@pytest.mark.parametrize("n", SIZES)
def test_the_inner_ball_of_a_cell_is_inside_and_none_is_larger(n: int) -> None:
    atlas = atlas_of(n)
    rng = np.random.default_rng(0)
    for cell, normals in enumerate(cell_normals(atlas)):
        weights, radius = inner_circle(normals)
        assert radius > 0
        moves = in_plane(rng.standard_normal((50, n)))
        moves *= 0.999999 * radius / np.linalg.norm(moves, axis=1, keepdims=True)
        assert (weights + moves >= 0).all()
        assert (atlas.lookup(weights + moves) == cell).all()
        for point in rng.dirichlet(np.ones(len(atlas.cells[cell].vertices)), size=20):
            inside = point @ atlas.cells[cell].vertices
            assert radius_around(normals, inside) <= radius + 1e-9


def test_a_part_without_inside_has_radius_zero() -> None:
    assert inner_circle(np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]))[1] == pytest.approx(0)
    assert inner_circle(np.array([[-1.0, -1.0, -1.0]]))[1] == 0.0


@pytest.mark.parametrize("n", SIZES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_distance_outside_is_that_of_the_nearest_weights(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal, weights = rng.standard_normal(n), rng.dirichlet(np.ones(n))
    distance = distances_outside(normal[None], weights)[0]
    if weights @ normal < 0:
        assert distance == 0
    others = random_weights(n, 2_000, seed)
    outside = others[others @ normal < 0]
    assert (np.linalg.norm(outside - weights, axis=1) >= distance - 1e-9).all()
    if not np.isfinite(distance):
        assert (normal >= 0).all()
        return
    # No farther than the nearest of the corners and of the feet on edges, which are outside.
    corners = np.eye(n)[normal < 0]
    assert distance <= np.linalg.norm(corners - weights, axis=1).min() + 1e-9
    if weights @ normal > 0:
        # In the plane the foot of the perpendicular is the nearest, if it is in the simplex.
        flat = in_plane(normal[None])[0]
        foot = weights - (weights @ normal) / (flat @ flat) * flat
        if (foot >= 0).all():
            assert distance == pytest.approx(np.linalg.norm(foot - weights), abs=1e-9)
