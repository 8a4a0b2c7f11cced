"""What one weight does to every objective, with 95 % intervals over prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from emorl.atlas.field import RewardField, simplex_grid
from emorl.records import Weights
from emorl_dashboard.frames.numbers import weights_text

Floats = NDArray[np.float64]
Passes = Callable[[Floats], NDArray[np.bool_]]
"""Means of the objectives ``(n_rows, n_objectives)`` -> which rows to keep."""

N_SHARES = 33
"""Shares of a weight that are looked up, from 0 to 1."""
N_BINS = 8
"""Bins of shares where only evaluated directions are known."""
_MOST_OTHERS = 90

COLUMNS = ("weight", "share", "objective", "mean", "low", "high", "n_prompts", "weights_text")
"""Of every frame of effects: the mean of ``objective`` at a ``share`` of ``weight``, its interval,
and the weights it stands for ("" for an average)."""


def averaged_effects(
    field: RewardField, objectives: Sequence[str], passes: Passes | None = None
) -> pd.DataFrame:
    """Average every objective over all ways to divide what one weight leaves.

    Args:
        field: Rewards over all weights.
        objectives: Names of weights and scores.
        passes: Which weights to average; None: all.

    Returns:
        ``COLUMNS``; the interval is over prompts, each averaged over the other weights first.
    """
    n = len(objectives)
    shares = np.linspace(0.0, 1.0, N_SHARES)
    others = _evenly(n - 1)
    frames = []
    for place in range(n):
        rest = np.insert(others, place, 0.0, axis=1)
        one = np.eye(n)[place]
        queries = shares[:, None, None] * one + (1 - shares)[:, None, None] * rest[None]
        scores = _by_prompt(field, queries.reshape(-1, n), passes)
        scores = _known_mean(scores.reshape(len(shares), len(rest), *scores.shape[1:]))
        frames.append(_rows(objectives[place], shares, scores, objectives))
    return pd.concat(frames, ignore_index=True)


def effects_along(
    field: RewardField, at: Weights, objectives: Sequence[str], passes: Passes | None = None
) -> pd.DataFrame:
    """Change one weight at a time, and let the others keep their proportions.

    Args:
        field: Rewards over all weights.
        at: The direction that every line goes through; not all zero.
        objectives: Names of weights and scores.
        passes: Which weights to show; None: all.

    Returns:
        ``COLUMNS``.
    """
    shares = np.linspace(0.0, 1.0, N_SHARES)
    frames = []
    for place, name in enumerate(objectives):
        queries = line_through(at, place, shares)
        texts = [weights_text(row) for row in queries.tolist()]
        scores = _by_prompt(field, queries, passes)
        frames.append(_rows(name, shares, scores, objectives, texts))
    return pd.concat(frames, ignore_index=True)


def line_through(at: Weights, place: int, shares: Floats) -> Floats:
    """Return weights with given shares of one objective and the others in proportion to ``at``.

    Args:
        at: Weights, not all zero; without any other weight the others are equal.
        place: Of the objective.
        shares: ``(n_shares,)``, 0 to 1.

    Returns:
        ``(n_shares, n_objectives)``, each summing to one.
    """
    others = np.array(at, dtype=np.float64)
    others[place] = 0.0
    if not others.any():
        others[:] = 1.0
        others[place] = 0.0
    others /= others.sum()
    line: Floats = (1 - shares)[:, None] * others
    line[:, place] = shares
    return line


def binned_effects(
    directions: pd.DataFrame, responses: pd.DataFrame, objectives: Sequence[str]
) -> pd.DataFrame:
    """Average the evaluated directions over bins of each weight's share.

    A search looks longer where it is good, so bins are not averages over all weights.

    Args:
        directions: From ``weight_space.evaluation_frame``.
        responses: The table ``responses``; its prompts give the intervals.
        objectives: Names of weights and scores.

    Returns:
        ``COLUMNS``; ``share`` is the mean share of a bin.
    """
    distinct = directions[directions["kind"] != "zero"].drop_duplicates("direction_key")
    weights = distinct[[f"w_{name}" for name in objectives]].to_numpy(dtype=float)
    places = pd.Series(np.arange(len(distinct)), index=distinct["direction_key"])
    own = responses[responses["direction_key"].isin(places.index)]
    if own.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    shares = weights / weights.sum(axis=1, keepdims=True)
    of_response = places.loc[own["direction_key"]].to_numpy()
    scores = np.stack(own["scores"].to_list())
    frames = []
    for place, name in enumerate(objectives):
        bins = np.minimum((shares[:, place] * N_BINS).astype(int), N_BINS - 1)
        table = pd.DataFrame(scores)
        table["bin"], table["prompt"] = bins[of_response], own["prompt_index"].to_numpy()
        per_prompt = table.groupby(["bin", "prompt"]).mean()
        found = per_prompt.index.get_level_values("bin").unique()
        means = [float(shares[bins == one, place].mean()) for one in found]
        for share, one in zip(means, found, strict=True):
            block = per_prompt.loc[one].to_numpy()
            frames.append(_rows(name, np.array([share]), block[None], objectives))
    return pd.concat(frames, ignore_index=True)


def cost_table(field: RewardField, at: Weights | None, objectives: Sequence[str]) -> pd.DataFrame:
    """Return what every score changes by when one weight goes from share 0 to share 1.

    The change is taken prompt by prompt, so that its interval is that of the change itself.

    Args:
        field: Rewards over all weights.
        at: The direction that the line goes through; None averages over the other weights.
        objectives: Names of weights and scores.

    Returns:
        ``weight``, and one text per objective: change ± half its 95 % interval.
    """
    n = len(objectives)
    rows = []
    for place, name in enumerate(objectives):
        if at is None:
            start = np.insert(_evenly(n - 1), place, 0.0, axis=1)
        else:
            start = line_through(at, place, np.zeros(1))
        before = _known_mean(_by_prompt(field, start)[None])[0]
        after = _by_prompt(field, np.eye(n)[place][None])[0]
        mean, half, _ = _interval((after - before)[None])
        texts = [
            f"{change:+.3f} ± {width:.3f}" for change, width in zip(mean[0], half[0], strict=True)
        ]
        rows.append({"weight": name} | dict(zip(objectives, texts, strict=True)))
    return pd.DataFrame(rows)


def n_prompts(effects: pd.DataFrame) -> int:
    """Return how many prompts the intervals of effects are over."""
    return int(effects["n_prompts"].max()) if len(effects) else 0


def _evenly(n_parts: int) -> Floats:
    """Return evenly spread weights of ``n_parts`` objectives that sum to one."""
    steps = 1
    while math.comb(steps + n_parts, n_parts - 1) <= _MOST_OTHERS and n_parts > 1:
        steps += 1
    return simplex_grid(n_parts, steps)


def _by_prompt(field: RewardField, weights: Floats, passes: Passes | None = None) -> Floats:
    """Return the scores of every prompt, ``(n_queries, n_prompts, n_objectives)``.

    NaN for an open cell, and for all prompts where the weights do not pass.
    """
    cells = field.cells(weights)
    found = np.stack(
        [scores[cells[:, prompt]] for prompt, scores in enumerate(field.scores)], axis=1
    )
    if passes is not None:
        found[~passes(found.mean(axis=1))] = np.nan
    return found


def _known_mean(scores: Floats) -> Floats:
    """Average over the second axis what is known; NaN where nothing is."""
    known = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, scores, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean


def _rows(
    weight: str,
    shares: Floats,
    scores: Floats,
    objectives: Sequence[str],
    texts: Sequence[str] | None = None,
) -> pd.DataFrame:
    mean, half, n_prompts = _interval(scores)
    n = len(objectives)
    return pd.DataFrame(
        {
            "weight": weight,
            "share": np.repeat(shares, n),
            "objective": list(objectives) * len(shares),
            "mean": mean.ravel(),
            "low": (mean - half).ravel(),
            "high": (mean + half).ravel(),
            "n_prompts": np.repeat(n_prompts, n),
            "weights_text": np.repeat(texts or [""] * len(shares), n),
        },
        columns=list(COLUMNS),
    )


def _interval(scores: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return means over prompts, half widths of their 95 % intervals, and how many prompts.

    Prompts with an open cell have no score and are left out where that is so.

    Args:
        scores: ``(n_rows, n_prompts, n_objectives)``.
    """
    known = ~np.isnan(scores)
    counts = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(known, scores, 0.0).sum(axis=1) / counts
        squares = np.where(known, (scores - means[:, None]) ** 2, 0.0).sum(axis=1)
        errors = np.sqrt(squares / (counts - 1) / counts)
        half = np.where(counts > 1, stdtrit(np.maximum(counts - 1, 1), 0.975) * errors, np.nan)
    return means, half, counts[:, 0].astype(np.int64)
