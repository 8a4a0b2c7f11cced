"""Strengths of systems from pairwise preferences, ties included: Davidson's model.

Davidson extends Bradley-Terry by one number for how readily people call a tie: the chances that
A wins, that B wins and of a tie are as ``exp(a) : exp(b) : exp(tie + (a + b) / 2)``.

Strengths are relative. Systems that no chain of comparisons joins share no zero: each such group
gets a model of its own, and nothing is said across groups.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.study.analysis.bootstrap import Estimate, Resamples, estimate, undefined
from dashboard.study.analysis.cells import in_order

Floats = NDArray[np.float64]

COLUMNS = (
    "criterion",
    "group",
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
_N_STEPS = 30
_RIDGE = 1e-6
_LARGEST_STEP = 2.0
_RUNAWAY = 6.0


def davidson_strengths(wins: Floats, losses: Floats, ties: Floats) -> Floats:
    """Return log strengths that sum to zero, and the log odds of a tie between equals.

    Newton's method on the concave log likelihood, for many data sets at once; a ridge of 1e-6
    keeps a system that never loses at a large finite number.

    Args:
        wins: ``(..., n_pairs)``, how often the first of each pair of systems won; pairs in the
            order of ``itertools.combinations``.
        losses: How often the second won, same shape.
        ties: How often they tied, same shape.

    Returns:
        ``(..., n_systems + 1)``; the last is the tie's.

    Source:
        Davidson, "On extending the Bradley-Terry model to accommodate ties", JASA 65, 1970.
    """
    counts = np.stack([wins, losses, ties], axis=-1).astype(np.float64)
    n_pairs = counts.shape[-2]
    n_systems = round((1 + np.sqrt(1 + 8 * n_pairs)) / 2)
    features = _features(n_systems)
    n_trials = counts.sum(axis=-1)
    weights = np.zeros((*counts.shape[:-2], n_systems + 1))
    # Strengths are known up to a constant: their sum is held at zero by its own penalty.
    penalty = _RIDGE * np.eye(n_systems + 1)
    penalty[:-1, :-1] += 1.0 / n_systems
    for _ in range(_N_STEPS):
        utilities = np.einsum("pof,...f->...po", features, weights)
        chances = np.exp(utilities - utilities.max(axis=-1, keepdims=True))
        chances /= chances.sum(axis=-1, keepdims=True)
        expected = np.einsum("...po,pof->...pf", chances, features)
        gradient = np.einsum("...po,pof->...f", counts, features) - np.einsum(
            "...p,...pf->...f", n_trials, expected
        )
        gradient -= weights @ penalty
        square = np.einsum("...p,...po,pof,pog->...fg", n_trials, chances, features, features)
        square -= np.einsum("...p,...pf,...pg->...fg", n_trials, expected, expected)
        step = np.linalg.solve(square + penalty, gradient[..., None])[..., 0]
        weights = weights + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return weights


def bradley_terry(
    pairs: pd.DataFrame, resamples: Resamples, texts: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return every system's strength per criterion, best first, with ``COLUMNS``.

    Args:
        pairs: From ``study.answers.pair_frame``; only items of kind ``rating`` count.
        resamples: Of the source items of these rows.
        texts: All responses (source_item, system, text), to count those that are equal.

    Returns:
        Log strengths with intervals over source items, mean zero in each ``group`` of systems
        that comparisons join. Where two systems of a group differ by 1, the stronger is
        preferred e = 2.7 times as often as the weaker. ``n_equal_texts`` counts at how many
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
    systems = sorted(set(part["system_a"]) | set(part["system_b"]))
    outcomes = _outcomes(part, systems, resamples)
    fitted: dict[bytes, Floats] = {}

    def strengths(draws: Floats) -> Floats:
        key = draws.tobytes()
        if key not in fitted:  # all systems share one fit of the same draws
            summed = np.einsum("ds,spo->dpo", draws, outcomes)
            fitted[key] = davidson_strengths(*np.moveaxis(summed, -1, 0))
        return fitted[key]

    def one_of(place: int, draws: Floats) -> Floats:
        return strengths(draws)[:, place]

    active = outcomes.sum(axis=(1, 2)) > 0
    rows = []
    for place, system in enumerate([*systems, TIE]):
        involved = part[(part["system_a"] == system) | (part["system_b"] == system)]
        found = estimate(partial(one_of, place), resamples, active)
        if abs(found.value) > _RUNAWAY:
            found = _unbounded(system, found, involved)
        rows.append(
            {"system": system}
            | found.columns("strength")
            | {
                "n_items": found.n_items,
                "n_preferences": len(part) if system == TIE else len(involved),
                "note": found.note,
            }
        )
    return sorted(rows, key=_best_first)


def _best_first(row: dict[str, object]) -> tuple[bool, float]:
    strength = row["strength"]
    return row["system"] == TIE, -strength if isinstance(strength, float) else 0.0


def _unbounded(system: str, found: Estimate, involved: pd.DataFrame) -> Estimate:
    if system == TIE:
        return undefined("No ties: their odds have no finite estimate.", found.n_items)
    is_ahead = found.value > 0
    own = np.where(involved["system_a"] == system, "a", "b")
    has_won = (involved["preference"] == own).to_numpy()
    has_lost = ~has_won & (involved["preference"] != "tie").to_numpy()
    word = "wins" if is_ahead else "loses"
    if (has_won if is_ahead else has_lost).all():
        note = f"It {word} every comparison: no finite strength."
    else:
        note = (
            f"It is among systems of which each {word} every comparison with the others: no "
            "finite strength."
        )
    return undefined(note, found.n_items)


def _features(n_systems: int) -> Floats:
    """Return what each outcome of each pair adds up: ``(n_pairs, 3, n_systems + 1)``."""
    rows = []
    for a, b in combinations(range(n_systems), 2):
        outcomes = np.zeros((3, n_systems + 1))
        outcomes[0, a] = outcomes[1, b] = outcomes[2, -1] = 1.0
        outcomes[2, [a, b]] = 0.5
        rows.append(outcomes)
    return np.stack(rows) if rows else np.zeros((0, 3, n_systems + 1))


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
