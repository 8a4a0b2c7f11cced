"""Methods against a reference on the same prompts: means, paired differences, win rates.

Intervals are bootstrap percentiles over prompts. All methods see the same seeded draws, so that
what prompts have in common cancels out of the differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.frames.compare import MEAN_REWARD, Method
from emorl_dashboard.frames.numbers import MISSING, weights_text

Floats = NDArray[np.float64]

N_RESAMPLES = 2_000
LEVEL = 0.95
WINS = "wins"
"""Measure of the prompts on which a method has more mean reward than the reference."""

_MOST_DRAWS = 4_000_000
_FEWEST_RESAMPLES = 400
_TIE = 1e-9


def intervals(values: Floats, *, seed: int = 0) -> tuple[Floats, Floats]:
    """Return the ends of 95 % bootstrap intervals of column means.

    Args:
        values: ``(n_prompts, n_columns)``, finite.
        seed: Of the draws; equal for equal numbers of prompts.

    Returns:
        Lower and upper ends, ``(n_columns,)``; NaN for fewer than two prompts.
    """
    n = len(values)
    if n < 2:
        unknown = np.full(values.shape[1], np.nan)
        return unknown, unknown
    resamples = int(np.clip(_MOST_DRAWS // n, _FEWEST_RESAMPLES, N_RESAMPLES))
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    means = counts @ values / n
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def comparison(
    methods: Sequence[Method], reference: Method, objectives: Sequence[str]
) -> pd.DataFrame:
    """Return every measure of every method, and its difference from the reference.

    Returns:
        ``method`` (its key), ``label``, ``measure`` (``mean_reward``, an objective, or ``wins``),
        ``value``, ``low`` and ``high`` (95 % interval), ``n_prompts``; ``difference``,
        ``difference_low`` and ``difference_high`` over the ``n_shared`` prompts that both have.
        ``wins`` is the share of the shared prompts with more mean reward than the reference,
        ties counted half; it has no difference.
    """
    rows = []
    for method in methods:
        rows += _measures(method, reference, objectives)
    return pd.DataFrame(rows)


def _measures(
    method: Method, reference: Method, objectives: Sequence[str]
) -> list[dict[str, object]]:
    own = _values(method, objectives)
    shared = own.index.intersection(_values(reference, objectives).index)
    paired = (own.loc[shared] - _values(reference, objectives).loc[shared]).to_numpy()
    low, high = intervals(own.to_numpy())
    apart_low, apart_high = intervals(paired)
    head: dict[str, object] = {"method": method.key, "label": method.label}
    counts: dict[str, object] = {"n_prompts": len(own), "n_shared": len(shared)}
    rows: list[dict[str, object]] = [
        head
        | {
            "measure": measure,
            "value": float(own[measure].mean()),
            "low": float(low[place]),
            "high": float(high[place]),
            "difference": float(paired[:, place].mean()) if len(paired) else np.nan,
            "difference_low": float(apart_low[place]),
            "difference_high": float(apart_high[place]),
        }
        | counts
        for place, measure in enumerate(own.columns)
    ]
    gains = paired[:, :1]
    wins = np.where(np.abs(gains) <= _TIE, 0.5, (gains > 0).astype(float))
    win_low, win_high = intervals(wins)
    unknown = dict.fromkeys(("difference", "difference_low", "difference_high"), np.nan)
    value = float(wins.mean()) if len(wins) else np.nan
    ends = {"value": value, "low": float(win_low[0]), "high": float(win_high[0])}
    return [*rows, head | {"measure": WINS} | ends | unknown | counts]


def _values(method: Method, objectives: Sequence[str]) -> pd.DataFrame:
    values = pd.concat([method.rewards.rename(MEAN_REWARD), method.scores], axis=1)
    return values[[MEAN_REWARD, *objectives]]


def interval_text(value: float, low: float, high: float, *, sign: bool = False) -> str:
    """Write a number with its interval: ``0.932 [0.901, 0.955]``."""
    form = "+.3f" if sign else ".3f"
    if not np.isfinite(value):
        return MISSING
    if not np.isfinite(low):
        return f"{value:{form}}"
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def verdict(rows: pd.DataFrame, reference: Method) -> str:
    """Say which methods are ahead of the reference in mean reward, and which cannot be told.

    Args:
        rows: From ``comparison``.
        reference: What they are compared with.
    """
    own = rows[(rows["measure"] == MEAN_REWARD) & (rows["method"] != reference.key)]
    ahead = own[own["difference_low"] > 0]["label"].tolist()
    behind = own[own["difference_high"] < 0]["label"].tolist()
    unsure = own[(own["difference_low"] <= 0) & (own["difference_high"] >= 0)]["label"].tolist()
    parts = [
        f"{words}: {', '.join(labels)}"
        for words, labels in (
            ("ahead of it", ahead),
            ("behind it", behind),
            ("not told apart by these prompts", unsure),
        )
        if labels
    ]
    if not parts:
        return ""
    return f"Against {reference.label}, in mean reward: {'; '.join(parts)}."


def sample_rows(
    methods: Sequence[Method], prompt_index: int, objectives: Sequence[str]
) -> pd.DataFrame:
    """Return what each method answers to one prompt.

    Returns:
        ``method`` (its key), ``label``, ``weights``, ``text``, ``mean_reward`` and one column per
        objective; methods without this prompt are left out.
    """
    rows = []
    for method in methods:
        if prompt_index not in method.scores.index:
            continue
        own = method.scores[method.scores.index == prompt_index]
        [scores] = own.to_numpy().tolist()
        text = method.texts[method.texts.index == prompt_index].iloc[0]
        weights = weights_text(method.weights) if method.weights else ""
        reward = sum(scores) / len(scores)
        rows.append((method.key, method.label, weights, str(text), reward, *scores))
    columns = ["method", "label", "weights", "text", MEAN_REWARD, *objectives]
    return pd.DataFrame(rows, columns=columns)
