"""Runs for ``tests.benchmarks.dashboard``: an atlas of many cells, studies that trade off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emorl.atlas.rows import ScoredAtlas
from emorl.records import Evaluation, Measurement, Response
from emorl.runs.folder import RunFolder
from emorl.runs.store import RunStore
from emorl.search.certificates import certificate_rows
from emorl.search.certified import SearchBudget
from emorl.weights import canonical_direction
from tests.support.atlas_fields import fake_atlases, scored
from tests.support.formula import OBJECTIVES, RunSpec
from tests.support.synthetic import write_run

Floats = NDArray[np.float64]

N_PROMPTS = 32
_POINTS_PER_ROUND = 1_000


def write_atlas_run(artifacts: Path) -> RunFolder:
    """Write a finished search of 135 points with the atlases of 32 prompts."""
    spec = RunSpec(name="atlas", n_prompts=N_PROMPTS)
    folder = write_run(artifacts, spec)
    atlases = fake_atlases(len(OBJECTIVES), N_PROMPTS, disagreement=4)
    field = scored(atlases, len(OBJECTIVES))
    rows = [
        ScoredAtlas("aggregation", place, atlas, scores, 0.1)
        for place, (atlas, scores) in enumerate(zip(atlases, field.scores, strict=True))
    ]
    store = RunStore(folder.database, spec.objectives)
    for row in rows:
        store.replace_atlas(row)
    proof = certificate_rows(rows, store.best_weights(), SearchBudget(seconds=20.0))
    store.replace_certificate("aggregation", *proof)
    store.publish(folder.published)
    store.close()
    return folder


def trade_offs(n_points: int, seed: int = 0) -> Floats:
    """Return scores of three objectives, ``(n_points, 3)``, none of which dominates another."""
    points = np.abs(np.random.default_rng(seed).normal(size=(n_points, 3)))
    front: Floats = points / np.linalg.norm(points, axis=1, keepdims=True)
    return front


def write_study(artifacts: Path, scores: Floats) -> RunFolder:
    """Write a run of as many evaluations as there are scores, at random weights."""
    spec = RunSpec(name=f"study-{len(scores)}", rounds=0, phase="searching", n_prompts=4)
    folder = write_run(artifacts, spec)
    weights = np.random.default_rng(1).dirichlet(np.ones(scores.shape[1]), size=len(scores))
    store = RunStore(folder.database, spec.objectives)
    evaluations = [
        _evaluation(place, own, means)
        for place, (own, means) in enumerate(zip(weights.tolist(), scores.tolist(), strict=True))
    ]
    for start in range(0, len(evaluations), _POINTS_PER_ROUND):
        store.add_evaluations(evaluations[start : start + _POINTS_PER_ROUND])
    store.publish(folder.published)
    store.close()
    return folder


def _evaluation(place: int, weights: list[float], means: list[float]) -> Evaluation:
    own = canonical_direction(tuple(weights))
    responses = tuple(
        Response(prompt_index=prompt, text=f"Response {place}.", n_tokens=9, scores=tuple(means))
        for prompt in range(4)
    )
    return Evaluation(
        round=1 + place // _POINTS_PER_ROUND,
        point=place % _POINTS_PER_ROUND,
        weights=own,
        kind="measured",
        box_lower=(0.0,) * len(own),
        box_upper=(1.0,) * len(own),
        measurement=Measurement(
            direction=own,
            means=tuple(means),
            standard_errors=(0.01,) * len(own),
            responses=responses,
            seconds=0.1,
        ),
    )
