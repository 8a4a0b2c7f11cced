"""Borders and radius of the cell that weights are in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emorl.atlas.cells import Floats, PromptAtlas
from emorl.atlas.constraints import in_plane
from emorl.atlas.explain import explain_weights, same_response
from emorl.decoding.atlas import AtlasBudget, build_atlases
from tests.support.atlas_fields import fake_atlases, fake_tree, random_weights
from tests.support.fake_forward import FakeForward, fake_text

SIZES = (2, 3, 4)
ATLASES = {n: fake_atlases(n, 4, disagreement=12) for n in SIZES}

seeds = st.integers(0, 10**6)


def atlas_and_weights(n: int, seed: int) -> tuple[PromptAtlas, Floats]:
    rng = np.random.default_rng(seed)
    weights: Floats = rng.dirichlet(np.ones(n)) * 10.0 ** rng.integers(-3, 4)
    return ATLASES[n][seed % 4], weights


def moved(weights: Floats, member: int, weight: float) -> Floats:
    other = weights.copy()
    other[member] = weight
    return other


@pytest.mark.parametrize("n", SIZES)
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_the_response_stays_up_to_a_border_and_changes_behind_it(n: int, seed: int) -> None:
    atlas, weights = atlas_and_weights(n, seed)
    explanation = explain_weights(atlas, weights.tolist())
    assert explanation.cell == atlas.lookup(weights[None])[0]
    for border in explanation.borders:
        own = weights[border.member]
        assert (border.weight < own) == (border.direction == "less")
        step = border.weight - own
        for share in (0.01, 0.5, 0.999, 1 - 1e-6):
            before = moved(weights, border.member, own + share * step)
            assert atlas.lookup(before[None])[0] == explanation.cell
        margin = 1e-8 * (weights.sum() + abs(step)) * np.sign(step)
        behind = moved(weights, border.member, border.weight + margin)
        if behind.min() >= 0:
            assert atlas.lookup(behind[None])[0] != explanation.cell
        assert border.cell != explanation.cell
        assert atlas.cells[border.cell].tokens != atlas.cells[explanation.cell].tokens


@pytest.mark.parametrize("n", SIZES)
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_without_a_border_the_response_never_changes(n: int, seed: int) -> None:
    atlas, weights = atlas_and_weights(n, seed)
    explanation = explain_weights(atlas, weights.tolist())
    with_border = {(border.member, border.direction) for border in explanation.borders}
    for member in range(n):
        if (member, "less") not in with_border:
            ways = np.linspace(0, weights[member], 50)
            if weights.sum() == weights[member]:
                ways = ways[1:]
        else:
            ways = np.empty(0)
        if (member, "more") not in with_border:
            ways = np.append(ways, weights[member] * np.logspace(0, 6, 50))
        for way in ways:
            assert atlas.lookup(moved(weights, member, way)[None])[0] == explanation.cell


@pytest.mark.parametrize("n", SIZES)
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_no_weights_within_the_radius_change_the_response(n: int, seed: int) -> None:
    atlas, weights = atlas_and_weights(n, seed)
    explanation = explain_weights(atlas, weights.tolist())
    direction = weights / weights.sum()
    rng = np.random.default_rng(seed)
    moves = in_plane(rng.standard_normal((300, n)))
    moves *= min(explanation.radius, 2.0) / np.linalg.norm(moves, axis=1, keepdims=True)
    near = direction + (1 - 1e-9) * moves * rng.random((300, 1))
    near = near[(near >= 0).all(axis=1)]
    assert (atlas.lookup(near) == explanation.cell).all()


@pytest.mark.parametrize("n", [2, 3])
@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_some_weights_just_beyond_the_radius_change_the_response(n: int, seed: int) -> None:
    atlas, weights = atlas_and_weights(n, seed)
    explanation = explain_weights(atlas, weights.tolist())
    direction = weights / weights.sum()
    # All directions of the plane at n = 3; both directions of the line at n = 2. The border is
    # a line, of which a circle wider by a thousandth cuts off 2.6 degrees at least.
    angles = np.linspace(0, 2 * np.pi, 1_000)
    across = np.array([1.0, -1.0, *[0.0] * (n - 2)]) / np.sqrt(2)
    along = np.array([1.0, 1.0, -2.0]) / np.sqrt(6) if n == 3 else across
    circle = np.cos(angles)[:, None] * across + (n == 3) * np.sin(angles)[:, None] * along
    around = direction + 1.001 * explanation.radius * circle
    around = around[(around >= 0).all(axis=1)]
    # A border that is nearest at a side of the simplex may be met between two angles.
    at_sides = _on_sides(direction, 1.001 * explanation.radius) if n == 3 else around[:0]
    tried = np.concatenate([around, at_sides])
    assert (atlas.lookup(tried) != explanation.cell).any()


def _on_sides(direction: Floats, radius: float) -> Floats:
    """Return the points of the triangle's sides at one distance from a point."""
    found = []
    for corner in range(3):
        start, end = np.eye(3)[corner], np.eye(3)[(corner + 1) % 3]
        along = end - start
        # |start + t along - direction| = radius, with |along|^2 = 2.
        half = along @ (start - direction) / 2
        inside = half**2 - ((start - direction) @ (start - direction) - radius**2) / 2
        if inside >= 0:
            roots = [-half - np.sqrt(inside), -half + np.sqrt(inside)]
            found += [start + t * along for t in roots if 0 <= t <= 1]
    return np.array(found).reshape(-1, 3)


def test_one_response_for_all_weights_has_no_border() -> None:
    explanation = explain_weights(fake_atlases(3, 1, disagreement=0)[0], [1.0, 0.0, 2.0])
    assert explanation.cell == 0
    assert explanation.borders == ()
    assert explanation.radius == np.inf


@pytest.mark.parametrize("n", SIZES)
def test_borders_scale_with_the_weights(n: int) -> None:
    atlas, weights = atlas_and_weights(n, 5)
    once = explain_weights(atlas, weights.tolist())
    for scale in (1e-200, 7.0, 1e200):
        scaled = explain_weights(atlas, (scale * weights).tolist())
        assert scaled.cell == once.cell
        assert scaled.radius == pytest.approx(once.radius, rel=1e-6)
        for one, other in zip(once.borders, scaled.borders, strict=True):
            assert (one.member, one.direction, one.cell) == (
                other.member,
                other.direction,
                other.cell,
            )
            assert other.weight == pytest.approx(scale * one.weight, rel=1e-9, abs=0)


@pytest.mark.parametrize("atlas", ATLASES[2])
def test_weights_on_one_ray_give_the_same_response(atlas: PromptAtlas) -> None:
    assert same_response(atlas, [2, 1], [10, 5])
    assert same_response(atlas, [0.2, 0.1], [2, 1])
    ends = atlas.lookup([[1, 0], [0, 1]])
    assert same_response(atlas, [1, 0], [0, 1]) == (ends[0] == ends[1])


def test_some_prompt_tells_opposite_weights_apart() -> None:
    assert not all(same_response(atlas, [1, 0], [0, 1]) for atlas in ATLASES[2])


@pytest.mark.parametrize("nodes", [1, 2, 4, 6])
def test_what_an_atlas_with_open_cells_says_is_true_of_the_complete_one(nodes: int) -> None:
    tree = fake_tree(FakeForward(3, disagreement=16, seed=9), 1)
    [part] = build_atlases(tree, fake_text, AtlasBudget(nodes_per_prompt=nodes))
    [whole] = build_atlases(fake_tree(FakeForward(3, disagreement=16, seed=9), 1), fake_text)
    assert not part.is_complete
    pairs = random_weights(3, 200, seed=nodes).reshape(100, 2, 3)
    told = [same_response(part, one, other) for one, other in pairs]
    true = [same_response(whole, one, other) for one, other in pairs]
    assert all(said in (None, right) for said, right in zip(told, true, strict=True))
    # One open cell holds weights that differ: nothing but None would be true of both.
    assert {right for said, right in zip(told, true, strict=True) if said is None} == {True, False}
    for weights, _ in pairs:
        said, right = explain_weights(part, weights), explain_weights(whole, weights)
        assert said.is_open == part.cells[said.cell].is_open
        if said.is_open:
            assert said.radius >= right.radius - 1e-12
        else:
            assert said.radius == pytest.approx(right.radius)


def test_weights_on_one_ray_are_one_response_in_an_open_cell_too() -> None:
    tree = fake_tree(FakeForward(3, disagreement=16, seed=9), 1)
    [atlas] = build_atlases(tree, fake_text, AtlasBudget(nodes_per_prompt=1))
    assert explain_weights(atlas, [2, 1, 0]).is_open
    assert same_response(atlas, [2, 1, 0], [10, 5, 0]) is True
