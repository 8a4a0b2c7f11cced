"""Agreement against published worked examples and reference packages."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.inter_rater import cohens_kappa

from emorl.errors import StudyError
from emorl_dashboard.study.agreement import (
    gwet_ac2,
    krippendorff_alpha,
    percent_exact,
    weighted_kappa,
    why_undefined,
)
from emorl_dashboard.study.analysis.coefficients import Level, Weighting, agreement_weights

NAN = math.nan

# Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011, example C: 4 observers, 12
# units, values 1 to 5, missing data. The paper prints 0.743, 0.815, 0.849 and 0.797. Gwet uses
# the same ratings (``cac.raw4raters`` of his R package irrCAC; AC1 printed as 0.77544).
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)

# Three raters, scale 0 to 2, 15 % missing; made once by a random generator.
THREE = np.array(
    [
        [2, NAN, 1, 1, 2, 0, 2, 2, 1, 2, 2, 1, NAN, 1, 2, 2, 1, NAN, 1, 1],
        [1, 2, 2, NAN, 1, 1, 2, NAN, 2, 1, NAN, 2, 2, 1, 2, 2, NAN, 1, 0, 0],
        [2, 2, NAN, 0, NAN, 1, 1, 2, 1, 1, 2, 2, 2, 1, NAN, 2, 1, 1, NAN, 0],
    ]
)


@pytest.mark.parametrize(
    ("level", "printed", "package"),
    [
        # "package": krippendorff 0.9.0, alpha(reliability_data, level_of_measurement).
        ("nominal", 0.743, 0.743421052631579),
        ("ordinal", 0.815, 0.8153875037548814),
        ("interval", 0.849, 0.8491071428571428),
        ("ratio", 0.797, 0.7974027747116121),
    ],
)
def test_alpha_equals_krippendorffs_example(level: Level, printed: float, package: float) -> None:
    alpha = krippendorff_alpha(OBSERVERS, level=level)
    assert round(alpha, 3) == pytest.approx(printed, abs=1e-12)
    assert alpha == pytest.approx(package, abs=1e-9)


@pytest.mark.parametrize(
    ("weights", "package"),
    [
        # irrCAC 0.4.4 (Python), CAC(ratings, weights, digits=12).gwet().
        ("identity", 0.775444068127),
        ("quadratic", 0.914000723552),
        ("linear", 0.858739136433),
        ("ordinal", 0.898939769908),
    ],
)
def test_ac2_equals_gwets_package(weights: Weighting, package: float) -> None:
    assert gwet_ac2(OBSERVERS, weights=weights) == pytest.approx(package, abs=1e-6)


@pytest.mark.parametrize(
    ("level", "package"),
    [
        # krippendorff 0.9.0.
        ("nominal", 0.24893314366998587),
        ("ordinal", 0.5028644824563192),
        ("interval", 0.4961832061068703),
    ],
)
def test_alpha_with_missing_ratings_equals_the_reference(level: Level, package: float) -> None:
    assert krippendorff_alpha(THREE, level=level) == pytest.approx(package, abs=1e-9)


@pytest.mark.parametrize(
    ("weights", "package"),
    [
        # irrCAC 0.4.4, categories=[0, 1, 2].
        ("identity", 0.388475107801),
        ("quadratic", 0.74034620506),
        ("linear", 0.578757875788),
        ("ordinal", 0.678725887279),
    ],
)
def test_ac2_with_missing_ratings_equals_the_reference(weights: Weighting, package: float) -> None:
    found = gwet_ac2(THREE, weights=weights, categories=[0, 1, 2])
    assert found == pytest.approx(package, abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "package"),
    [
        # scikit-learn 1.9.1, cohen_kappa_score on the items that both rated.
        ("linear", 0.01680672268907557),
        ("quadratic", 0.24516129032258072),
    ],
)
def test_kappa_with_missing_ratings_equals_the_reference(
    weights: Weighting, package: float
) -> None:
    found = weighted_kappa(THREE[:2], weights=weights, categories=[0, 1, 2])
    assert found == pytest.approx(package, abs=1e-9)


@pytest.mark.parametrize("weights", get_args(Weighting))
def test_agreement_weights_are_symmetric_with_ones_on_the_diagonal(weights: Weighting) -> None:
    matrix = agreement_weights(4, weights)
    assert (matrix == matrix.T).all()
    assert (np.diag(matrix) == 1).all()
    assert matrix[0, -1] == 0


@given(
    arrays(np.int64, st.tuples(st.just(2), st.integers(3, 40)), elements=st.integers(0, 3)),
    st.sampled_from(["quadratic", "linear"]),
)
@settings(max_examples=60, deadline=None)
def test_kappa_equals_statsmodels(ratings: np.ndarray, weights: Weighting) -> None:
    table = np.zeros((4, 4))
    np.add.at(table, (ratings[0], ratings[1]), 1)
    ours = weighted_kappa(ratings, weights=weights, categories=range(4))
    by_chance = np.outer(table.sum(axis=1), table.sum(axis=0))
    if (by_chance * (1 - agreement_weights(4, weights))).sum() == 0:
        assert math.isnan(ours)  # both gave one and the same value throughout
    else:
        # statsmodels takes the names of its Wiki formulas: fc is quadratic, ca is linear.
        names = {"quadratic": "fc", "linear": "ca"}
        theirs = cohens_kappa(table, wt=names[weights], return_results=False)
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_quadratic_kappa_of_a_table_worked_by_hand() -> None:
    # Pairs 00 00 11 12 22 22: disagreement 1/6 * 1/4 observed. Marginals (2, 2, 2) and (2, 1, 3)
    # of 6: expected = sum p q (i-j)^2 / 4 = (2*1 + 2*1 + 2*3 + 2*1 + 4*(2*3 + 2*2)) / 36 / 4.
    observed = 1 / 6 / 4
    expected = (2 * 1 + 2 * 2 + 2 * 3 + 2 * 1 + 4 * (2 * 3 + 2 * 2)) / 36 / 4
    ratings = [[0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 2]]
    assert weighted_kappa(ratings) == pytest.approx(1 - observed / expected, abs=1e-12)


def test_ordinal_distance_counts_ratings_between_and_not_steps() -> None:
    # Nearly everybody gives 2: from 1 to 2 lie many ratings, from 0 to 1 hardly any. One pair
    # (0, 1) then costs less than one pair (1, 2), although both are one step.
    base = [[2] * 20 + [0, 1]] * 2
    low = np.hstack([base, [[0], [1]]])
    high = np.hstack([base, [[1], [2]]])
    assert krippendorff_alpha(low) > krippendorff_alpha(high)


def test_at_88_percent_agreement_with_skewed_scores_kappa_sinks_and_ac2_does_not() -> None:
    # 50 responses, 44 rated the same, nearly all 2.
    one = [2] * 39 + [1] * 4 + [0] + [2, 2, 2, 1, 1, 1]
    other = [2] * 39 + [1] * 4 + [0] + [1, 1, 1, 2, 2, 2]
    pair = [one, other]
    assert percent_exact(pair) == pytest.approx(0.88)
    assert krippendorff_alpha(pair) < 0.7
    assert weighted_kappa(pair) < 0.75
    assert gwet_ac2(pair, categories=[0, 1, 2]) > 0.93


@given(arrays(np.float64, (3, 12), elements=st.sampled_from([0.0, 1.0, 2.0, NAN])))
@settings(max_examples=60, deadline=None)
def test_neither_the_order_of_annotators_nor_of_items_matters(ratings: np.ndarray) -> None:
    turned = ratings[::-1, ::-1]
    for coefficient in (krippendorff_alpha, gwet_ac2, percent_exact):
        assert coefficient(turned) == pytest.approx(coefficient(ratings), nan_ok=True, abs=1e-9)


def test_items_with_one_rating_change_neither_alpha_nor_kappa() -> None:
    lonely = np.full((3, 5), NAN)
    lonely[0] = 2
    more = np.hstack([THREE, lonely])
    assert krippendorff_alpha(more) == pytest.approx(krippendorff_alpha(THREE), abs=1e-12)
    assert weighted_kappa(more[:2]) == pytest.approx(weighted_kappa(THREE[:2]), abs=1e-12)


def test_unanimous_ratings_are_explained() -> None:
    unanimous = np.full((2, 6), 1.0)
    assert math.isnan(krippendorff_alpha(unanimous))
    assert math.isnan(weighted_kappa(unanimous, categories=[0, 1, 2]))
    assert percent_exact(unanimous) == 1
    # AC2 knows the scale, so that chance is known too.
    assert gwet_ac2(unanimous, categories=[0, 1, 2]) == 1
    # Not which value: that says how good a system is, and is read before unblinding.
    assert why_undefined(unanimous).startswith("Unanimous: all ratings are the same.")
    assert why_undefined(unanimous) == why_undefined(unanimous + 1)


@pytest.mark.parametrize(
    ("ratings", "sentence"),
    [
        ([[0, 1, 2]], "One annotator alone has rated"),
        ([[0, NAN], [NAN, 1]], "No item has two ratings"),
        ([[NAN, NAN]], "Nobody has rated here yet."),
        ([[0, 1], [0, 1]], ""),
    ],
)
def test_why_undefined_says_what_is_missing(ratings: list[list[float]], sentence: str) -> None:
    assert why_undefined(ratings).startswith(sentence)
    assert bool(why_undefined(ratings)) == math.isnan(krippendorff_alpha(ratings))
    assert bool(why_undefined(ratings)) == math.isnan(percent_exact(ratings))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: krippendorff_alpha([1, 2, 3]), "got the shape"),
        (lambda: krippendorff_alpha(THREE, level="rank"), "level must be one of nominal"),  # type: ignore[arg-type]
        (lambda: weighted_kappa(THREE), "Kappa compares two annotators, got ratings of 3"),
        (lambda: weighted_kappa([[0, 5], [0, 1]], categories=[0, 1]), "not on the scale"),
        (lambda: gwet_ac2(THREE, weights="cubic"), "weights must be one of quadratic"),  # type: ignore[arg-type]
    ],
)
def test_bad_ratings_are_refused_in_words(call: object, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        call()  # type: ignore[operator]
