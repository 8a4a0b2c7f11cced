"""Bradley-Terry with ties, and the ordinal model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emorl_dashboard.study.analysis.bradley_terry import TIE, bradley_terry
from emorl_dashboard.study.analysis.cells import resamples_of, study_ratings
from emorl_dashboard.study.analysis.davidson import davidson_strengths
from emorl_dashboard.study.analysis.ordinal import ordinal_model
from tests.dashboard.study.analysis.studies import ratings_of
from tests.support.simulated_studies import Truth, simulate_preferences, simulate_study

STRENGTHS = {"base": -0.9, "best": 0.8, "single": 0.1}


def test_expected_counts_give_the_strengths_back() -> None:
    strengths, tie = np.array([0.8, 0.2, -0.3, -0.7]), -0.5
    counts = []
    for a, b in combinations(range(4), 2):
        odds = np.exp([strengths[a], strengths[b], tie + (strengths[a] + strengths[b]) / 2])
        counts.append(1000 * odds / odds.sum())
    found = davidson_strengths(*np.array(counts).T)
    np.testing.assert_allclose(found, [*strengths, tie], atol=1e-6)


def test_two_systems_without_ties_give_the_log_odds() -> None:
    # Bradley-Terry of one pair: 30 wins to 10 are log odds of log 3, split evenly around 0.
    found = davidson_strengths(np.array([30.0]), np.array([10.0]), np.array([1e-9]))
    assert found[0] - found[1] == pytest.approx(np.log(3), abs=1e-4)


def test_simulated_preferences_are_recovered() -> None:
    pairs = simulate_preferences(STRENGTHS, -0.4, n_prompts=150, annotators=("a", "b"), seed=4)
    resamples = resamples_of(pairs, n_resamples=400)
    table = bradley_terry(pairs, resamples).set_index("system")
    for system, strength in (STRENGTHS | {TIE: -0.4}).items():
        row = table.loc[system]
        assert row["strength_low"] <= strength <= row["strength_high"]
        assert row["strength_high"] - row["strength_low"] < 0.6
    assert table.index[0] == "best"


def test_groups_that_no_comparison_joins_get_strengths_of_their_own() -> None:
    first = simulate_preferences(STRENGTHS, -0.4, n_prompts=30, annotators=("a",), seed=1)
    second = simulate_preferences(
        {"x": 0.5, "y": -0.5}, -0.4, n_prompts=30, annotators=("a",), seed=2
    )
    both = pd.concat([first, second], ignore_index=True)
    resamples = resamples_of(both, n_resamples=50)
    table = bradley_terry(both, resamples)
    assert table["group"].tolist() == [1] * 4 + [2] * 3
    assert set(table.loc[table["group"] == 1, "system"]) == {*STRENGTHS, TIE}
    told = table[table["note"].str.contains("Nothing compares this group")]
    assert told["group"].tolist() == [1, 2]
    systems = table[table["system"] != TIE]
    assert systems.groupby("group")["strength"].sum().tolist() == pytest.approx([0, 0], abs=1e-6)
    # Each group is as if it stood alone.
    alone = bradley_terry(first, resamples)
    assert table["strength"][:4].tolist() == pytest.approx(alone["strength"].tolist())
    # One chain of comparisons is enough to join them.
    bridge = first.iloc[:1].assign(system_a="base", system_b="x")
    joined = bradley_terry(pd.concat([both, bridge], ignore_index=True), resamples)
    assert set(joined["group"]) == {1}
    assert not joined["note"].str.contains("Nothing compares").any()


def test_equal_texts_are_counted_apart_and_are_no_ties() -> None:
    pairs = simulate_preferences(STRENGTHS, -0.4, n_prompts=4, annotators=("a",), seed=1)
    texts = pd.DataFrame(
        [
            ("set/0", "base", "same"),
            ("set/0", "best", "same"),
            ("set/0", "single", "same"),
            ("set/1", "base", "same"),
            ("set/1", "best", "other"),
            ("set/1", "single", "other"),
        ],
        columns=["source_item", "system", "text"],
    )
    resamples = resamples_of(pairs, n_resamples=20)
    found = bradley_terry(pairs, resamples, texts).set_index("system")["n_equal_texts"]
    assert found.to_dict() == {"base": 2, "best": 3, "single": 3, TIE: 0}


def test_swapping_the_sides_of_all_pairs_changes_nothing() -> None:
    pairs = simulate_preferences(STRENGTHS, -0.4, n_prompts=20, annotators=("a",), seed=0)
    turned = pairs.rename(columns={"system_a": "system_b", "system_b": "system_a"}).assign(
        preference=pairs["preference"].map({"a": "b", "b": "a", "tie": "tie"})
    )
    resamples = resamples_of(pairs, n_resamples=20)
    one, other = bradley_terry(pairs, resamples), bradley_terry(turned, resamples)
    np.testing.assert_allclose(one["strength"], other["strength"], atol=1e-9)


def test_the_ordinal_model_recovers_the_truth() -> None:
    truth = Truth(criteria=("c",), data_sets=("set",), n_prompts=80)
    tables = [
        ordinal_model(study_ratings(simulate_study(truth, seed).answers)).set_index("system")
        for seed in range(5)
    ]
    assert set(tables[0]["reference"]) == {"base"}
    # Impressions have variance 1: a logit is about 1.7 probits.
    held = []
    for system in ("single", "uniform", "searched", "best"):
        expected = 1.7 * (truth.systems[system] - truth.systems["base"])
        rows = [table.loc[system] for table in tables]
        assert np.mean([row["log_odds"] for row in rows]) == pytest.approx(expected, rel=0.2)
        held += [row["low"] < expected < row["high"] for row in rows]
    assert sum(held) >= 17  # of 20


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"a": [[1], [2]]}, None),
        ({"a": [[1], [1]], "b": [[1], [1]]}, "All ratings are the same"),
        ({"a": [[1]], "b": [[2]]}, "One source item alone"),
    ],
)
def test_data_without_a_model_get_a_sentence(
    values: dict[str, list[list[float]]], note: str | None
) -> None:
    table = ordinal_model(ratings_of(values))
    assert table["log_odds"].isna().all()
    assert table.empty if note is None else table["note"].str.startswith(note).all()


def _covariance_of_nothing(model: object) -> tuple[None, None, None]:  # noqa: ARG001
    return None, None, None


def _covariance_below_zero(model: Any) -> tuple[Any, Any, Any]:
    size = model.exog.shape[1]
    return -np.eye(size), -np.eye(size), np.eye(size)


@pytest.mark.parametrize("covariance", [_covariance_of_nothing, _covariance_below_zero])
def test_an_ordinal_model_without_errors_is_a_note_and_no_exception(
    covariance: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which designs end so depends on how a processor rounds: here it is forced.
    monkeypatch.setattr(
        "statsmodels.genmod.generalized_estimating_equations.GEE._covmat", covariance
    )
    values = {"a": [[0.0, 1.0], [1.0, 2.0], [0.0, 2.0]], "b": [[1.0, 1.0], [2.0, 2.0], [0.0, 1.0]]}
    [row] = ordinal_model(ratings_of(values)).to_dict("records")
    assert "does not converge" in row["note"]
    assert np.isnan([row["log_odds"], row["low"], row["high"]]).all()
