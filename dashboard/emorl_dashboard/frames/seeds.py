"""Several runs beside each other: what a choice of seed or of settings is worth.

A run's own interval is over its prompts; the interval over runs is Student's t over their means,
as few seeds say little about the spread of all seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.special import stdtrit

from emorl_dashboard.frames.cards import RunCard
from emorl_dashboard.frames.numbers import MISSING, score_text, weight_text

HELD_OUT, AGGREGATION = "held-out prompts", "prompts of the search"
SPLITS = (HELD_OUT, AGGREGATION)
"""Where the best ensemble of a run can be compared; the search chose by the second."""

COST_COLUMNS = (
    "parallel data points",
    "total data points",
    "parallel seconds",
    "total seconds",
)
"""Whole-number columns of ``comparison_table``."""

NORMAL_95 = 1.959964
"""Standard errors on each side of a 95 % interval over many prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run of a comparison."""

    run_id: str
    state: str
    seed: int | None
    objectives: tuple[str, ...]
    card: RunCard
    held_out: Mapping[str, float]
    """Row ``best`` of ``frames.runs.system_frame``, greedy; empty before it is scored."""


def score_frame(
    entries: Sequence[Entry], objectives: Sequence[str], *, split: str
) -> pd.DataFrame:
    """Return the scores of the best ensemble of each run that has some.

    Returns:
        ``run``, then ``mean_reward``, ``mean_reward_se``, ``<objective>`` and ``<objective>_se``.
        Runs of other objectives, or without scores on ``split``, are left out.
    """
    names = ["mean_reward", *objectives]
    columns = ["run", *(column for name in names for column in (name, f"{name}_se"))]
    rows = []
    for entry in entries:
        if entry.objectives != tuple(objectives):
            continue
        scores = dict(entry.held_out) if split == HELD_OUT else _of_search(entry)
        if scores:
            rows.append({"run": entry.run_id, **scores})
    return pd.DataFrame(rows, columns=columns)


def over_runs(frame: pd.DataFrame, objectives: Sequence[str]) -> dict[str, float]:
    """Return mean and half width of the 95 % interval over runs, by name and ``<name>_half``.

    Args:
        frame: From ``score_frame``; empty unless two runs or more are in it.
        objectives: Names of the scores beside ``mean_reward``.
    """
    found: dict[str, float] = {}
    n_runs = len(frame)
    if n_runs < 2:
        return found
    for name in ("mean_reward", *objectives):
        deviation = float(frame[name].std(ddof=1))
        found[name] = float(frame[name].mean())
        found[f"{name}_half"] = float(stdtrit(n_runs - 1, 0.975)) * deviation / math.sqrt(n_runs)
    return found


def comparison_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return one line per run: settings, best weights, scores with standard errors, cost."""
    rows = []
    for entry in entries:
        best, held_out = entry.card.best, entry.held_out
        weights = MISSING if best is None else _named(entry.objectives, best.weights)
        rows.append(
            {
                "run": entry.run_id,
                "state": entry.state,
                "seed": entry.seed,
                "best weights": weights,
                "mean reward, search": score_text(
                    entry.card.best_reward, entry.card.mean_reward_se
                ),
                "mean reward, held out": score_text(
                    held_out.get("mean_reward"), held_out.get("mean_reward_se")
                ),
                "parallel data points": entry.card.cost.parallel.data_points,
                "total data points": entry.card.cost.total.data_points,
                "parallel seconds": entry.card.cost.parallel.seconds,
                "total seconds": entry.card.cost.total.seconds,
            }
        )
    return pd.DataFrame(rows)


def summary_sentence(
    frame: pd.DataFrame, spread: Mapping[str, float], *, left_out: Sequence[str]
) -> str:
    """Say what the runs have in common, and which are missing from the figure."""
    told = ""
    if spread:
        told = (
            f"Mean over {len(frame)} runs: {spread['mean_reward']:.3f} ± "
            f"{spread['mean_reward_half']:.3f} (95 % interval over runs, Student's t). "
        )
    if left_out:
        told += f"Not drawn, for other objectives or without scores there: {', '.join(left_out)}."
    return told.strip()


def _of_search(entry: Entry) -> dict[str, float]:
    best = entry.card.best
    if best is None:
        return {}
    scores = {"mean_reward": best.mean_reward, "mean_reward_se": entry.card.mean_reward_se}
    for name, score, error in zip(
        entry.objectives, best.scores, best.standard_errors, strict=True
    ):
        scores |= {name: score, f"{name}_se": error}
    return scores


def _named(objectives: Sequence[str], weights: Sequence[float]) -> str:
    pairs = zip(objectives, weights, strict=True)
    return ", ".join(f"{name} {weight_text(weight)}" for name, weight in pairs)
