"""Cached: the evaluated points of a run, and its scores over all weights.

What is kept is shared by all sessions: nobody may change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from emorl.atlas.field import RewardField
from emorl.records import Weights
from emorl_dashboard.data import queries, stored_atlases
from emorl_dashboard.data.queries import Frame, Run, Table
from emorl_dashboard.figures import slices, ternary
from emorl_dashboard.frames import field as fields
from emorl_dashboard.frames import marginal, trade_off, weight_space
from emorl_dashboard.frames.atlas_prompts import Cut, Floats, border_lines, border_steps
from emorl_dashboard.frames.field import (
    Field,
    Floats32,
    NearestDirection,
    Sample,
    box_grid,
    face_grid,
    through,
)
from emorl_dashboard.frames.filters import Filters, passing
from emorl_dashboard.frames.proof import Proof, proof_of
from emorl_dashboard.frames.weight_space import Box

SPLIT = "aggregation"
"""The split that searches measure on."""

FACE_STEPS = 64
"""Points along an edge of the cube where the field is one of directions."""
BOX_STEPS = 24
"""Points along an edge where other weights are held, so that it is not."""
SQUARE_STEPS = 64

_ATLAS_TABLES = ("atlases", "atlas_branches", "atlas_cells")


def points(run: Run) -> Table:
    """Return every evaluation, as ``frames.weight_space.evaluation_frame`` lays it out."""
    found = _points(run, str(run.folder.root), queries.stamps(run, "evaluations"))
    if not found.problem:
        return found
    return Table(found.frame, queries.table(run, "evaluations").problem)  # how old, as of now


@st.cache_resource(max_entries=16, show_spinner=False)
def _points(_run: Run, root: str, stamps: tuple[Any, ...]) -> Table:  # noqa: ARG001
    table = queries.table(_run, "evaluations")
    return Table(weight_space.evaluation_frame(table.frame, _run.objectives), table.problem)


def boxes(run: Run, up_to_round: int) -> list[Box]:
    """Return the boxes of the first rounds."""
    stamps = queries.stamps(run, "evaluations", "rounds")
    return _boxes(run, str(run.folder.root), stamps, up_to_round)


@st.cache_resource(max_entries=64, show_spinner=False)
def _boxes(_run: Run, root: str, stamps: tuple[Any, ...], up_to_round: int) -> list[Box]:  # noqa: ARG001
    evaluations = queries.part(_run, "evaluations", ("search", "round", "box_lower", "box_upper"))
    rounds = queries.table(_run, "rounds")
    return weight_space.boxes(evaluations.frame, rounds.frame, up_to_round=up_to_round)


def reward_field(run: Run) -> RewardField | None:
    """Return the exact rewards over all weights; None without an atlas."""
    return stored_atlases.atlases(run, SPLIT).field


def borders(run: Run, split: str, cut: Cut) -> Floats:
    """Return the borders between responses of all prompts: ``frames.atlas_prompts.border_lines``.

    Args:
        run: Of which run.
        split: Of the prompts.
        cut: Two drawn weights give ``border_steps``.
    """
    stamps = queries.stamps(run, *_ATLAS_TABLES)
    return _borders(run, str(run.folder.root), stamps, split, cut)


@st.cache_resource(max_entries=32, show_spinner=False)
def _borders(_run: Run, root: str, stamps: tuple[Any, ...], split: str, cut: Cut) -> Floats:  # noqa: ARG001
    scored = stored_atlases.atlases(_run, split).scored
    cutter = border_steps if len(cut.axes) == 2 else border_lines
    return cutter(scored, cut)


def proof(run: Run) -> Proof | None:
    """Return what is proven about all weights; None without a certificate."""
    return proof_of(queries.table(run, "certificates").frame, split=SPLIT)


def exact_front(run: Run, filters: Filters) -> Frame:
    """Return the exact Pareto front over all weights that passes: ``trade_off.exact_front``."""
    front = trade_off.exact_front(queries.table(run, "front").frame, run.objectives, split=SPLIT)
    return trade_off.passing_rows(front, filters)


@dataclass(frozen=True, slots=True)
class Shown:
    """Which scores of a field to draw."""

    value: str
    filters: Filters


def cube(run: Run, axes: Sequence[str], at: Weights, shown: Shown) -> Floats32 | None:
    """Return a score over two or three weights, as the map draws it; None without an atlas.

    Three weights alone are known by the outer faces of their cube (``frames.field.face_grid``);
    two, or three of more, by a regular grid (``frames.field.box_grid``).

    Args:
        run: Of which run.
        axes: The weights that vary.
        at: The others.
        shown: Score, and what is left out.
    """
    places = tuple(run.objectives.index(name) for name in axes)
    if len(run.objectives) == 3 == len(places):
        shape, n_steps = "faces", FACE_STEPS
    else:
        shape, n_steps = "box", BOX_STEPS if len(places) == 3 else SQUARE_STEPS
    found = _atlas_sample(run, shape, places, _without(at, places), n_steps)
    return None if found is None else found.values(run.objectives, shown.value, shown.filters)


def triangle(
    run: Run, evaluated: Frame, axes: Sequence[str], at: Weights, shown: Shown
) -> tuple[Floats32 | None, bool]:
    """Return a score at every pixel of the triangle of three weights.

    Args:
        run: Of which run.
        evaluated: Rows to take the nearest direction of where there is no atlas.
        axes: The corners.
        at: The direction whose shares the other weights keep.
        shown: Score, and what is left out.

    Returns:
        The scores, None where there is nothing to take them from; and whether they are exact.
    """
    places = tuple(run.objectives.index(name) for name in axes)
    found = _atlas_sample(run, "triangle", places, _without(at, places), 0)
    is_exact = found is not None
    if found is None:
        if not evaluated[weight_space.MEAN_REWARD].notna().any():
            return None, False
        nearest = NearestDirection(evaluated, run.objectives)
        found = _sampled(nearest, "triangle", places, _without(at, places), 0)
    return found.values(run.objectives, shown.value, shown.filters), is_exact


def slice_samples(
    run: Run, evaluated: Frame, at: Weights, shown: Shown
) -> dict[tuple[int, int], tuple[Any, Floats32]]:
    """Return weights and scores of the slice of every pair of weights through a direction."""
    n = len(run.objectives)
    nearest = None
    slices_found = {}
    for pair in [(first, second) for second in range(n) for first in range(second)]:
        found = _atlas_sample(run, "box", pair, _without(at, pair), slices.N_STEPS)
        if found is None:
            nearest = nearest or NearestDirection(evaluated, run.objectives)
            found = _sampled(nearest, "box", pair, _without(at, pair), slices.N_STEPS)
        scores = found.values(run.objectives, shown.value, shown.filters)
        slices_found[pair] = (found.weights, scores)
    return slices_found


def effects(run: Run, at: Weights | None, filters: Filters) -> Frame | None:
    """Return what each weight does, exactly; None without an atlas.

    Args:
        run: Of which run.
        at: The direction that the lines go through; None averages over the other weights.
        filters: Weights whose scores are below its lowest values are left out.
    """
    least = tuple(filters.thresholds.items())
    stamps = queries.stamps(run, *_ATLAS_TABLES)
    return _effects(run, str(run.folder.root), stamps, at, least, filters)


@st.cache_resource(max_entries=64, show_spinner=False)
def _effects(
    _run: Run,
    root: str,  # noqa: ARG001
    stamps: tuple[Any, ...],  # noqa: ARG001
    at: Weights | None,
    least: tuple[tuple[str, float], ...],
    _filters: Filters,
) -> Frame | None:
    field = reward_field(_run)
    if field is None:
        return None
    names = _run.objectives
    passes = (lambda means: passing(means, names, _filters)) if least else None
    if at is None:
        return marginal.averaged_effects(field, names, passes)
    return marginal.effects_along(field, at, names, passes)


def _without(at: Weights, places: Sequence[int]) -> Weights:
    """Forget the weights that vary: samples that differ in them alone are one."""
    if len(places) == len(at):
        return (1.0,) * len(at)
    return at


def _atlas_sample(
    run: Run, shape: str, places: tuple[int, ...], at: Weights, n_steps: int
) -> Sample | None:
    stamps = queries.stamps(run, *_ATLAS_TABLES)
    return _kept_sample(run, str(run.folder.root), stamps, shape, places, at, n_steps)


@st.cache_resource(max_entries=96, show_spinner=False)
def _kept_sample(
    _run: Run,
    root: str,  # noqa: ARG001
    stamps: tuple[Any, ...],  # noqa: ARG001
    shape: str,
    places: tuple[int, ...],
    at: Weights,
    n_steps: int,
) -> Sample | None:
    field = reward_field(_run)
    return None if field is None else _sampled(field, shape, places, at, n_steps)


def _sampled(field: Field, shape: str, places: Sequence[int], at: Weights, n_steps: int) -> Sample:
    if shape == "faces":
        return fields.sample(field, face_grid(n_steps))
    if shape == "box":
        return fields.sample(field, box_grid(places, at, n_steps))
    return fields.sample(field, through(ternary.image_shares(), places, at))
