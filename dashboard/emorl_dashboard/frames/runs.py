"""Runs at a glance: systems side by side, and what the run cost."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import isfinite
from typing import Any

import pandas as pd

from emorl.runs.cost import Cost, count_cost
from emorl_dashboard.frames.numbers import counted, mean_reward_error, score_text, spread

COST_COLUMNS = (
    "training data points",
    "search data points",
    "data points",
    "training seconds",
    "search seconds",
    "seconds",
)
"""Number columns of ``cost_table``."""


def proof_text(certificates: pd.DataFrame, atlases: pd.DataFrame) -> str:
    """Say what the atlases cover and what is proven about all weights; "" without them.

    Args:
        certificates: The table ``certificates``.
        atlases: The table ``atlases``.
    """
    own = _aggregation(atlases)
    if own.empty:
        return ""
    told = (
        f"Atlas: {counted(int(own['n_cells'].sum()), 'response')} to "
        f"{counted(len(own), 'prompt')} cover "
        f"{100 * own['covered'].mean():.2f} % of all weights"
    )
    proofs = _aggregation(certificates)
    if proofs.empty:
        return f"{told}."
    proof = proofs.iloc[0]
    if not (isfinite(proof["mean_reward"]) and isfinite(proof["upper_bound"])):
        return f"{told}. Scores on them are not numbers, so nothing is proven."
    weights = ", ".join(f"{weight:.3f}" for weight in proof["weights"])
    proven = (
        f"{told}. Proven on them: no weights have a mean reward above {proof['upper_bound']:.3f}"
    )
    if not proof["area"] > 0:
        return f"{proven}; the weights {weights} have at least {proof['mean_reward']:.3f}."
    return (
        f"{proven}; the weights {weights} have {proof['mean_reward']:.3f}, and may move by "
        f"{proof['radius']:.3f} in any direction without a change of any text."
    )


def cost(
    steps: pd.DataFrame,
    evaluations: pd.DataFrame,
    prompts: pd.DataFrame,
    responses: pd.DataFrame,
    atlases: pd.DataFrame,
) -> Cost:
    """Count what a run consumed; the arguments are the tables of these names."""
    return count_cost(
        _records(steps, "adapter", "data_points", "samples", "tokens", "seconds"),
        _records(evaluations, "search", "kind", "direction_key", "seconds"),
        _records(prompts, "split"),
        _records(
            responses.groupby("direction_key")["n_tokens"].sum().reset_index(),
            "direction_key",
            "n_tokens",
        ),
        _records(atlases, "split", "seconds"),
    )


def cost_table(spent: Cost) -> pd.DataFrame:
    """Lay the cost out as two lines: adapters trained in parallel, and one after the other."""
    search = spent.search
    return pd.DataFrame(
        [
            (
                name,
                *(training.data_points, search.data_points, whole.data_points),
                *(training.seconds, search.seconds, whole.seconds),
            )
            for name, training, whole in (
                ("parallel (longest adapter + search)", spent.parallel_training, spent.parallel),
                ("total (all adapters + search)", spent.total_training, spent.total),
            )
        ],
        columns=["accounting", *COST_COLUMNS],
    )


def _records(table: pd.DataFrame, *columns: str) -> list[dict[Hashable, Any]]:
    return table[list(columns)].to_dict("records")


def decodings(systems: pd.DataFrame) -> list[str]:
    """Return the ways of decoding that were scored, greedy first."""
    return sorted(str(name) for name in systems["decoding"].unique())


def prompt_counts(prompts: pd.DataFrame) -> str:
    """Say how many prompts each split has."""
    counts = prompts["split"].value_counts()
    splits = ("train", "aggregation", "inference")
    parts = [f"{counts[split]} {split}" for split in splits if split in counts]
    return f"prompts: {', '.join(parts)}" if parts else "prompts not stored yet"


def system_frame(
    systems: pd.DataFrame, responses: pd.DataFrame, objectives: Sequence[str], *, decoding: str
) -> pd.DataFrame:
    """Return the systems of one way of decoding: base, adapters, best.

    Returns:
        ``system``, ``mean_reward``, ``mean_reward_se``, ``<objective>``, ``<objective>_se``,
        ``n_distinct``, ``n_responses`` and ``n_prompts``.
    """
    rows = systems[systems["decoding"] == decoding]
    frame = pd.concat(
        [
            rows[["system", "mean_reward", "n_distinct", "n_responses"]],
            spread(rows["means"], list(objectives)),
            spread(rows["standard_errors"], [f"{name}_se" for name in objectives]),
        ],
        axis=1,
    )
    scored = responses[responses["decoding"] == decoding]
    errors, n_prompts = {}, {}
    for system, texts in scored.groupby("system"):
        scores = spread(texts["scores"], objectives)
        errors[system] = mean_reward_error(scores, texts["prompt_index"])
        n_prompts[system] = texts["prompt_index"].nunique()
    frame["mean_reward_se"] = frame["system"].map(errors).astype(float)
    frame["n_prompts"] = frame["system"].map(n_prompts).fillna(0).astype(int)
    return sort_systems(frame, objectives).reset_index(drop=True)


def sort_systems(frame: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Sort rows by their ``system`` as every page lists them: base, adapters, best, others."""
    order = ["base", *(f"adapter:{name}" for name in objectives), "best"]
    place = {system: number for number, system in enumerate(order)}
    return frame.sort_values(
        "system", key=lambda systems: systems.map(place).fillna(len(order)), kind="stable"
    )


def system_label(system: str) -> str:
    """Name a system for people."""
    names = {"base": "Base", "best": "Best ensemble", "ensemble": "Ensemble"}
    if system.startswith("adapter:"):
        return f"Only {system.removeprefix('adapter:')}"
    return names.get(system, system)


def system_table(frame: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Return the systems as a table of scores and standard errors."""
    columns: dict[str, object] = {
        "system": [system_label(system) for system in frame["system"]],
        "mean reward": _score_texts(frame, "mean_reward"),
    }
    columns |= {name: _score_texts(frame, name) for name in objectives}
    columns["distinct texts"] = [
        f"{row.n_distinct} of {row.n_responses}" for row in frame.itertuples()
    ]
    return pd.DataFrame(columns)


def _score_texts(frame: pd.DataFrame, name: str) -> list[str]:
    pairs = zip(frame[name], frame[f"{name}_se"], strict=True)
    return [score_text(score, error) for score, error in pairs]


def span(evaluations: pd.DataFrame) -> tuple[float, float] | None:
    """Return the lowest and highest mean reward over the evaluated weights."""
    rewards = evaluations["mean_reward"].dropna()
    return None if rewards.empty else (float(rewards.min()), float(rewards.max()))


def _aggregation(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["split"] == "aggregation"]
