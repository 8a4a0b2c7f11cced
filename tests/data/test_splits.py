"""Splitting by prompt: sizes, order, repeated prompts, too few prompts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emorl.config import DataConfig
from emorl.data.splits import split_prompts, split_sizes
from emorl.errors import DataError

CONFIG = DataConfig()


def test_318_prompts_split_into_254_32_32() -> None:
    # 0.8 x 318 = 254.4 and 0.1 x 318 = 31.8, rounded to the nearest.
    assert split_sizes(318, CONFIG) == (254, 32, 32)


def test_splits_follow_the_file_order_and_count_from_zero() -> None:
    prompts = split_prompts([(f"p{n}", f"r{n}") for n in range(10)], CONFIG)
    assert [p.prompt for p in prompts] == [f"p{n}" for n in range(10)]
    assert [p.split for p in prompts] == ["train"] * 8 + ["aggregation", "inference"]
    assert [p.index for p in prompts] == [0, 1, 2, 3, 4, 5, 6, 7, 0, 0]
    assert prompts[9].reference == "r9"


def test_a_repeated_prompt_counts_once_and_keeps_its_first_reference() -> None:
    exchanges = [(f"p{n}", "first") for n in range(10)] + [("p0", "second"), ("p9", "second")]
    prompts = split_prompts(exchanges, CONFIG)
    assert [p.prompt for p in prompts] == [f"p{n}" for n in range(10)]
    assert {p.reference for p in prompts} == {"first"}


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.text(min_size=1, max_size=3), min_size=30, max_size=80))
def test_no_prompt_lies_in_two_splits_and_none_is_lost(texts: list[str]) -> None:
    different = list(dict.fromkeys(texts))
    if min(split_sizes(len(different), CONFIG)) < 1:
        with pytest.raises(DataError):
            split_prompts([(text, "") for text in texts], CONFIG)
        return
    assert [p.prompt for p in split_prompts([(text, "") for text in texts], CONFIG)] == different


@pytest.mark.parametrize("n_prompts", [0, 1, 5])
def test_an_empty_split_is_refused_with_the_sizes(n_prompts: int) -> None:
    with pytest.raises(DataError, match=f"{n_prompts} different prompts split into"):
        split_prompts([(f"p{n}", "") for n in range(n_prompts)], CONFIG)


def test_other_fractions_are_followed() -> None:
    config = DataConfig(train_fraction=0.5, aggregation_fraction=0.25)
    assert split_sizes(20, config) == (10, 5, 5)
