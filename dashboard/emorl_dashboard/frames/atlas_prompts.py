"""The atlases of all prompts: where weights matter, and whether two weight vectors differ."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl.atlas.explain import same_response
from emorl.atlas.rows import ScoredAtlas
from emorl.records import Weights
from emorl.weights import canonical_direction, check_weights, direction_key
from emorl_dashboard.frames.atlas import MEAN_REWARD, shapes

Floats = NDArray[np.float64]

_AT_BORDER = 1e-9
_TRIANGLE = 3


@dataclass(frozen=True, slots=True)
class Sameness:
    """Whether two weight vectors are one ensemble, prompt by prompt."""

    is_one_ray: bool
    """They differ by a factor only: one ensemble, whatever the prompt."""
    n_prompts: int
    different: tuple[int, ...]
    """Prompts that get different responses."""
    unknown: tuple[int, ...]
    """Prompts whose atlas does not tell: both lie in one open cell."""


def prompt_names(prompts: pd.DataFrame, split: str) -> dict[int, str]:
    """Return the prompts of a split by their position."""
    rows = prompts[prompts["split"] == split]
    return {
        int(index): str(text)
        for index, text in zip(rows["prompt_index"], rows["prompt"], strict=True)
    }


def prompt_table(
    scored: Sequence[ScoredAtlas], names: Mapping[int, str], objectives: Sequence[str]
) -> pd.DataFrame:
    """Return what weights can change for each prompt, those with the most choice first.

    Returns:
        ``prompt_index``, ``prompt``, ``n_responses``, ``entropy`` of the responses' areas in
        bits, ``largest`` (area of the largest), ``worst`` and ``best`` mean reward over all
        weights, ``spread`` between them, ``spread <objective>``, and ``covered``. Scores of open
        cells are left out.
    """
    rows = []
    for one in scored:
        areas = np.array([cell.area for cell in one.atlas.cells])
        rewards = one.scores.mean(axis=1)
        rewards = rewards[np.isfinite(rewards)]
        low, high = (rewards.min(), rewards.max()) if len(rewards) else (np.nan, np.nan)
        row = {
            "prompt_index": one.prompt_index,
            "prompt": names.get(one.prompt_index, ""),
            "n_responses": len(areas),
            "entropy": entropy_bits(areas),
            "largest": float(areas.max()),
            "worst": float(low),
            "best": float(high),
            "spread": float(high - low),
        }
        row |= {
            f"spread {name}": _span(one.scores[:, position])
            for position, name in enumerate(objectives)
        }
        rows.append(row | {"covered": one.atlas.covered})
    frame = pd.DataFrame(rows)
    order = ["entropy", "n_responses", "spread"]
    return frame.sort_values(order, ascending=False, kind="stable", ignore_index=True)


def shown_prompts(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``prompt_table`` as pages show it: readable heads, prompts counted from 1."""
    shown = table.drop(columns=["largest", "worst", "best", "covered"])
    shown["prompt_index"] += 1
    heads = {
        "prompt_index": "no.",
        "n_responses": "responses",
        "entropy": "entropy, bits",
        "spread": "best to worst mean reward",
    }
    spreads = [name for name in map(str, shown) if name.startswith("spread ")]
    heads |= {name: f"{name.removeprefix('spread ')} spread" for name in spreads}
    return shown.rename(columns=heads)


def entropy_bits(areas: Floats) -> float:
    """Return the entropy of areas in bits: 0 for one response, 1 for two of equal area."""
    shares = areas[areas > 0] / areas.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _span(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.max() - known.min()) if len(known) else float("nan")


def choice_text(table: pd.DataFrame) -> str:
    """Say where weights matter most, and for how many prompts they do not."""
    n, alone = len(table), table["n_responses"] == 1
    # A single open cell is the common beginning of what may be many responses.
    is_open = alone & table["worst"].isna()
    fixed = int((alone & ~is_open).sum())
    without = (
        "Every prompt has" if not alone.any() else f"{n - int(alone.sum())} of {n} prompts have"
    )
    told = f"{without} more than one response"
    if is_open.any():
        told += f"; of {int(is_open.sum())} the budget ended before any choice was found"
    if fixed:
        told += f"; {fixed} have no choice at all: one response whatever the weights"
    spread = table["spread"].dropna()
    if len(spread):
        told += (
            f". Between the best and the worst weights for a prompt its mean reward differs by "
            f"{spread.median():.3f} (median), at most {spread.max():.3f}"
        )
    return f"{told}."


@dataclass(frozen=True, slots=True)
class Cut:
    """What of weight space is drawn: two or three weights, the others held where they are."""

    axes: tuple[int, ...]
    """Positions of the drawn objectives."""
    shares: Weights
    """The selected weights, sum one; the others keep their shares of these."""


def border_lines(scored: Sequence[ScoredAtlas], cut: Cut) -> Floats:
    """Return the borders between responses of all prompts, exactly, over three objectives.

    Returns:
        Ends of lines as shares of the drawn weights, ``(n_rows, 3)``; a row of NaN between two
        lines. Each border inside of the triangle is there twice, once for each side.
    """
    strokes: list[Floats] = []
    gap = np.full((1, _TRIANGLE), np.nan)
    for one in scored:
        for shape in shapes(one.atlas, cut.axes, cut.shares):
            corners = shape.corners
            for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                is_side = ((start < _AT_BORDER) & (end < _AT_BORDER)).any()
                if not is_side:
                    strokes += [start[None], end[None], gap]
    return np.concatenate(strokes) if strokes else np.empty((0, _TRIANGLE))


def border_steps(scored: Sequence[ScoredAtlas], cut: Cut) -> Floats:
    """Return where responses change, for two objectives: shares of the second, ascending."""
    ends = [
        float(shape.corners[:, 1].max())
        for one in scored
        for shape in shapes(one.atlas, cut.axes, cut.shares)
        if shape.corners[:, 1].max() < 1 - _AT_BORDER
    ]
    return np.sort(np.array(ends))


def border_frame(borders: Floats) -> pd.DataFrame:
    """Return ``border_lines`` or ``border_steps`` for a file: one row per line, or per place."""
    if borders.ndim == 1:
        return pd.DataFrame({"share of the second objective": borders})
    lines = borders.reshape(-1, _TRIANGLE, _TRIANGLE)
    return pd.DataFrame({"start": list(lines[:, 0]), "end": list(lines[:, 1])})


def read_weights(text: str, n_objectives: int) -> Weights:
    """Read weights that a person typed: ``2, 1`` or ``[2 1]``.

    Raises:
        WeightsError: If they are no weights of this run, or all zero.
    """
    parts: list[Any] = [part for part in re.split(r"[\s,;]+", text.strip().strip("[]()")) if part]
    weights = check_weights(parts, n_objectives)
    canonical_direction(weights)  # refuses the zero vector
    return weights


def compare_weights(scored: Sequence[ScoredAtlas], one: Weights, other: Weights) -> Sameness:
    """Tell for which prompts two weight vectors give different responses.

    Exact where it tells: open cells leave some prompts unknown.

    Args:
        scored: Atlases of the prompts.
        one: Weights, not all zero.
        other: Weights, not all zero.
    """
    is_one_ray = direction_key(one) == direction_key(other)
    told = {
        atlas.prompt_index: True if is_one_ray else same_response(atlas.atlas, one, other)
        for atlas in scored
    }
    return Sameness(
        is_one_ray,
        n_prompts=len(told),
        different=tuple(index for index, same in told.items() if same is False),
        unknown=tuple(index for index, same in told.items() if same is None),
    )


def sameness_text(found: Sameness, prompt_index: int) -> tuple[str, str]:
    """Answer for one prompt and for all, each with its reason."""
    if found.is_one_ray:
        reason = (
            "One ray: the two differ by a factor only, and greedy text depends on the "
            "proportions alone."
        )
        return (
            f"Yes, the same response. {reason}",
            "Yes, the very same ensemble: every prompt gets the same response, also those "
            "without an atlas.",
        )
    if prompt_index in found.different:
        here = "No, another response: the two lie in different cells of this prompt's atlas."
    elif prompt_index in found.unknown:
        here = (
            "Not known: the two lie in one open cell of this prompt's atlas, whose budget ended "
            "before the text did. The texts begin alike and may differ later."
        )
    else:
        here = "Yes, the same response: the two lie in one cell of this prompt's atlas."
    return here, _sameness_everywhere(found)


def _sameness_everywhere(found: Sameness) -> str:
    n, n_unknown = len(found.different), len(found.unknown)
    left = f" {n_unknown} more may: their atlases are open there." if n_unknown else ""
    if n:
        return (
            f"Not the same ensemble: {n} of {found.n_prompts} mapped prompts get different "
            f"responses.{left}"
        )
    if n_unknown:
        return (
            f"Not known: the same response to {found.n_prompts - n_unknown} of {found.n_prompts} "
            f"mapped prompts, and the atlases of the other {n_unknown} are open there: their "
            "budget ended before the texts did."
        )
    return (
        f"The same response to all {found.n_prompts} mapped prompts: one cell in each. Other "
        "prompts may tell them apart."
    )


def difference_table(
    scored: Sequence[ScoredAtlas],
    names: Mapping[int, str],
    different: Sequence[int],
    one: Weights,
    other: Weights,
) -> pd.DataFrame:
    """Return both responses to the prompts that tell two weight vectors apart.

    Returns:
        ``prompt_index``, ``prompt``, ``first``, ``second``, ``mean_reward first``,
        ``mean_reward second``.
    """
    rows = []
    for atlas in scored:
        if atlas.prompt_index not in different:
            continue
        cells = [int(atlas.atlas.lookup([weights])[0]) for weights in (one, other)]
        own = [atlas.atlas.cells[cell] for cell in cells]
        texts = [f"{cell.text} …" if cell.is_open else cell.text for cell in own]
        rewards = [float(atlas.scores[cell].mean()) for cell in cells]
        rows.append((atlas.prompt_index, names.get(atlas.prompt_index, ""), *texts, *rewards))
    columns = ["prompt_index", "prompt", "first", "second"]
    return pd.DataFrame(rows, columns=[*columns, f"{MEAN_REWARD} first", f"{MEAN_REWARD} second"])
