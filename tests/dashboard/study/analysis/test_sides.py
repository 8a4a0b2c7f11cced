"""Which side of the page annotators prefer: seen where they choose by the place."""

from __future__ import annotations

import pandas as pd
import pytest

from emorl_dashboard.study.analysis.cells import resamples_of
from emorl_dashboard.study.analysis.report import pairs_as_answers
from emorl_dashboard.study.analysis.sides import side_drift, sides
from tests.support.simulated_studies import simulate_preferences


def preferences() -> pd.DataFrame:
    """Two annotators read; a third takes the first, and from half of the study on the second."""
    pairs = simulate_preferences(
        {"base": -0.4, "best": 0.4}, -0.5, n_prompts=80, annotators=("ada", "ben", "eve"), seed=0
    )
    pairs["position"] = pairs["prompt_index"] + 1
    is_eve = pairs["annotator"] == "eve"
    swapped = pairs["shown_first"].map({"a": "b", "b": "a"})
    placed = pairs["shown_first"].where(pairs["position"] <= 60, swapped)
    return pairs_as_answers(pairs.assign(preference=pairs["preference"].mask(is_eve, placed)))


def test_who_always_chooses_one_side_is_seen() -> None:
    answers = preferences()
    table = sides(answers, resamples_of(answers, n_resamples=200))
    assert table.groupby("annotator")["share"].sum().tolist() == pytest.approx([1, 1, 1])
    rows = {(row["annotator"], row["preferred"]): row for row in table.to_dict("records")}
    assert rows["eve", "shown first"]["share"] == 0.75
    assert rows["eve", "shown first"]["share_low"] > rows["eve", "shown second"]["share_high"]
    for name in ("ada", "ben"):
        assert rows[name, "shown first"]["share_low"] < rows[name, "shown second"]["share_high"]
        assert rows[name, "tie"]["n_ratings"] > 0
    assert rows["eve", "tie"]["n_ratings"] == 0


def test_who_leaves_the_first_side_drifts() -> None:
    answers = preferences()
    table = side_drift(answers, resamples_of(answers, n_resamples=200))
    rows = {row["annotator"]: row for row in table.to_dict("records")}
    assert rows["eve"]["drift_per_100_high"] < 0
    assert rows["ada"]["drift_per_100_low"] < 0 < rows["ada"]["drift_per_100_high"]


def test_a_skipped_pair_has_no_side() -> None:
    pairs = simulate_preferences({"a": 0.0, "b": 0.0}, 0.0, n_prompts=3, annotators=("x",), seed=0)
    assert pairs_as_answers(pairs.assign(preference=None))["side"].isna().all()
