"""Training curves: what each adapter earns over the prompts it consumed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from dashboard.frames.numbers import spread

SMOOTHING_STEPS = 9
"""Steps of the running mean drawn over the rewards of single steps."""

LOW_VARIETY = 0.5
"""Below this share of different texts an adapter has lost its variety."""


def validation_frame(validations: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Spread the table ``validations``: ``<objective>`` and ``<objective>_se`` per row."""
    columns = ["adapter", "step", "data_points", "n_distinct", "n_responses", "converged"]
    return pd.concat(
        [
            validations[columns],
            spread(validations["means"], list(objectives)),
            spread(validations["standard_errors"], [f"{name}_se" for name in objectives]),
        ],
        axis=1,
    ).sort_values(["adapter", "step"], ignore_index=True)


def step_frame(steps: pd.DataFrame) -> pd.DataFrame:
    """Add running means of ``reward`` and ``kl`` to the table ``training_steps``."""
    frame = steps.sort_values(["adapter", "step"], ignore_index=True)
    for name in ("reward", "kl"):
        frame[f"{name}_smooth"] = frame.groupby("adapter")[name].transform(
            lambda values: values.rolling(SMOOTHING_STEPS, min_periods=1, center=True).mean()
        )
    return frame


def adapter_names(objectives: Sequence[str], *tables: pd.DataFrame) -> list[str]:
    """Return the adapters that have rows in any table, in order of the objectives."""
    present = {str(name) for table in tables for name in table["adapter"].unique()}
    return [name for name in objectives if name in present]


def adapter_table(
    steps: pd.DataFrame, validations: pd.DataFrame, adapters: pd.DataFrame, names: Sequence[str]
) -> pd.DataFrame:
    """Sum up each adapter: how far it is, what it earns now, how varied its texts are.

    Args:
        steps: The table ``training_steps``.
        validations: From ``validation_frame``.
        adapters: The table ``adapters``; it has rows of finished adapters only.
        names: Adapters to list.
    """
    finished = {row["adapter"]: row for row in adapters.to_dict("records")}
    rows = []
    for name in names:
        own_steps = steps[steps["adapter"] == name]
        scores = validations[validations["adapter"] == name]
        done = finished.get(name)
        rows.append(
            {
                "adapter": name,
                "state": "training" if done is None else _ending(bool(done["converged"])),
                "steps": len(own_steps),
                "data points": int(own_steps["data_points"].max()) if len(own_steps) else 0,
                "seconds": float(own_steps["seconds"].max()) if len(own_steps) else 0.0,
                "own reward, start": float(scores[name].iloc[0]) if len(scores) else None,
                "own reward, now": float(scores[name].iloc[-1]) if len(scores) else None,
                "± se": float(scores[f"{name}_se"].iloc[-1]) if len(scores) else None,
                "distinct responses": _variety(done),
            }
        )
    return pd.DataFrame(rows)


def low_variety(adapters: pd.DataFrame) -> list[str]:
    """Write a sentence for each finished adapter that repeats itself."""
    rows = adapters[adapters["n_distinct"] < LOW_VARIETY * adapters["n_responses"]]
    return [
        f"The adapter {row['adapter']} repeats itself: {row['n_distinct']} of "
        f"{row['n_responses']} greedy "
        "responses to held-out prompts are distinct. It may have found a stock phrase that the "
        "reward likes; raise training.kl_coefficient or train shorter."
        for row in rows.to_dict("records")
    ]


def sample_steps(samples: pd.DataFrame, adapter: str) -> list[int]:
    """Return the steps at which texts of an adapter were kept."""
    return sorted(int(step) for step in samples[samples["adapter"] == adapter]["step"].unique())


def samples_at(samples: pd.DataFrame, adapter: str, step: int) -> pd.DataFrame:
    """Return the texts an adapter wrote at one step."""
    return samples[(samples["adapter"] == adapter) & (samples["step"] == step)]


def _ending(converged: bool) -> str:
    return "converged" if converged else "reached its last step"


def _variety(done: dict[Hashable, Any] | None) -> str:
    return "" if done is None else f"{done['n_distinct']} of {done['n_responses']}"
