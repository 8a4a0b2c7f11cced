"""Training curves: what each adapter earns over what it consumed, in one run or several."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from emorl_dashboard.frames.numbers import spread
from emorl_dashboard.frames.words import Pieces, differing_words

SMOOTHING_STEPS = 9
"""Steps of the running mean drawn over the rewards of single steps."""

AXES = {"data points": "data_points", "samples": "samples", "seconds": "seconds"}
"""What curves can be drawn over, and the columns that count it."""

AXIS_TITLES = {
    "data_points": "data points (prompts)",
    "samples": "samples (responses)",
    "seconds": "seconds of training",
}

LOW_VARIETY = 0.5
"""Below this share of different texts an adapter has lost its variety."""


def validation_frame(validations: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Spread the table ``validations``: ``<objective>`` and ``<objective>_se`` per row."""
    columns = ["adapter", "step", *AXES.values(), "n_distinct", "n_responses", "converged"]
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
                "distinct held-out responses": _variety(done),
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


def together(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put the frames of several runs below each other, with the run's name in ``run``."""
    return pd.concat([frame.assign(run=name) for name, frame in frames.items()], ignore_index=True)


def band(curves: pd.DataFrame, over: str, value: str) -> pd.DataFrame:
    """Return mean, lowest and highest of a curve over runs, where all of them have got.

    Args:
        curves: One adapter's rows with ``run``, ``over`` and ``value``.
        over: Column that the curves are drawn over; rises within a run.
        value: Column to compare; between its rows a run is interpolated.

    Returns:
        ``over``, ``mean``, ``low`` and ``high``; no rows where the runs do not overlap.
    """
    columns = [over, "mean", "low", "high"]
    ordered = curves.dropna(subset=[value]).sort_values(["run", over])
    each = [rows for _, rows in ordered.groupby("run", sort=False)]
    if not each:
        return pd.DataFrame(columns=columns, dtype=float)
    start = max(float(rows[over].iloc[0]) for rows in each)
    end = min(float(rows[over].iloc[-1]) for rows in each)
    places = np.unique(ordered[over].to_numpy(dtype=float))
    places = places[(places >= start) & (places <= end)]
    values = np.array([np.interp(places, rows[over], rows[value]) for rows in each])
    return pd.DataFrame(
        {
            over: places,
            "mean": values.mean(axis=0),
            "low": values.min(axis=0),
            "high": values.max(axis=0),
        }
    )


def trade_off_sentence(curves: pd.DataFrame, objectives: Sequence[str], adapter: str) -> str:
    """Say what an adapter's training changed: its own reward, then the others'."""
    rows = curves[curves["adapter"] == adapter]
    if len(rows) < 2:
        return ""
    first, last = rows.iloc[0], rows.iloc[-1]
    ordered = [adapter, *(name for name in objectives if name != adapter)]
    changes = [f"{name} {last[name] - first[name]:+.3f}" for name in ordered]
    return "From first to last validation: " + ", ".join(changes) + "."


def sample_prompts(samples: pd.DataFrame) -> list[int]:
    """Return the prompts that texts were kept for."""
    return sorted(int(index) for index in samples["prompt_index"].unique())


def samples_of_prompt(
    samples: pd.DataFrame, objectives: Sequence[str], adapter: str, prompt_index: int
) -> pd.DataFrame:
    """Return how an adapter's response to one prompt changed.

    Returns:
        ``after step``, ``response``, ``mean reward`` and one column per objective, in order of
        the steps; of several samples at a step, the first.
    """
    of_adapter = samples["adapter"] == adapter
    rows = samples[of_adapter & (samples["prompt_index"] == prompt_index)]
    rows = rows.sort_values("step", kind="stable").drop_duplicates("step").reset_index(drop=True)
    scores = spread(rows["scores"], list(objectives))
    told = pd.DataFrame(
        {
            "after step": rows["step"],
            "response": rows["text"],
            "mean reward": scores.mean(axis=1),
        }
    )
    return pd.concat([told, scores], axis=1)


def changes(texts: Sequence[str]) -> list[Pieces]:
    """Cut each text into pieces, marking what the text before it does not have, or had there."""
    befores = [*texts[:1], *texts[:-1]]
    return [differing_words(text, before) for text, before in zip(texts, befores, strict=True)]


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
