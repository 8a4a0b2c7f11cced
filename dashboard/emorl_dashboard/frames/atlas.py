"""The atlas of one prompt: its responses, and where each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl.atlas.cells import PromptAtlas
from emorl.atlas.constraints import cell_normals
from emorl.atlas.polytope import clip, whole_simplex
from emorl.atlas.rows import ScoredAtlas
from emorl.records import Weights
from emorl_dashboard.frames.numbers import score_text, weights_text
from emorl_dashboard.frames.words import count_words

Floats = NDArray[np.float64]

MEAN_REWARD = "mean_reward"
RESPONSE = "response"
"""Colour by response, not by a score."""

_MOST_DIGITS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A cell's part of what is drawn: corners as shares of the drawn objectives."""

    cell: int
    corners: Floats
    """``(n_corners, n_axes)``, each summing to one; in order around for three axes."""


def cell_table(scored: ScoredAtlas, objectives: Sequence[str]) -> pd.DataFrame:
    """Return the responses to a prompt, the one with the largest area first.

    Returns:
        ``cell``, ``text``, ``area`` (fraction of all weights), ``is_open``, ``n_words``,
        ``mean_reward`` and one column per objective (NaN where open), and ``weights_text``:
        weights inside the cell.
    """
    cells = scored.atlas.cells
    scores = pd.DataFrame(scored.scores, columns=list(objectives))
    frame = pd.DataFrame(
        {
            "cell": range(len(cells)),
            "text": [cell.text for cell in cells],
            "area": [cell.area for cell in cells],
            "is_open": [cell.is_open for cell in cells],
            "n_words": [count_words(cell.text) for cell in cells],
            MEAN_REWARD: scores.mean(axis=1, skipna=False),
        }
    )
    frame = pd.concat([frame, scores], axis=1)
    frame["weights_text"] = [weights_in_cell(scored.atlas, cell) for cell in range(len(cells))]
    return frame.sort_values("area", ascending=False, kind="stable", ignore_index=True)


def cell_rows(table: pd.DataFrame, scored: ScoredAtlas) -> pd.DataFrame:
    """Return all that is known of the cells for a file, corners included."""
    corners = [scored.atlas.cells[cell].vertices.ravel().tolist() for cell in table["cell"]]
    key = pd.DataFrame({"split": scored.split, "prompt_index": scored.prompt_index}, table.index)
    return pd.concat([key, table, pd.Series(corners, table.index, name="vertices")], axis=1)


def weights_in_cell(atlas: PromptAtlas, cell: int) -> str:
    """Write weights in the middle of a cell, with as many digits as it takes to stay inside."""
    return written_inside(atlas, atlas.cells[cell].centroid, cell)


def shapes(atlas: PromptAtlas, axes: Sequence[int], shares: Weights | None = None) -> list[Shape]:
    """Cut the drawn part of weight space into cells, exactly.

    With as many axes as members that is the whole simplex, cut as the atlas keeps it. With fewer
    it is the slice in which the other members keep their shares of the selected weights.

    Args:
        atlas: Of the prompt.
        axes: Positions of the drawn objectives.
        shares: The selected weights, sum one; needed for a slice.
    """
    if len(axes) == atlas.n_members:
        return [Shape(number, cell.vertices) for number, cell in enumerate(atlas.cells)]
    held = np.array(shares, dtype=np.float64)
    held[list(axes)] = 0.0
    found = []
    for number, normals in enumerate(cell_normals(atlas)):
        # w = held + (1 - sum(held)) u, and u sums to one: a constant is the same in each part.
        inside = normals[:, list(axes)] * (1.0 - held.sum()) + (normals @ held)[:, None]
        if (inside < 0).all(axis=1).any():
            continue  # beyond a border at every corner, as most cells are
        corners = whole_simplex(len(axes))
        for normal in inside[(inside < 0).any(axis=1)]:
            corners = clip(corners, normal)
            if not len(corners):
                break
        if len(corners) >= len(axes):
            found.append(Shape(number, corners))
    return found


def slice_weights(part: Sequence[float], axes: Sequence[int], shares: Weights) -> Weights:
    """Return the weights of a place in a slice: the shares of the other members are kept.

    Args:
        part: Shares among the drawn objectives, sum one.
        axes: Positions of the drawn objectives.
        shares: The selected weights, sum one.
    """
    room = sum(shares[axis] for axis in axes)
    found = list(shares)
    for axis, share in zip(axes, part, strict=True):
        found[axis] = room * share
    return tuple(found)


def part_of(shares: Weights, axes: Sequence[int]) -> Weights | None:
    """Return the shares among the drawn objectives; None if all of these are zero."""
    room = sum(shares[axis] for axis in axes)
    return tuple(shares[axis] / room for axis in axes) if room > 0 else None


def written_inside(atlas: PromptAtlas, weights: Floats, cell: int) -> str:
    """Write weights of a cell, with as many digits as it takes to stay inside."""
    short = weights_text(weights.tolist())
    rounded = np.array([float(part) for part in short.split(",")])
    if rounded.any() and int(atlas.lookup(rounded[None])[0]) == cell:
        return short
    return ",".join(f"{weight:.{_MOST_DIGITS}g}" for weight in weights.tolist())


def coverage_text(atlas: PromptAtlas) -> str:
    """Say how many responses there are, and what the atlas does not know."""
    n_open = sum(cell.is_open for cell in atlas.cells)
    n_done = len(atlas.cells) - n_open
    responses = "One response" if n_done == 1 else f"{n_done} responses"
    if not n_open and atlas.covered > 1 - 1e-6:
        return f"{responses} to this prompt, over all weights: nothing is left out."
    told = "No response to this prompt is finished."
    if n_done:
        told = (
            f"{responses} to this prompt; finished ones cover {100 * atlas.covered:.2f} % of all"
        )
        told += " weights."
    if n_open:
        more = f"{n_open} more" if n_done else str(n_open)
        told += (
            f" {more} {'is' if n_open == 1 else 'are'} open: the budget ended before the text "
            "did, so only its beginning is known and it has no score."
        )
    if atlas.dropped > 1e-6:
        told += f" {100 * atlas.dropped:.4f} % lie in slivers too thin for the numbers' precision."
    return told


def score_lines(row: pd.Series, objectives: Sequence[str]) -> str:
    """Write the scores of one row of ``cell_table``, in one line."""
    if row["is_open"]:
        return "not scored: the budget ended before the text did"
    parts = [f"mean reward {score_text(row[MEAN_REWARD])}"]
    parts += [f"{name} {score_text(row[name])}" for name in objectives]
    return " · ".join(parts)


def row_of(table: pd.DataFrame, cell: int) -> pd.Series:
    """Return the row of one cell."""
    return table[table["cell"] == cell].iloc[0]


def value_range(table: pd.DataFrame, value: str, *, stretched: bool) -> tuple[float, float]:
    """Return the ends of the colour scale: 0 and 1, or those of the responses."""
    values = table[value].dropna()
    if not stretched or values.empty or values.min() == values.max():
        return 0.0, 1.0
    return float(values.min()), float(values.max())


def extents(table: pd.DataFrame, atlas: PromptAtlas, objectives: Sequence[str]) -> pd.DataFrame:
    """Return how far each response reaches along each weight.

    Returns:
        ``cell``, ``objective``, ``low``, ``middle`` and ``high``: shares of the sum of weights.
    """
    rows = []
    for cell in table["cell"]:
        corners = atlas.cells[cell].vertices
        ends = zip(corners.min(axis=0), corners.mean(axis=0), corners.max(axis=0), strict=True)
        rows += [
            (cell, name, *map(float, three)) for name, three in zip(objectives, ends, strict=True)
        ]
    return pd.DataFrame(rows, columns=["cell", "objective", "low", "middle", "high"])


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The best weights over all prompts of a split, proven or as far as is known."""

    weights: Weights
    corners: Floats
    """Of the region in which all weights are as good, ``(n_corners, n_members)``."""
    mean_reward: float

    @property
    def is_proven(self) -> bool:
        """Whether there is a region: where cells are open, only the weights are known."""
        return len(self.corners) > 1


def best_proven(certificates: pd.DataFrame, n_members: int) -> Best | None:
    """Return what is proven best over the aggregation prompts; None without a proof.

    Args:
        certificates: The table ``certificates``.
        n_members: Number of weights.
    """
    rows = certificates[certificates["split"] == "aggregation"]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Best(
        weights=tuple(float(weight) for weight in row["weights"]),
        corners=np.asarray(row["corners"], dtype=np.float64).reshape(-1, n_members),
        mean_reward=float(row[MEAN_REWARD]),
    )


def best_found(evaluations: pd.DataFrame, n_members: int) -> Weights:
    """Return the best evaluated weights; equal weights without evaluations.

    Args:
        evaluations: The table ``evaluations``.
        n_members: Number of weights.
    """
    scored = evaluations[evaluations[MEAN_REWARD].notna()]
    if scored.empty:
        return (1.0,) * n_members
    best = scored.iloc[int(scored[MEAN_REWARD].to_numpy().argmax())]
    return tuple(float(weight) for weight in best["weights"])


def shown_text(row: pd.Series) -> str:
    """Return the text of a row of ``cell_table`` as pages show it."""
    text = str(row["text"])
    if row["is_open"]:
        return f"{text} …"
    return text or "(no words)"
