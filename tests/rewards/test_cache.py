"""The cache: every pair is scored once, memory is bounded, blanks earn nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emorl.errors import RewardError
from emorl.rewards.cache import CachedScorer
from emorl.rewards.scorer import Scores


class _Counting:
    """A formula, and a record of what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Scores:
        pairs = list(zip(prompts, responses, strict=True))
        self.asked += pairs
        return np.array([_formula(*pair) for pair in pairs])


def _formula(prompt: str, response: str) -> float:
    return (3 * len(prompt) + 7 * len(response)) % 10 / 10


def test_a_pair_is_scored_once() -> None:
    scorer = _Counting()
    cached = CachedScorer("x", scorer)
    first = cached(["p", "q", "p"], ["r", "r", "r"])
    again = cached(["p", "p"], ["r", "new"])
    assert scorer.asked == [("p", "r"), ("q", "r"), ("p", "new")]
    assert first.tolist() == [1.0 * _formula("p", "r")] * 3
    assert again[0] == first[0]


@pytest.mark.parametrize("blank", ["", " ", "\n\t ", "\u00a0"])
def test_a_blank_response_earns_zero_without_asking_the_scorer(blank: str) -> None:
    scorer = _Counting()
    scores = CachedScorer("x", scorer)(["p", "p"], [blank, "r"])
    assert scores.tolist() == [0.0, _formula("p", "r")]
    assert scorer.asked == [("p", "r")]


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.text("xy ", max_size=3)))),
    st.integers(1, 4),
)
def test_scores_are_right_however_small_the_memory_is(
    calls: list[list[tuple[str, str]]], capacity: int
) -> None:
    cached = CachedScorer("x", _Counting(), capacity=capacity)
    for pairs in calls:
        scores = cached([prompt for prompt, _ in pairs], [text for _, text in pairs])
        assert scores.tolist() == [_formula(p, t) if t.strip() else 0.0 for p, t in pairs]
        assert scores.dtype == np.float64
        assert len(cached) <= capacity


def test_a_full_memory_forgets_what_was_not_asked_for_the_longest() -> None:
    scorer = _Counting()
    cached = CachedScorer("x", scorer, capacity=2)
    for response in ("one", "two", "one", "three", "one", "two"):
        cached(["p"], [response])
    # "three" pushes out "two", because "one" was asked for again in between.
    assert [text for _, text in scorer.asked] == ["one", "two", "three", "two"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.001, 1.001])
def test_what_is_no_score_is_refused_and_not_remembered(value: float) -> None:
    cached = CachedScorer("x", lambda prompts, _responses: np.full(len(prompts), value))
    for _ in range(2):
        with pytest.raises(RewardError, match=r"'x' must be a finite number from 0 to 1"):
            cached(["p"], ["r"])
    assert len(cached) == 0


def test_prompts_and_responses_must_be_as_many() -> None:
    with pytest.raises(RewardError, match="got 2 prompts and 1 responses"):
        CachedScorer("x", _Counting())(["p", "q"], ["r"])
