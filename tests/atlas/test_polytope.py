"""Cutting the simplex: parts tile it, and the winner of a part wins in it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emorl.atlas.polytope import (
    SMALLEST_AREA,
    Floats,
    TooSlowError,
    area,
    centre,
    clip,
    split,
    whole_simplex,
)

SIZES = (2, 3, 4, 5)


def points_inside(corners: Floats, n_points: int, rng: np.random.Generator) -> Floats:
    points: Floats = rng.dirichlet(np.full(len(corners), 0.5), size=n_points) @ corners
    return points


@pytest.mark.parametrize("n", SIZES)
def test_the_whole_simplex_has_area_one(n: int) -> None:
    assert area(whole_simplex(n)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_halves_of_the_simplex_by_symmetry(n: int) -> None:
    # Exchanging members 0 and 1 maps the one half onto the other.
    normal = np.zeros(n)
    normal[:2] = 1.0, -1.0
    assert area(clip(whole_simplex(n), normal)) == pytest.approx(0.5, abs=1e-12)
    # w_0 >= 1/2 is the simplex shrunk by half towards a corner.
    corner = clip(whole_simplex(n), np.where(np.arange(n) == 0, 1.0, -1.0))
    assert area(corner) == pytest.approx(0.5 ** (n - 1), abs=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_nothing_is_left_where_no_weights_are_and_all_where_all_are(n: int) -> None:
    assert len(clip(whole_simplex(n), -np.ones(n))) == 0
    for everywhere in (np.ones(n), np.zeros(n)):
        assert area(clip(whole_simplex(n), everywhere)) == pytest.approx(1.0)
    # Only a side of the simplex is left, which has no area.
    side = np.zeros(n)
    side[0] = -1.0
    assert area(clip(whole_simplex(n), side)) == 0.0


@pytest.mark.parametrize("n", SIZES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n_cuts=st.integers(1, 6))
def test_both_sides_of_every_cut_add_up(n: int, seed: int, n_cuts: int) -> None:
    rng = np.random.default_rng(seed)
    part = whole_simplex(n)
    for _ in range(n_cuts):
        normal = rng.standard_normal(n)
        sides = [clip(part, normal), clip(part, -normal)]
        assert sum(map(area, sides)) == pytest.approx(area(part), abs=1e-12)
        for side, sign in zip(sides, (1, -1), strict=True):
            assert (sign * side @ normal >= -1e-12).all()
            assert side.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
            assert (side >= -1e-12).all()
        part = max(sides, key=area)


@pytest.mark.parametrize("n", SIZES)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_functions=st.integers(1, 12),
    shape=st.sampled_from(["normal", "integer", "near"]),
)
def test_parts_tile_and_their_winner_is_the_argmax(
    n: int, seed: int, n_functions: int, shape: str
) -> None:
    rng = np.random.default_rng(seed)
    vectors = {
        "normal": rng.standard_normal((n_functions, n)),
        # Small integers: equal functions, and functions that tie along whole lines.
        "integer": rng.integers(-2, 3, size=(n_functions, n)).astype(float),
        # Large common logits with small differences: slivers.
        "near": 50 + 1e-6 * rng.standard_normal((n_functions, n)),
    }[shape]
    outer = clip(whole_simplex(n), rng.standard_normal(n))
    if area(outer) < 1e-6:
        outer = whole_simplex(n)
    parts = split(outer, vectors)
    winners = [winner for winner, _ in parts]
    assert winners == sorted(set(winners))
    assert sum(area(part) for _, part in parts) == pytest.approx(area(outer), abs=1e-9)
    for winner, part in parts:
        assert area(part) > SMALLEST_AREA
        scores = points_inside(part, 20, rng) @ vectors.T
        assert (scores[:, winner] >= scores.max(axis=1) - 1e-10).all()
    # And the other way round: the best function at any point has a part around it.
    points = points_inside(outer, 50, rng)
    scores = points @ vectors.T
    clear = np.sort(scores, axis=1)[:, -1] - scores[:, winners].max(axis=1)
    assert (clear <= 1e-9).all()


@pytest.mark.parametrize("n", SIZES)
def test_of_equal_functions_the_first_wins_alone(n: int) -> None:
    one, other = np.eye(n)[0], np.eye(n)[1]
    parts = split(whole_simplex(n), np.array([one, other, one, other, one]))
    assert [winner for winner, _ in parts] == [0, 1]
    assert split(whole_simplex(n), np.ones((4, n)))[0][0] == 0
    assert len(split(whole_simplex(n), np.ones((4, n)))) == 1


@pytest.mark.parametrize("n", SIZES)
def test_a_function_that_only_touches_the_envelope_has_no_part(n: int) -> None:
    # The mean of two functions is the largest only where those two are equal.
    one, other = np.eye(n)[0], np.eye(n)[1]
    parts = split(whole_simplex(n), np.array([(one + other) / 2, one, other]))
    assert [winner for winner, _ in parts] == [1, 2]
    assert sum(area(part) for _, part in parts) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_a_function_that_wins_only_inside_is_found(n: int) -> None:
    # 1/n of a constant wins around the middle and at no corner: max_i w_i >= 1/n everywhere,
    # so 1.2/n is above it near the middle only.
    vectors = np.concatenate([np.eye(n), np.full((1, n), 1.2 / n)])
    parts = dict(split(whole_simplex(n), vectors))
    assert set(parts) == set(range(n + 1))
    assert centre(parts[n]) == pytest.approx(np.full(n, 1 / n), abs=1e-9)


@pytest.mark.parametrize("n", SIZES)
def test_slivers_are_left_out_and_cost_no_more_than_their_area(n: int) -> None:
    # The second function wins where w_0 < 1e-13 only.
    vectors = np.zeros((2, n))
    vectors[0, 0], vectors[1] = 1.0, 1e-13
    parts = split(whole_simplex(n), vectors)
    assert [winner for winner, _ in parts] == [0]
    assert area(parts[0][1]) == pytest.approx(1.0, abs=1e-11)


@pytest.mark.parametrize("n", [4, 6])
def test_polytopes_are_not_cut_beyond_the_time_there_is(n: int) -> None:
    now = time.monotonic()
    with pytest.raises(TooSlowError):
        split(whole_simplex(n), np.eye(n), until=now)
    for (winner, part), (other, same) in zip(
        split(whole_simplex(n), np.eye(n), until=now + 3600),
        split(whole_simplex(n), np.eye(n)),
        strict=True,
    ):
        assert winner == other
        assert (part == same).all()
    # Half a million points would take minutes.
    corners = np.random.default_rng(0).dirichlet(np.ones(n), size=1500)
    normal = np.eye(n)[0] - np.median(corners[:, 0])
    with pytest.raises(TooSlowError):
        clip(corners, normal, until=time.monotonic() + 5)
