"""Human ratings against automatic scores, against SciPy and against hand-worked numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr

from emorl_dashboard.study.analysis import human_automatic as module
from emorl_dashboard.study.analysis.cells import resamples_of
from emorl_dashboard.study.analysis.human_automatic import (
    ACCURACY,
    AUTOMATIC_ALL,
    AUTOMATIC_OTHERS,
    HUMAN_OTHERS,
    RHO,
    TAU,
    human_automatic,
)
from tests.dashboard.study.analysis.studies import ratings_of
from tests.support.simulated_studies import Truth, simulate_study

SYSTEMS = ("a", "b", "c", "d")


def scores_of(scores: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"source_item": f"set/{prompt}", "system": system, "criterion": "c", "score": score}
            for system, given in scores.items()
            for prompt, score in enumerate(given)
        ]
    )


def found(ratings: pd.DataFrame, automatic: pd.DataFrame, *, n_resamples: int = 50) -> pd.Series:
    table = human_automatic(ratings, automatic, resamples_of(ratings, n_resamples=n_resamples))
    whole = table[table["data_set"] == "all"]
    return whole.set_index(["statistic", "comparison"])["value"]


def pooled_points(ratings: pd.DataFrame, automatic: pd.DataFrame) -> pd.DataFrame:
    """Return each response's mean rating beside its automatic score."""
    scored = ratings.merge(automatic, on=["source_item", "system", "criterion"])
    keys = ["source_item", "system", "score"]
    return scored.groupby(keys)["value"].mean().rename("human").reset_index()


def random_study(n_prompts: int = 30, *, ties: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(5)
    values = {s: random.integers(0, 3, (n_prompts, 2)).tolist() for s in SYSTEMS}
    digits = 1 if ties else 9
    scores = {s: np.round(random.random(n_prompts), digits).tolist() for s in SYSTEMS}
    return ratings_of(values), scores_of(scores)


@pytest.mark.parametrize("ties", [True, False])
def test_tau_and_rho_equal_scipy(ties: bool) -> None:
    ratings, automatic = random_study(ties=ties)
    points = pooled_points(ratings, automatic)
    values = found(ratings, automatic)
    taus = [kendalltau(p["human"], p["score"]).statistic for _, p in points.groupby("source_item")]
    assert values[TAU, AUTOMATIC_ALL] == pytest.approx(np.nanmean(taus), abs=1e-9)
    rho = spearmanr(points["human"], points["score"]).statistic
    assert values[RHO, AUTOMATIC_ALL] == pytest.approx(rho, abs=1e-9)


def test_the_ceiling_is_one_annotator_against_the_other() -> None:
    ratings, automatic = random_study(ties=False)
    wide = ratings.pivot(index="item_code", columns="annotator", values="value")
    rho = spearmanr(wide["annotator 0"], wide["annotator 1"]).statistic
    values = found(ratings, automatic)
    assert values[RHO, HUMAN_OTHERS] == pytest.approx(rho, abs=1e-9)


def test_rho_in_a_resample_is_that_of_the_drawn_responses() -> None:
    # With few values and with many, against SciPy on the rows repeated as often as drawn.
    for ties in (True, False):
        ratings, automatic = random_study(ties=ties)
        points = pooled_points(ratings, automatic)
        resamples = resamples_of(ratings, n_resamples=1)
        counts = points["source_item"].map(
            dict(zip(resamples.items, resamples.counts[0], strict=True))
        )
        drawn = points.loc[points.index.repeat(counts.astype(int))]
        expected = spearmanr(drawn["human"], drawn["score"]).statistic
        places = [resamples.places[item] for item in points["source_item"]]
        sources = np.asarray(places, dtype=np.intp)
        statistic = module._rho(
            points["human"].to_numpy(), points["score"].to_numpy(), sources, len(resamples.items)
        )
        assert statistic is not None
        assert statistic(resamples.counts)[0] == pytest.approx(expected, abs=1e-9)


def test_accuracy_counts_orders_and_ties_after_calibration() -> None:
    # One prompt, humans a > b = c; scores a 0.9, b 0.5, c 0.48. With a tie below 0.02 all three
    # pairs are as by humans; another prompt where the score turns the pair round: 3 of 4.
    ratings = ratings_of({"a": [[2], [0]], "b": [[1], [2]], "c": [[1], []]})
    automatic = scores_of({"a": [0.9, 0.8], "b": [0.5, 0.1], "c": [0.48, 0.0]})
    assert found(ratings, automatic)[ACCURACY, AUTOMATIC_ALL] == pytest.approx(3 / 4)


def test_a_score_that_only_knows_how_hard_a_prompt_is_gets_nothing_within_prompts() -> None:
    truth = Truth(criteria=("c",), n_prompts=150, data_sets=("set",))
    study = simulate_study(truth, seed=2)
    by_prompt = study.answers.groupby("source_item")["value"].mean()
    random = np.random.default_rng(0)
    difficulty = study.automatic.assign(
        score=study.automatic["source_item"].map(by_prompt)
        + 1e-3 * random.standard_normal(len(study.automatic))
    )
    values = found(study.answers, difficulty)
    assert values[RHO, AUTOMATIC_ALL] > 0.5
    assert abs(values[TAU, AUTOMATIC_ALL]) < 0.06


def test_one_annotator_gives_no_ceiling_but_a_sentence() -> None:
    ratings = ratings_of({"a": [[2], [1], [0]], "b": [[1], [0], [1]]})
    automatic = scores_of({"a": [0.9, 0.8, 0.3], "b": [0.5, 0.1, 0.2]})
    table = human_automatic(ratings, automatic, resamples_of(ratings, n_resamples=20))
    ceiling = table[table["comparison"].isin([HUMAN_OTHERS, AUTOMATIC_OTHERS])]
    assert ceiling["value"].isna().all()
    assert ceiling["note"].str.startswith("Undefined: it needs responses with two").all()


def test_criteria_without_scores_are_left_out() -> None:
    ratings = ratings_of({"a": [[2], [1]], "b": [[1], [0]]}, criterion="unscored")
    automatic = scores_of({"a": [0.9, 0.8], "b": [0.5, 0.1]})
    assert human_automatic(ratings, automatic, resamples_of(ratings, n_resamples=5)).empty
