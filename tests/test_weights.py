"""Weight spaces: which weights a system takes, and which of them are one question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.errors import WeightsError
from emorl.weights import WeightSpace, direction_key

DIRECTIONS = WeightSpace(("a", "b", "c"))
POINTS = WeightSpace(("a", "b", "c"), scale_free=False)
NOTHING = WeightSpace(())

_WEIGHTS = st.tuples(*[st.floats(0, 100, allow_subnormal=False)] * 3).filter(any)


@given(_WEIGHTS, st.sampled_from([0.125, 2.0, 1024.0]))
def test_scaled_weights_are_one_direction_and_other_points(
    weights: tuple[float, float, float], factor: float
) -> None:
    scaled = tuple(factor * weight for weight in weights)
    assert DIRECTIONS.key(weights) == DIRECTIONS.key(scaled) == direction_key(weights)
    assert DIRECTIONS.canonical(weights) == DIRECTIONS.canonical(scaled)
    assert POINTS.key(weights) != POINTS.key(scaled)
    assert POINTS.canonical(weights) == weights


@given(_WEIGHTS, _WEIGHTS)
def test_no_point_has_the_key_of_a_direction(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> None:
    assert POINTS.key(one) != DIRECTIONS.key(other)


def test_the_zero_vector_has_no_direction_but_is_a_point() -> None:
    zero = (0.0, 0.0, 0.0)
    assert DIRECTIONS.key(zero) == "zero"
    assert DIRECTIONS.canonical(zero) == zero
    assert POINTS.key(zero) == "=0,0,0"


def test_a_system_without_weights_has_one_key() -> None:
    assert NOTHING.check(None) is None
    assert NOTHING.check(()) is None
    assert NOTHING.key(None) == ""


@pytest.mark.parametrize(
    ("space", "weights", "words"),
    [
        (NOTHING, (1.0,), "takes no weights"),
        (DIRECTIONS, None, "needs one weight for each of"),
        (DIRECTIONS, (1.0, 2.0), "3 objectives, got 2"),
        (POINTS, (1.0, 2.0, float("inf")), "finite and 0 or above"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    space: WeightSpace, weights: tuple[float, ...] | None, words: str
) -> None:
    with pytest.raises(WeightsError, match=words):
        space.check(weights)
