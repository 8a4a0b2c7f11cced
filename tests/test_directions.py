from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emorl.errors import WeightsError
from emorl.weights import ZERO_KEY, canonical_direction, check_weights, direction_key

dyadic = st.integers(0, 64).map(lambda k: k / 64)
vectors = st.lists(dyadic, min_size=2, max_size=5).map(tuple)


# Three times such a number is still exact, but their sums are rounded, and differently for each
# scale: with plain floats the parts of one ray would differ in their last digits.
large = st.integers(2**50, 2**51).map(float)
wide = st.lists(large | st.just(0.0), min_size=2, max_size=5).map(tuple)


@given(vectors.filter(any) | wide.filter(any), st.sampled_from([0.25, 2.0, 3.0]))
@example((2.0**51 - 1, 2.0**51 - 3, 2.0**50 - 1), 3.0)
@example((2.0**51 - 1, 2.0**51 - 2, 5.0), 3.0)
def test_weights_on_one_ray_have_one_direction(weights: tuple[float, ...], scale: float) -> None:
    scaled = tuple(scale * weight for weight in weights)
    assert [Fraction(s) / Fraction(scale) for s in scaled] == list(map(Fraction, weights))
    assert canonical_direction(scaled) == canonical_direction(weights)
    assert direction_key(scaled) == direction_key(weights)


@given(vectors.filter(any))
def test_a_direction_sums_to_one(weights: tuple[float, ...]) -> None:
    assert math.isclose(sum(canonical_direction(weights)), 1.0)


@given(vectors.filter(any), vectors.filter(any))
def test_different_rays_have_different_keys(
    one: tuple[float, ...], other: tuple[float, ...]
) -> None:
    if len(one) == len(other):
        # Cross products vanish exactly for vectors on one ray.
        same_ray = all(
            one[i] * other[j] == one[j] * other[i] for i in range(len(one)) for j in range(i)
        )
        assert (direction_key(one) == direction_key(other)) == same_ray


def test_the_zero_vector_has_no_direction() -> None:
    assert direction_key((0.0, 0.0)) == ZERO_KEY
    with pytest.raises(WeightsError, match="at least one weight above 0"):
        canonical_direction((0.0, 0.0))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1.0,), "Need one weight per objective: 2 objectives, got 1"),
        ((1.0, -0.5), "finite and 0 or above"),
        ((1.0, math.nan), "finite and 0 or above"),
        ((math.inf, 1.0), "finite and 0 or above"),
        (("a", 1.0), "must be 2 numbers"),
    ],
)
def test_impossible_weights_are_refused(weights: tuple[float, ...], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        check_weights(weights, 2)
