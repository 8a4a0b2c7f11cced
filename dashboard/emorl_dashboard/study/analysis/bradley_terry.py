"""Strengths of systems from pairwise preferences, ties included: Davidson's model.

Davidson extends Bradley-Terry by one number for how readily people call a tie: the chances that
A wins, that B wins and of a tie are as ``exp(a) : exp(b) : exp(tie + (a + b) / 2)``.

Strengths are relative. Systems that no chain of comparisons joins share no zero: each such group
gets a model of its own, and nothing is said across groups. Nor do sizes exist across the *parts*
of a group, of which one wins every comparison with another: only the order of parts is known.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.analysis.bootstrap import (
    Estimate,
    OpenStatistic,
    Resamples,
    open_estimate,
    undefined,
)
from emorl_dashboard.study.analysis.cells import in_order
from emorl_dashboard.study.analysis.davidson import davidson_strengths
from emorl_dashboard.study.analysis.preference_order import Order, order_of, parts

Floats = NDArray[np.float64]

COLUMNS = (
    "criterion",
    "group",
    "part",
    "system",
    "strength",
    "strength_low",
    "strength_high",
    "n_items",
    "n_preferences",
    "n_equal_texts",
    "note",
)
TIE = "(tie)"
"""Stands in the column ``system`` for the log odds of a tie between equals."""
_APART = "Nothing compares this group of systems with the others: its zero is its own."
_NEVER_LOSES = "It wins every comparison: no finite strength."
_NEVER_WINS = "It loses every comparison: no finite strength."
_BETWEEN = (
    "It wins every comparison with some systems and loses every one with others: no finite "
    "strength."
)
_NO_LOSS = "It never loses: no finite strength."
_NO_WIN = "It never wins: no finite strength."
_NO_CONTRADICTION = "No preference contradicts another: no finite strength."
_ONLY_TIES = "Every comparison of it is a tie: no strength can be told."
_NO_TIES = "No ties: their odds have no finite estimate."
_ONE_SIDED_TIES = "No preference contradicts another: the odds of a tie have no finite estimate."


def bradley_terry(
    pairs: pd.DataFrame, resamples: Resamples, texts: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return every system's strength per criterion, best first, with ``COLUMNS``.

    Args:
        pairs: From ``study.answers.pair_frame``; only items of kind ``rating`` count.
        resamples: Of the source items of these rows.
        texts: All responses (source_item, system, text), to count those that are equal.

    Returns:
        Log strengths with intervals over source items, mean zero in each ``part`` of each
        ``group`` of systems that comparisons join. Where two systems of a part differ by 1, the
        stronger is preferred e = 2.7 times as often as the weaker. Wherever two systems of
        different parts were compared, that of the part with the lower number won every time;
        one that is alone in its part has no strength. An end of an interval is infinite where
        too many resamples do not bound it. ``n_equal_texts`` counts at how many
        prompts a system gave the very text of another, once for each other: such pairs are
        never shown, and are no ties.
    """
    counted = pairs[(pairs["kind"] == "rating") & pairs["preference"].notna()]
    counted = counted[counted["system_a"] != counted["system_b"]]
    equal = _equal_texts(texts)
    rows: list[dict[str, object]] = []
    for criterion in in_order(counted["criterion"]):
        part = counted[counted["criterion"] == criterion]
        found = _groups(part)
        apart = _APART if len(found) > 1 else ""  # said once for each group, at its tie
        for number, systems in enumerate(found, start=1):
            for row in _group(part[part["system_a"].isin(systems)], resamples):
                rows.append(
                    row
                    | {
                        "criterion": criterion,
                        "group": number,
                        "n_equal_texts": equal.get(str(row["system"]), 0),
                        "note": f"{row['note']} {apart if row['system'] == TIE else ''}".strip(),
                    }
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _groups(part: pd.DataFrame) -> list[set[str]]:
    """Return the systems in groups that a chain of comparisons joins, the largest first."""
    found: list[set[str]] = []
    for a, b in set(zip(part["system_a"], part["system_b"], strict=True)):
        joined = {a, b}.union(*(group for group in found if {a, b} & group))
        found = [group for group in found if not group & joined] + [joined]
    return sorted(found, key=lambda group: (-len(group), min(group)))


def _equal_texts(texts: pd.DataFrame | None) -> dict[str, int]:
    """Count for each system the equal texts of other systems to the same prompts."""
    if texts is None or texts.empty:
        return {}
    sharing = texts.groupby(["source_item", "text"])["system"].transform("nunique") - 1
    return {str(name): int(n) for name, n in sharing.groupby(texts["system"]).sum().items()}


def _group(part: pd.DataFrame, resamples: Resamples) -> list[dict[str, object]]:
    """Return the rows of systems that comparisons join: winners first, then the tie."""
    systems = sorted(set(part["system_a"]) | set(part["system_b"]))
    outcomes = _outcomes(part, systems, resamples)
    wins, ties = _tables(outcomes.sum(axis=0), len(systems))
    order, found = order_of(wins, ties), parts(wins, ties)
    fitted: dict[bytes, tuple[Floats, Floats]] = {}

    def bounds(place: int, draws: Floats) -> tuple[Floats, Floats]:
        key = draws.tobytes()
        if key not in fitted:  # all systems share one fit of the same draws
            fitted[key] = _fit(np.einsum("ds,spo->dpo", draws, outcomes), found)
        least, greatest = fitted[key]
        return least[:, place], greatest[:, place]

    rows: list[dict[str, object]] = []
    for number, members in enumerate(found, start=1):
        # A system alone in its part is compared with other parts only.
        pairs = _pairs_of([members], len(systems), is_inside=len(members) > 1)
        active = outcomes[:, pairs].sum(axis=(1, 2)) > 0
        own = []
        for place in members:
            note = _why_unbounded(wins[place].sum(), wins[:, place].sum(), len(members), order)
            one = _estimated(partial(bounds, place), resamples, active, note)
            n_preferences = int((part[["system_a", "system_b"]] == systems[place]).sum().sum())
            own.append(_row(systems[place], number, one, n_preferences))
        rows += sorted(own, key=_best_first)
    active = outcomes[:, _pairs_of(found, len(systems))].sum(axis=(1, 2)) > 0
    note = _ONE_SIDED_TIES if order.is_one_sided else "" if order.has_ties else _NO_TIES
    tie = _estimated(partial(bounds, len(systems)), resamples, active, note)
    return [*rows, _row(TIE, 0, tie, len(part))]


def _estimated(
    bounds: OpenStatistic, resamples: Resamples, active: NDArray[np.bool_], note: str
) -> Estimate:
    return undefined(note, int(active.sum())) if note else open_estimate(bounds, resamples, active)


def _row(system: str, part: int, found: Estimate, n_preferences: int) -> dict[str, object]:
    counts = {"n_items": found.n_items, "n_preferences": n_preferences, "note": found.note}
    return {"system": system, "part": part} | found.columns("strength") | counts


def _best_first(row: dict[str, object]) -> float:
    strength = row["strength"]
    # Equal but for the last bit is equal: then by name.
    return -round(strength, 9) if isinstance(strength, float) and np.isfinite(strength) else 0.0


def _why_unbounded(n_won: float, n_lost: float, n_members: int, order: Order) -> str:
    """Say why a system has no finite strength; empty where it has one."""
    if n_members == 1:
        return _NEVER_LOSES if not n_lost else _NEVER_WINS if not n_won else _BETWEEN
    if not order.is_one_sided:
        return ""
    if not (n_won or n_lost):
        return _ONLY_TIES
    return _NO_LOSS if not n_lost else _NO_WIN if not n_won else _NO_CONTRADICTION


def _fit(counts: Floats, found: list[list[int]]) -> tuple[Floats, Floats]:
    """Return the least and greatest strengths, and odds of a tie, that counts allow.

    Args:
        counts: Wins, losses and ties, ``(n_draws, n_pairs, 3)``.
        found: From ``parts``, of all counts together; strengths sum to zero in each.

    Returns:
        Twice ``(n_draws, n_systems + 1)``, infinite where nothing bounds them.
    """
    n_systems = sum(map(len, found))
    order = order_of(*_tables(counts, n_systems))
    first, second = np.triu_indices(n_systems, 1)
    # What is won every time says nothing of sizes, and would drive the fit to infinity.
    bounding = np.where(order.joined[:, first, second, None], counts, 0.0)
    values = davidson_strengths(*np.moveaxis(bounding, -1, 0))
    is_above, is_below = np.zeros((2, *values.shape), dtype=bool)
    for members in found:
        values[:, members] -= values[:, members].mean(axis=1, keepdims=True)
        reaches = order.reaches[:, members][:, :, members]
        is_above[:, members] = ~reaches.all(axis=1)  # somebody cannot follow
        is_below[:, members] = ~reaches.all(axis=2)  # it cannot follow somebody
    is_above[:, -1], is_below[:, -1] = order.is_one_sided, ~order.has_ties
    least = np.where(is_below, -np.inf, np.where(is_above, np.inf, values))
    return least, np.where(is_above, np.inf, np.where(is_below, -np.inf, values))


def _tables(counts: Floats, n_systems: int) -> tuple[Floats, Floats]:
    """Return who won against whom and who tied with whom, ``(..., n_systems, n_systems)``."""
    first, second = np.triu_indices(n_systems, 1)
    wins, ties = np.zeros((2, *counts.shape[:-2], n_systems, n_systems))
    wins[..., first, second], wins[..., second, first] = counts[..., 0], counts[..., 1]
    ties[..., first, second] = ties[..., second, first] = counts[..., 2]
    return wins, ties


def _pairs_of(
    found: list[list[int]], n_systems: int, *, is_inside: bool = True
) -> NDArray[np.bool_]:
    """Return which pairs have both systems in one of the parts, or at least one of the two."""
    first, second = np.triu_indices(n_systems, 1)
    counted = np.zeros(len(first), dtype=bool)
    for members in found:
        ends = np.isin(first, members), np.isin(second, members)
        counted |= (ends[0] & ends[1]) if is_inside else (ends[0] | ends[1])
    return counted


def _outcomes(part: pd.DataFrame, systems: list[str], resamples: Resamples) -> Floats:
    """Count wins of the first, of the second, and ties: ``(n_items, n_pairs, 3)``."""
    pair_of = {pair: place for place, pair in enumerate(combinations(range(len(systems)), 2))}
    found = np.zeros((len(resamples.items), len(pair_of), 3))
    places, number = resamples.places, {name: place for place, name in enumerate(systems)}
    columns = ("source_item", "system_a", "system_b", "preference")
    for source, name_a, name_b, preference in zip(*(part[c] for c in columns), strict=True):
        a, b = number[name_a], number[name_b]
        outcome = {"a": 0, "b": 1, "tie": 2}[preference]
        if a > b:
            a, b, outcome = b, a, (1, 0, 2)[outcome]
        found[places[source], pair_of[a, b], outcome] += 1
    return found
