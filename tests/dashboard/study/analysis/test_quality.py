"""Pace, marginals, drift, gold and repeated items."""

from __future__ import annotations

import pandas as pd
import pytest

from emorl_dashboard.study.agreement import krippendorff_alpha, weighted_kappa
from emorl_dashboard.study.analysis.agreement_table import ALPHA, KAPPA_QUADRATIC, agreement_table
from emorl_dashboard.study.analysis.cells import resamples_of, study_ratings
from emorl_dashboard.study.analysis.quality import drift, gold, marginals, pace, repeats
from tests.dashboard.study.analysis.studies import ratings_of
from tests.support.simulated_studies import Truth, simulate_study

SMALL = Truth(criteria=("c",), data_sets=("set",), n_prompts=40)


def copy_of(ratings: pd.DataFrame, kind: str, values: list[float]) -> pd.DataFrame:
    """Rate the copies of the first annotator's first items."""
    own = ratings[ratings["annotator"] == "annotator 0"].head(len(values))
    copies = own.assign(kind=kind, copy_of=own["item_code"], value=values)
    return copies.assign(item_code=kind + own["item_code"])


def test_gold_is_judged_by_the_difference_to_the_same_annotators_original() -> None:
    ratings = ratings_of({"a": [[2, 0], [1, 0], [2, 0]]})
    table = gold(pd.concat([ratings, copy_of(ratings, "gold", [0, 1, 1])]))
    [row] = table.to_dict("records")
    # Differences -2, 0, -1; the other annotator rated no copy.
    assert row["annotator"] == "annotator 0"
    assert row["mean_difference"] == -1
    assert row["share_lower"] == pytest.approx(2 / 3)
    assert row["share_higher"] == 0


def test_gold_pairs_are_judged_by_the_preference_itself() -> None:
    # The undamaged stands first: whoever prefers it sees the damage, whatever the original pair.
    ratings = ratings_of({"a": [[-1], [-1], [0], [1]]})
    answers = pd.concat([ratings, copy_of(ratings, "gold", [-1, -1, 0, -1])])
    [row] = gold(answers, mode="pairwise").to_dict("records")
    assert (row["n_pairs"], row["mean_difference"]) == (4, -0.75)
    assert (row["share_lower"], row["share_higher"]) == (0.75, 0.0)


def test_repeats_compare_second_and_first_rating() -> None:
    ratings = ratings_of({"a": [[2], [1], [0]]})
    table = repeats(pd.concat([ratings, copy_of(ratings, "repeat", [2, 2, 0])]))
    [row] = table.to_dict("records")
    assert row["share_equal"] == pytest.approx(2 / 3)
    assert row["mean_difference"] == pytest.approx(1 / 3)
    assert row["kappa"] == pytest.approx(weighted_kappa([[2, 1, 0], [2, 2, 0]]))
    assert row["note"] == ""


def test_copies_enter_neither_means_nor_agreement() -> None:
    ratings = ratings_of({"a": [[2, 2], [1, 1]]})
    with_copies = pd.concat([ratings, copy_of(ratings, "gold", [0, 0])])
    pd.testing.assert_frame_equal(study_ratings(with_copies), ratings)


def test_an_annotator_who_tires_drifts_down_and_a_steady_one_does_not() -> None:
    study = simulate_study(SMALL, seed=0)
    ratings = study.answers.copy()
    last = ratings["position"].max()
    tired = (ratings["annotator"] == "ben") & (ratings["position"] > last / 2)
    ratings.loc[tired, "value"] = (ratings.loc[tired, "value"] - 1).clip(lower=0)
    table = drift(ratings, resamples_of(ratings, n_resamples=300)).set_index("annotator")
    assert table["drift_per_100_high"]["ben"] < 0
    steady = drift(study.answers, resamples_of(study.answers, n_resamples=300))
    assert (steady["drift_per_100_low"] < 0).all()
    assert (steady["drift_per_100_high"] > 0).all()


def test_drift_at_one_position_is_explained() -> None:
    ratings = ratings_of({"a": [[2, 0]]})
    table = drift(ratings, resamples_of(ratings, n_resamples=5))
    assert set(table["note"]) == {"All ratings stand at one position."}


def test_marginals_count_every_value_of_the_scale() -> None:
    table = marginals(ratings_of({"a": [[2], [2], [0]]}))
    assert table["value"].tolist() == [0, 1, 2]
    assert table["n_ratings"].tolist() == [1, 0, 2]
    assert table["share"].sum() == pytest.approx(1)


def test_pace_counts_clicks_and_not_criteria() -> None:
    ratings = pd.concat([ratings_of({"a": [[2], [1]]}, criterion=name) for name in ("c", "d")])
    skipped = ratings.assign(is_skipped=ratings["item_code"] == "a1")
    [row] = pace(skipped).to_dict("records")
    assert (row["n_rated"], row["n_skipped"], row["median_seconds"]) == (1, 1, 5.0)


def test_agreement_of_a_cell_is_that_of_its_responses() -> None:
    study = simulate_study(SMALL, seed=0)
    ratings = study_ratings(study.answers)
    table = agreement_table(ratings, resamples_of(ratings, n_resamples=100))
    own = ratings[ratings["system"] == "best"].pivot(
        index="annotator", columns="item_code", values="value"
    )
    found = table[table["system"] == "best"].set_index("coefficient")
    assert found.loc[ALPHA, "value"] == pytest.approx(krippendorff_alpha(own), abs=1e-12)
    kappa = weighted_kappa(own, categories=[0, 1, 2])
    assert found.loc[KAPPA_QUADRATIC, "value"] == pytest.approx(kappa, abs=1e-12)
    assert (found["low"] < found["value"]).all()
    assert set(found["n_shared"]) == {40}


def test_a_response_that_systems_share_counts_once_over_all_systems() -> None:
    ratings = ratings_of({"a": [[2, 1], [1, 1], [0, 0]]})
    shared = pd.concat([ratings, ratings.assign(system="b")])
    resamples = resamples_of(ratings, n_resamples=20)
    one = agreement_table(ratings, resamples)
    other = agreement_table(shared, resamples)
    whole = other[other["system"] == "all"].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, one[one["system"] == "all"].reset_index(drop=True))


def test_one_annotator_gets_a_sentence_in_every_cell() -> None:
    ratings = ratings_of({"a": [[2], [1], [0]], "b": [[1], [1], [0]]})
    table = agreement_table(ratings, resamples_of(ratings, n_resamples=10))
    assert table["value"].isna().all()
    assert table["note"].str.startswith("One annotator alone has rated").all()
