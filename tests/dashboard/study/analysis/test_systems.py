"""Means, paired differences, Holm and rank clusters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emorl_dashboard.study.analysis.bootstrap import Resamples
from emorl_dashboard.study.analysis.cells import resamples_of, study_ratings
from emorl_dashboard.study.analysis.systems import (
    CONTRADICTORY,
    comparisons,
    holm,
    rank_table,
    system_means,
)
from tests.dashboard.study.analysis.studies import ratings_of
from tests.support.simulated_studies import Truth, simulate_study


def analysed(ratings: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, Resamples]:
    resamples = resamples_of(ratings, n_resamples=300)
    return system_means(ratings, resamples), comparisons(ratings, resamples), resamples


def test_holm_equals_the_steps_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, never falling: 0.04, 0.06, 0.06, 0.06.
    corrected = holm(np.array([0.03, 0.01, 0.04, 0.02]))
    np.testing.assert_allclose(corrected, [0.06, 0.04, 0.06, 0.06])


def test_a_pair_that_cannot_be_tested_still_counts_in_its_family() -> None:
    # Times 5, 4, 3, 2: the family has five pairs, whatever the ratings allow to test.
    corrected = holm(np.array([0.03, 0.01, np.nan, 0.04, 0.02]))
    np.testing.assert_allclose(corrected, [0.09, 0.05, np.nan, 0.09, 0.08])
    ratings = ratings_of({"a": [[2], [2], [1], [1], [2]], "b": [[0], [1], [0], [0], [1]]})
    pairs = comparisons(ratings, resamples_of(ratings, n_resamples=50), ["a", "b", "c"])
    assert len(pairs) == 3  # c is planned, and not rated yet
    tested = pairs[pairs["p_value"].notna()]
    assert tested["p_holm"].tolist() == (3 * tested["p_value"]).tolist()


def test_a_pair_turned_round_says_the_same() -> None:
    study = study_ratings(simulate_study(Truth(criteria=("c",), n_prompts=20), seed=3).answers)
    names = sorted(study["system"].unique())
    backwards = {name: f"{len(names) - place}" for place, name in enumerate(names)}
    _, pairs, _ = analysed(study)
    _, turned, _ = analysed(study.assign(system=study["system"].map(backwards)))
    other = {(row["system_a"], row["system_b"]): row for row in turned.to_dict("records")}
    for row in pairs.to_dict("records"):
        same = other[backwards[row["system_b"]], backwards[row["system_a"]]]
        assert row["wins"] + same["wins"] == pytest.approx(1)
        assert (row["wins_low"], row["wins_high"]) == pytest.approx(
            (1 - same["wins_high"], 1 - same["wins_low"])
        )
        assert (row["difference"], row["difference_low"], row["difference_high"]) == pytest.approx(
            (-same["difference"], -same["difference_high"], -same["difference_low"])
        )
        assert (row["p_value"], row["p_holm"]) == pytest.approx((same["p_value"], same["p_holm"]))


def test_a_mean_weighs_prompts_alike_however_often_they_are_rated() -> None:
    ratings = ratings_of({"a": [[2, 2, 2], [0]]})
    means, _, _ = analysed(ratings)
    assert means["mean"].tolist() == [1.0]
    assert means["share_of_scale"].tolist() == [0.5]
    assert means["n_ratings"].tolist() == [4]


def test_differences_wins_and_tests_are_those_of_the_prompts() -> None:
    ratings = ratings_of({"a": [[2], [2], [1], [1], [2]], "b": [[0], [1], [1], [2], [1]]})
    _, pairs, _ = analysed(ratings)
    [row] = pairs.to_dict("records")
    # Differences 2, 1, 0, -1, 1: mean 0.6; three wins and half a tie of five.
    assert row["difference"] == pytest.approx(0.6)
    assert row["wins"] == pytest.approx(0.7)
    assert row["n_equal"] == 1
    # Ranks 5, 3, (1), -3, 3 sum to 11 and -3, or to 3 or less, or to 11 or more, in 4 + 4 of the
    # 16 ways to give four signs: nothing, and one of the three 3s.
    assert row["p_value"] == row["p_holm"] == 8 / 16
    assert row["rank_balance"] == pytest.approx((11 - 3) / 14)


def test_systems_rated_the_same_are_explained_and_not_tested() -> None:
    ratings = ratings_of({"a": [[1], [2], [0]], "b": [[1], [2], [0]]})
    _, pairs, _ = analysed(ratings)
    assert pairs["p_holm"].isna().all()
    assert pairs["note"].tolist() == [
        "Both systems are rated the same at every source item: nothing to test."
    ]


def test_systems_without_a_common_prompt_are_explained() -> None:
    ratings = ratings_of({"a": [[1], [2], []], "b": [[], [], [1]]})
    _, pairs, _ = analysed(ratings)
    assert pairs["note"].tolist() == ["No source item has ratings of both systems."]


def test_a_test_that_points_against_the_mean_tells_no_systems_apart() -> None:
    # b is a little better at 90 prompts, a much better at 23: the mean is for a, the test for b.
    ratings = ratings_of(
        {"a": [[0.0, 0.0]] * 90 + [[2.0, 2.0]] * 23, "b": [[1.0, 0.0]] * 90 + [[0.0, 0.0]] * 23}
    )
    means, pairs, _ = analysed(ratings)
    [row] = pairs.to_dict("records")
    assert row["difference"] > 0
    assert row["rank_balance"] < 0
    assert row["p_holm"] < 0.05
    assert not row["is_told_apart"]
    assert row["note"] == CONTRADICTORY
    assert rank_table(means, pairs)["cluster"].tolist() == [1, 1]
    # Where both point the same way, the better system stands above.
    ratings = ratings_of({"a": [[0.0, 0.0]] * 9, "b": [[1.0, 0.0]] * 9})
    means, pairs, _ = analysed(ratings)
    ranks = rank_table(means, pairs)
    assert ranks["system"].tolist() == ["b", "a"]
    assert ranks["cluster"].tolist() == [1, 2]


def test_rank_clusters_split_only_where_every_pair_is_told_apart() -> None:
    means = pd.DataFrame(
        {"criterion": "c", "data_set": "all", "system": list("abcd"), "mean": [4, 3, 2, 1]}
    )
    # b and c are not told apart; a is better than all, d worse than all.
    told = {("a", "b"), ("a", "c"), ("a", "d"), ("b", "d"), ("c", "d")}
    pairs = pd.DataFrame(
        [
            {
                "criterion": "c",
                "system_a": one,
                "system_b": other,
                "difference": 1.0,
                "is_told_apart": (one, other) in told,
            }
            for one, other in [*told, ("b", "c")]
        ]
    )
    ranks = rank_table(means, pairs)
    assert ranks["cluster"].tolist() == [1, 2, 2, 3]
    assert ranks["rank_best"].tolist() == [1, 2, 2, 4]
    assert ranks["rank_worst"].tolist() == [1, 3, 3, 4]


def test_all_systems_of_a_prompt_move_together_so_that_differences_are_sharper_than_means() -> (
    None
):
    ratings = study_ratings(simulate_study(Truth(criteria=("c",)), seed=1).answers)
    means, pairs, _ = analysed(ratings)
    of_all = means[means["data_set"] == "all"]
    width = (of_all["mean_high"] - of_all["mean_low"]).mean()
    apart = (pairs["difference_high"] - pairs["difference_low"]).mean()
    # Were prompts not shared, a difference would be sqrt(2) times as wide as a mean.
    assert apart < 1.1 * width
