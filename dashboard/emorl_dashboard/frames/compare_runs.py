"""The same methods in several runs (seeds): mean over runs, with their spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from emorl.records import Split
from emorl.weights import direction_key
from emorl_dashboard.frames.compare import MEAN_REWARD, found_by_search
from emorl_dashboard.frames.numbers import counted
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.frames.runs import system_label

Row = dict[str, object]


def run_rows(
    run_id: str,
    split: Split,
    objectives: Sequence[str],
    *,
    evaluations: pd.DataFrame,
    systems: pd.DataFrame,
    certificates: pd.DataFrame,
) -> list[Row]:
    """Return what the methods of one run earn on a split, as the run stored it; greedy.

    Args:
        run_id: Name of the run.
        split: ``inference``: the systems. ``aggregation``: evaluated weights, and the proof.
        objectives: Names of the scores.
        evaluations: The table ``evaluations``.
        systems: The table ``systems``.
        certificates: The table ``certificates``.

    Returns:
        Rows of ``run``, ``label``, ``mean_reward`` and one key per objective.
    """
    if split == "inference":
        greedy = systems[systems["decoding"] == "greedy"]
        means_of = dict(zip(greedy["system"], greedy["means"], strict=True))
        order = ["base", *(f"adapter:{name}" for name in objectives), *greedy["system"]]
        found = {system_label(name): means_of[name] for name in order if name in means_of}
    else:
        found = _aggregation(evaluations, certificates, objectives)
    return [
        {"run": run_id, "label": label, MEAN_REWARD: float(np.mean(means))}
        | dict(zip(objectives, map(float, means), strict=True))
        for label, means in found.items()
    ]


def runs_note(rows: Sequence[Row], chosen: Sequence[str], split: Split) -> str:
    """Say what the dots and diamonds of several runs are, and which runs are missing.

    Args:
        rows: From ``run_rows``, of all runs.
        chosen: Names of the runs asked for.
        split: Of the prompts.
    """
    told = {str(row["run"]) for row in rows}
    missing = [name for name in chosen if name not in told]
    left_out = f" Without such numbers: {', '.join(map(plain, missing))}." if missing else ""
    return (
        f"{counted(len(told), 'run')} with numbers on {split} prompts: each dot is a run's mean, "
        "the diamond the mean over runs with its standard deviation. Runs may differ in more than "
        f"the seed: compare only what you made comparable.{left_out}"
    )


def _aggregation(
    evaluations: pd.DataFrame, certificates: pd.DataFrame, objectives: Sequence[str]
) -> dict[str, Sequence[float]]:
    scored = evaluations[evaluations["means"].notna()]
    by_key = dict(zip(scored["direction_key"], scored["means"], strict=True))
    n = len(objectives)
    wanted = {
        system_label(f"adapter:{name}"): tuple(float(other == name) for other in objectives)
        for name in objectives
    }
    wanted["Equal weights"] = (1.0,) * n
    for search, weights in found_by_search(evaluations).items():
        wanted[f"{search.capitalize()} search"] = weights
    keys = {label: direction_key(weights) for label, weights in wanted.items()}
    found = {label: by_key[key] for label, key in keys.items() if key in by_key}
    for row in certificates.to_dict("records"):
        found["Certified search"] = row["means"]
    return found


def over_runs(rows: Sequence[Row], objectives: Sequence[str]) -> pd.DataFrame:
    """Return each method over the runs that have it, in the order of the rows.

    Returns:
        ``label``, ``measure`` (``mean_reward`` or an objective), ``n_runs``, ``mean``, ``sd``
        (standard deviation over runs, NaN for one), ``lowest`` and ``highest``.
    """
    frame = pd.DataFrame(rows, columns=["run", "label", MEAN_REWARD, *objectives])
    found = []
    for label, own in frame.groupby("label", sort=False):
        for measure in (MEAN_REWARD, *objectives):
            values = own[measure].astype(float)
            found.append(
                {
                    "label": str(label),
                    "measure": measure,
                    "n_runs": len(values),
                    "mean": float(values.mean()),
                    "sd": float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
                    "lowest": float(values.min()),
                    "highest": float(values.max()),
                }
            )
    return pd.DataFrame(found)
