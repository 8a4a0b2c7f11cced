"""Strengths where preferences bound them, and sentences where they do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from emorl_dashboard.study.analysis.bradley_terry import TIE, bradley_terry
from emorl_dashboard.study.analysis.cells import resamples_of
from emorl_dashboard.study.analysis.preference_order import order_of, parts
from emorl_dashboard.study.analysis.records import as_records

Comparison = tuple[str, str, str]


def fitted(comparisons: Sequence[Comparison], n_resamples: int = 200) -> pd.DataFrame:
    """Fit comparisons (system, system, preference), each at a prompt of its own."""
    pairs = pd.DataFrame(comparisons, columns=["system_a", "system_b", "preference"])
    pairs["source_item"] = [f"set/{place}" for place in range(len(pairs))]
    pairs = pairs.assign(kind="rating", criterion="c", data_set="set")
    table = bradley_terry(pairs, resamples_of(pairs, n_resamples=n_resamples))
    return table.set_index("system")


def by_optimiser(comparisons: Sequence[Comparison]) -> dict[str, float]:
    """Return Davidson's estimates from SciPy's optimiser, strengths of mean zero."""
    names = sorted({name for a, b, _ in comparisons for name in (a, b)})

    def lack_of_fit(x: np.ndarray) -> float:
        of = dict(zip(names, x[:-1], strict=True))
        total = float(x[:-1].sum()) ** 2
        for a, b, preference in comparisons:
            odds = {"a": of[a], "b": of[b], "tie": x[-1] + (of[a] + of[b]) / 2}
            total -= odds[preference] - float(np.logaddexp.reduce(list(odds.values())))
        return total

    found = minimize(lack_of_fit, np.zeros(len(names) + 1), method="BFGS", tol=1e-9)
    return dict(zip([*names, TIE], found.x, strict=True))


def mixed(names: str, n: int, seed: int) -> list[Comparison]:
    """Compare all pairs of systems n times, at random."""
    random = np.random.default_rng(seed)
    return [
        (a, b, str(random.choice(["a", "a", "b", "tie"])))
        for _ in range(n)
        for a, b in combinations(names, 2)
    ]


def against_e(n: int, n_lost: int) -> list[Comparison]:
    """Let A, B, C and D win n comparisons with E each, but for some of A's."""
    return [
        (name, "E", "b" if name == "A" and place < n_lost else "a")
        for place in range(n)
        for name in "ABCD"
    ]


def test_strengths_are_those_of_an_independent_fit() -> None:
    # E wins a single one of 80 comparisons: far behind, and finite.
    comparisons = mixed("ABCD", 20, seed=1) + against_e(20, n_lost=1)
    table = fitted(comparisons)
    expected = by_optimiser(comparisons)
    assert table["strength"].to_dict() == pytest.approx(expected, abs=1e-3)
    assert expected["E"] < -4
    assert set(table["part"][list("ABCDE")]) == {1}
    # E's single win is drawn in about 63 % of the resamples; else it could lie anywhere below.
    assert table["strength_low"]["E"] == -math.inf
    assert math.isfinite(table["strength_high"]["E"])
    assert table["note"]["E"].startswith("No lower bound: 3")
    assert (table.loc[list("ABCD"), "strength_high"] == math.inf).all()
    assert np.isfinite(table.loc[list("ABCD"), "strength_low"]).all()


def test_a_system_that_always_loses_takes_nothing_from_the_strengths_of_the_others() -> None:
    among = mixed("ABCD", 20, seed=1)
    table = fitted(among + against_e(20, n_lost=0))
    expected = by_optimiser(among)
    for name, strength in expected.items():
        row = table.loc[name]
        assert row["strength"] == pytest.approx(strength, abs=1e-3)
        assert row["strength_low"] < row["strength"] < row["strength_high"] < math.inf
    assert np.isnan(table["strength"]["E"])
    assert table["note"]["E"] == "It loses every comparison: no finite strength."
    assert table["part"].to_dict() == dict.fromkeys("ABCD", 1) | {"E": 2, TIE: 0}


def test_two_parts_between_which_only_the_order_is_known() -> None:
    even = [(a, b, side) for a, b in ("AB", "CD") for side in ("a", "b", "tie") for _ in range(9)]
    table = fitted([*even, *[("A", "C", "a"), ("B", "D", "a")] * 9])
    assert table["part"].to_dict() == {"A": 1, "B": 1, "C": 2, "D": 2, TIE: 0}
    assert table["strength"][list("ABCD")].tolist() == pytest.approx([0.0] * 4, abs=1e-6)
    between = fitted([*even, *[("A", "x", "a"), ("x", "C", "a")] * 9])
    assert between["part"].to_dict() == {"A": 1, "B": 1, "x": 2, "C": 3, "D": 3, TIE: 0}
    assert between["note"]["x"].startswith("It wins every comparison with some systems and loses")


def test_19_wins_and_a_loss_have_no_upper_bound() -> None:
    table = fitted([("A", "B", "a")] * 19 + [("A", "B", "b")])
    # Log odds of log 19, split evenly around 0; 0.95^20 = 36 % of the resamples have no loss.
    assert table["strength"]["A"] == pytest.approx(math.log(19) / 2, abs=1e-4)
    assert table["strength_high"]["A"] == math.inf
    assert 0 < table["strength_low"]["A"] < math.log(19) / 2
    (told,) = as_records({"t": table.loc[["A"], ["strength_high"]]})["t"]
    assert told == {"strength_high": "inf"}


@pytest.mark.parametrize(
    ("comparisons", "notes"),
    [
        ([("A", "B", "a")], ("It wins every comparison", "It loses every comparison", "No ties")),
        # Nothing but B's wins, of which there are none, bounds A's lead, or how ready ties are.
        (
            [("A", "B", "a")] * 20 + [("A", "B", "tie")] * 10,
            ("It never loses", "It never wins", "No preference contradicts another"),
        ),
        ([("A", "B", "tie")] * 5, ("Every comparison of it is a tie",) * 2 + ("No preference",)),
    ],
)
def test_what_nothing_bounds_is_no_number_but_a_sentence(
    comparisons: list[Comparison], notes: tuple[str, ...]
) -> None:
    table = fitted(comparisons)
    assert table["strength"].isna().all()
    for name, note in zip(("A", "B", TIE), notes, strict=True):
        assert table["note"][name].startswith(note)


def test_ties_bound_strengths_where_preferences_contradict_them() -> None:
    names = "ABC"

    def table(pairs: str) -> np.ndarray:
        found = np.zeros((3, 3))
        for pair in pairs.split():
            found[names.index(pair[0]), names.index(pair[1])] = 1
        return found

    ties = table("AC CA")
    # A > B > C is two steps, and a tie of A and C at most one: all three are joined.
    assert order_of(table("AB BC"), ties).joined.all()
    assert parts(table("AB BC"), ties) == [[0, 1, 2]]
    # A > B and a tie of A and C fit places 1, 0, 1, and any multiple of them.
    loose = order_of(table("AB"), ties)
    assert loose.is_one_sided
    assert loose.joined.tolist() == np.eye(3, dtype=bool).tolist()
    # Without ties, a cycle of wins joins.
    assert order_of(table("AB BC CA"), table("")).joined.all()
    assert parts(table("BA AC"), table("")) == [[1], [0], [2]]
