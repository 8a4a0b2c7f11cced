"""The signed-rank test, against every way to give signs and against SciPy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import rankdata, wilcoxon

from emorl_dashboard.study.analysis.signed_rank import EXACT_UP_TO, Floats, signed_rank_test


def by_all_signs(differences: Floats) -> float:
    """Return the p-value by counting: how many ways to give signs are as far from the middle."""
    ranks = rankdata(np.abs(differences))[differences != 0]
    is_ahead = differences[differences != 0] > 0
    middle = ranks.sum() / 2
    far = abs(ranks[is_ahead].sum() - middle) - 1e-9
    signs = np.array(list(product((0, 1), repeat=len(ranks))))
    return float((np.abs(signs @ ranks - middle) >= far).mean())


@pytest.mark.parametrize("n_items", [1, 2, 4, 8])
def test_few_differences_are_tested_exactly_with_their_zeros_and_ties(n_items: int) -> None:
    random = np.random.default_rng(n_items)
    rows = random.choice([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0], size=(40, n_items))
    rows[:, 0] = 0.5
    found = signed_rank_test(rows).p_value
    np.testing.assert_allclose(found, [by_all_signs(row) for row in rows], atol=1e-12)


def test_five_of_one_sign_are_not_clear_at_5_per_cent() -> None:
    # Among many zeros, they are as few: 2 of 32 ways have them all on one side.
    row = np.array([[1.0, 2.0, 1.0, 2.0, 1.0, *[0.0] * 60]])
    assert signed_rank_test(row).p_value.tolist() == [2 / 32]
    assert signed_rank_test(-row).p_value.tolist() == [2 / 32]
    assert signed_rank_test(-row).balance.tolist() == [-1.0]


def test_many_differences_are_tested_as_scipy_does() -> None:
    random = np.random.default_rng(0)
    rows = random.choice([-1.0, -0.5, 0.0, 0.5, 1.0], size=(20, 3 * EXACT_UP_TO))
    expected = [wilcoxon(row, zero_method="pratt", method="asymptotic").pvalue for row in rows]
    np.testing.assert_allclose(signed_rank_test(rows).p_value, expected, atol=1e-12)


def test_differences_that_rounding_alone_makes_unequal_are_ties() -> None:
    thirds = np.array([[1 - 2 / 3, 2 / 3 - 1, 1 / 3, 1 / 3 - 1 / 3 + 1e-17]])
    assert signed_rank_test(thirds).balance[0] == pytest.approx(1 / 3)


def test_nothing_but_zeros_is_no_test() -> None:
    found = signed_rank_test(np.zeros((1, 4)))
    assert np.isnan(found.p_value).all()
    assert np.isnan(found.balance).all()
