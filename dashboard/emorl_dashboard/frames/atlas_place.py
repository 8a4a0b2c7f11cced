"""Selected weights in the atlas of a prompt: how far each may move before the response changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl.atlas.cells import PromptAtlas
from emorl.atlas.explain import CellExplanation, explain_weights
from emorl.records import Weights
from emorl.weights import canonical_direction
from emorl_dashboard.frames.atlas import MEAN_REWARD, row_of, weights_in_cell, written_inside

Floats = NDArray[np.float64]

_SMALLEST_STEP = 1e-5
_LARGEST_STEP = 1e-2


@dataclass(frozen=True, slots=True)
class Way:
    """One weight moves, the others stay: where the response changes, and into what."""

    member: int
    direction: str
    """``less`` or ``more``."""
    weight: float
    """On the border, in the scale of the selected weights."""
    share: float
    """The weight on the border as a share of the sum of all."""
    cell: int
    """Behind the border."""
    weights_text: str
    """Weights just behind the border."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Selected weights in an atlas."""

    weights: Weights
    cell: int
    is_open: bool
    """Whether the atlas knows only the beginning of the response here: it may then change
    within ``radius`` and before the borders of ``ways``."""
    radius: float
    """Distance to the nearest other cell, among weights that sum to one; infinite if one cell
    covers all."""
    ways: tuple[Way, ...]

    @property
    def shares(self) -> Weights:
        """Return the weights scaled to sum one."""
        return canonical_direction(self.weights)


def find_place(atlas: PromptAtlas, weights: Weights) -> Place:
    """Find weights in an atlas, and how far each may move before the response changes.

    Raises:
        WeightsError: If the weights do not fit, or are all zero.
    """
    found = explain_weights(atlas, weights)
    ways = tuple(_ways(atlas, weights, found))
    return Place(weights, found.cell, found.is_open, found.radius, ways)


def _ways(atlas: PromptAtlas, weights: Weights, found: CellExplanation) -> list[Way]:
    ways = []
    for border in found.borders:
        others = sum(weights) - weights[border.member]
        total = others + border.weight
        if total <= 0 or not math.isfinite(total):
            continue
        ways.append(
            Way(
                member=border.member,
                direction=border.direction,
                weight=border.weight,
                share=border.weight / total,
                cell=border.cell,
                weights_text=_behind(atlas, weights, border.member, border.weight, border.cell),
            )
        )
    return ways


def _behind(atlas: PromptAtlas, weights: Weights, member: int, at: float, cell: int) -> str:
    """Write weights a little behind a border; inside the cell behind it if that is too thin."""
    sign = 1.0 if at >= weights[member] else -1.0
    step = _SMALLEST_STEP
    while step <= _LARGEST_STEP:
        beyond = np.array(weights, dtype=np.float64)
        beyond[member] = max(0.0, at + sign * step * max(1.0, at))
        if beyond.any() and int(atlas.lookup(beyond[None])[0]) == cell:
            return written_inside(atlas, beyond, cell)
        step *= 10
    return weights_in_cell(atlas, cell)


def way_text(way: Way, objectives: Sequence[str]) -> str:
    """Say what has to happen: ``reflection ↑ 0.312``; of weights beyond the sliders the share."""
    arrow = "↑" if way.direction == "more" else "↓"
    share = f" ({100 * way.share:.1f}\u00a0% of all)" if way.weight > 1 else ""
    return f"{objectives[way.member]} {arrow} {way.weight:.3f}{share}"


def room_text(place: Place) -> str:
    """Say how to read the borders around the selected weights; and if there are none, why."""
    if place.is_open:
        why = "The budget ended before this text did, so it may change"
        if not place.ways:
            return f"{why} wherever a weight moves: where is not known."
        return (
            f"{why} inside the band too; outside of it the text is another one for certain. One "
            "weight moves and the others keep their proportions; hover the ends to read what "
            "comes next."
        )
    if not place.ways:
        return "No weight can change this response by itself."
    return (
        "The band is where the response stays the same while one weight moves and the others keep "
        "their proportions; hover its ends to read what comes next."
    )


def way_rows(place: Place, table: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Return the borders around the selected weights.

    Args:
        place: The selected weights.
        table: From ``frames.atlas.cell_table``.
        objectives: Names of the weights.

    Returns:
        ``objective``, ``direction``, ``weight``, ``share`` (of the sum, on the border), ``cell``,
        ``text`` and ``mean_reward`` behind it, and ``weights_text`` just behind it.
    """
    rows = []
    for way in place.ways:
        behind = row_of(table, way.cell)
        rows.append(
            {
                "objective": objectives[way.member],
                "direction": way.direction,
                "weight": way.weight,
                "share": way.share,
                "cell": way.cell,
                "text": behind["text"],
                MEAN_REWARD: behind[MEAN_REWARD],
                "weights_text": way.weights_text,
            }
        )
    return pd.DataFrame(rows)


def place_text(place: Place, row: pd.Series, objectives: Sequence[str]) -> str:
    """Say where the selected weights are, and how steady their response is.

    Args:
        place: The selected weights.
        row: Of their cell, from ``frames.atlas.cell_table``.
        objectives: Names of the weights.
    """
    shares = zip(objectives, place.shares, strict=True)
    told = "Weights " + ", ".join(f"{name} {100 * share:.1f}\u00a0%" for name, share in shares)
    share = f"{100 * row['area']:.2f}\u00a0%"
    if place.is_open:
        told += (
            f". {share} of all weights begin like this; the budget ended before the text did, and "
            "how it goes on may depend on the weights."
        )
        if math.isfinite(place.radius):
            told += (
                f" The nearest other response is at most {place.radius:.3f} away (distance "
                "between weights that sum to one)."
            )
        return told
    if not math.isfinite(place.radius):
        return f"{told}. One response for all weights: there is no choice here."
    return (
        f"{told}. {share} of all weights give this response; the nearest other one is "
        f"{place.radius:.3f} away (distance between weights that sum to one)."
    )
