"""The smallest preference that a pairwise plan would find, judged as the analysis does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emorl.errors import StudyError
from emorl_dashboard.study.analysis.bradley_terry import bradley_terry
from emorl_dashboard.study.analysis.cells import resamples_of
from emorl_dashboard.study.analysis.power_pairs import _is_ahead, minimal_detectable_preference
from tests.support.simulated_studies import simulate_preferences

PLAN: dict[str, Any] = {"n_items": 64, "n_annotators_per_item": 2}


def test_more_items_and_annotators_find_a_smaller_preference() -> None:
    found = minimal_detectable_preference(**PLAN)
    assert found == minimal_detectable_preference(**PLAN)
    # One answer each, a quarter of them ties: a sign test of 48 finds 0.70 with 80 % power.
    alone = minimal_detectable_preference(**PLAN | {"n_annotators_per_item": 1})
    assert alone == pytest.approx(0.70, abs=0.025)
    assert 0.5 < minimal_detectable_preference(**PLAN | {"n_items": 128}) < found < alone
    assert minimal_detectable_preference(**PLAN | {"tie_share": 0.6}) > found
    assert minimal_detectable_preference(**PLAN | {"power": 0.95}) > found


def test_five_items_find_nothing_and_six_a_clean_sweep() -> None:
    few: dict[str, Any] = {"n_annotators_per_item": 1}
    assert math.isinf(minimal_detectable_preference(n_items=5, **few))
    assert minimal_detectable_preference(n_items=6, **few) > 0.95


def test_found_is_what_the_analysis_has_above_zero() -> None:
    agreed = []
    for seed in range(40):
        pairs = simulate_preferences(
            {"a": 0.25, "b": -0.25}, -0.7, n_prompts=40, annotators=("x", "y"), seed=seed
        )
        resamples = resamples_of(pairs, n_resamples=500)
        strengths = bradley_terry(pairs, resamples)
        lows = dict(zip(strengths["system"], strengths["strength_low"], strict=True))
        is_above = lows["a"] > 0
        rows = pd.crosstab(pairs["source_item"], pairs["preference"]).loc[list(resamples.items)]
        wins, losses = (rows[name].to_numpy(np.float32)[None] for name in ("a", "b"))
        (is_found,) = _is_ahead(wins, losses, resamples.counts.astype(np.float32))
        agreed.append((is_above, is_found))
    assert sum(one == other for one, other in agreed) >= 39
    assert {one for one, _ in agreed} == {True, False}


@pytest.mark.parametrize(
    "change",
    [{"n_items": 1}, {"n_annotators_per_item": 0}, {"power": 1.0}, {"tie_share": 1.0}],
)
def test_impossible_plans_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(StudyError, match=r"larger study|lie between 0 and 1"):
        minimal_detectable_preference(**PLAN | change)
