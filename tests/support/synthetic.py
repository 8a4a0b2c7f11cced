"""Runs with known numbers, written through the engine's own store: no model, no waiting.

Scores and texts come from ``tests.support.formula``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from emorl.atlas.cells import Branch, Cell, PromptAtlas
from emorl.atlas.polytope import area, split, whole_simplex
from emorl.atlas.rows import ScoredAtlas
from emorl.config import DataConfig, RunConfig, TrainingConfig
from emorl.config.files import config_text
from emorl.config.kinds import REWARDS
from emorl.records import (
    AdapterSummary,
    Prompt,
    Split,
    SystemScore,
    TrainingSample,
    TrainingStep,
    Validation,
    Weights,
)
from emorl.runs.folder import RunFolder, Status, run_folder
from emorl.runs.store import RunStore
from emorl.search import hierarchical
from emorl.search.certified import SearchBudget
from tests.support.formula import (
    HOSTILE,
    RunSpec,
    response_text,
    responses_of,
    scores_of,
    search,
    special_text,
    summary,
)

__all__ = ["HOSTILE", "SPECS", "RunSpec", "config_of", "write_artifacts", "write_run"]

_SITUATIONS = (
    "I keep putting off the call to my sister",
    "Since the move I hardly sleep",
    "I want to drink less but the evenings are long",
    "My manager never says what he wants",
)


SPECS: dict[str, RunSpec] = {
    spec.name: spec
    for spec in (
        RunSpec(
            name="finished",
            hostile=True,
            warnings=("Adapter fluency lost variety: 5 of 12 greedy responses are distinct.",),
        ),
        RunSpec(name="running", phase="searching", rounds=2, stale_seconds=-7200),
        RunSpec(name="training", phase="training", trained=1, rounds=0, stale_seconds=-7200),
        RunSpec(name="died", phase="searching", rounds=1, stale_seconds=600),
        RunSpec(
            name="failed", phase="failed", trained=0, rounds=0, message="No room on the disk."
        ),
        RunSpec(name="two-objectives", objectives=("warmth", "clarity")),
        RunSpec(
            name="large",
            objectives=("warmth", "clarity", "brevity", "candour"),
            rounds=3,
            n_prompts=32,
        ),
    )
}


def write_run(artifacts: Path, spec: RunSpec) -> RunFolder:
    """Write a run's files as the engine does; return its folder."""
    folder = run_folder(artifacts, spec.name)
    folder.root.mkdir(parents=True)
    folder.config.write_text(config_text(config_of(spec)), encoding="utf-8")
    store = RunStore(folder.database, spec.objectives)
    store.add_prompts(_prompts(spec))
    finished = len(spec.objectives) if spec.trained is None else spec.trained
    for position, objective in enumerate(spec.objectives[: finished + 1]):
        _train(store, spec, position, finished=position < finished)
        if position < finished:
            (folder.adapters / objective).mkdir(parents=True)
            folder.adapter_weights(objective).touch()
    for evaluations, round_ in search(spec):
        store.add_evaluations(evaluations)
        if round_ is not None:
            store.add_round(round_)
    if spec.phase == "finished":
        _score_systems(store, spec)
        _map_responses(store, spec)
    store.publish(folder.published)
    folder.write_status(_status(spec, store.counts()))
    store.close()
    return folder


def write_artifacts(artifacts: Path, names: Iterable[str] = SPECS) -> Path:
    """Write several runs; return ``artifacts``."""
    for name in names:
        write_run(artifacts, SPECS[name])
    return artifacts


def config_of(spec: RunSpec) -> RunConfig:
    """Return the settings of a synthetic run."""
    reward = REWARDS.config("callable", target="tests.support.formula:scores_of")
    return RunConfig(
        name=spec.name,
        objectives=spec.objectives,
        data=DataConfig(n_prompts=120),
        training=TrainingConfig(max_steps=spec.n_steps),
        search=hierarchical.Config(n_rounds=5),
        rewards=dict.fromkeys(spec.objectives, reward),
    )


def _prompts(spec: RunSpec) -> list[Prompt]:
    splits: tuple[Split, ...] = ("train", "aggregation", "inference")
    return [
        Prompt(
            split=split,
            index=index,
            prompt=(
                special_text(spec, index)
                or f"{_SITUATIONS[index % len(_SITUATIONS)]} ({split} {index})."
            ),
        )
        for split in splits
        for index in range(spec.n_prompts)
    ]


def _one_hot(position: int, length: int) -> Weights:
    return tuple(float(index == position) for index in range(length))


def _train(store: RunStore, spec: RunSpec, position: int, *, finished: bool) -> None:
    objective, n_steps = spec.objectives[position], spec.n_steps // (1 if finished else 2)
    target = scores_of(_one_hot(position, len(spec.objectives)))
    for step in range(1, n_steps + 1):
        progress = 1 - math.exp(-step / 9)
        store.add_training_step(
            TrainingStep(
                adapter=objective,
                step=step,
                data_points=16 * step,
                samples=48 * step,
                tokens=960 * step,
                seconds=0.5 * step,
                loss=-progress,
                reward=0.15 + (target[position] - 0.15) * progress + 0.04 * math.sin(step),
                kl=3 * progress,
                gradient_norm=1.5,
            )
        )
    for step in range(0, n_steps + 1, 8):
        _validate(store, spec, position, step, converged=finished and step == n_steps)
    if finished:
        store.add_adapter(
            AdapterSummary(
                adapter=objective,
                steps=n_steps,
                data_points=16 * n_steps,
                samples=48 * n_steps,
                tokens=960 * n_steps,
                seconds=0.5 * n_steps + position,
                converged=position == 0,
                n_distinct=5 if objective == "fluency" else spec.n_prompts,
                n_responses=spec.n_prompts,
            )
        )


def _validate(
    store: RunStore, spec: RunSpec, position: int, step: int, *, converged: bool
) -> None:
    weights = _one_hot(position, len(spec.objectives))
    progress = 1 - math.exp(-step / 9)
    means = tuple(0.15 + (score - 0.15) * progress for score in scores_of(weights))
    samples = [
        TrainingSample(
            adapter=spec.objectives[position],
            step=step,
            prompt_index=index,
            text=response_text(weights, index, special=special_text(spec, index)),
            scores=means,
        )
        for index in range(4)
    ]
    store.add_validation(
        Validation(
            adapter=spec.objectives[position],
            step=step,
            data_points=16 * step,
            samples=48 * step,
            seconds=0.5 * step,
            means=means,
            standard_errors=(0.02,) * len(means),
            n_distinct=spec.n_prompts * 3 - 4,
            n_responses=spec.n_prompts * 3,
            converged=converged and position == 0,
        ),
        samples,
    )


def _score_systems(store: RunStore, spec: RunSpec) -> None:
    n_objectives = len(spec.objectives)
    best = max(
        (evaluation for evaluations, _ in search(spec) for evaluation in evaluations),
        key=lambda e: e.measurement.mean_reward if e.measurement else -1.0,
    )
    systems: list[tuple[str, Weights | None]] = [("base", None)]
    for position, objective in enumerate(spec.objectives):
        systems.append((f"adapter:{objective}", _one_hot(position, n_objectives)))
    systems.append(("best", best.weights))
    for system, weights in systems:
        responses = responses_of(weights or (0.0,) * n_objectives, spec)
        means, errors = summary([response.scores for response in responses])
        for decoding in ("greedy", "sampled"):
            if decoding == "greedy" or system != "best":
                store.add_system(
                    SystemScore(
                        system=system,
                        decoding=decoding,
                        weights=weights,
                        means=means,
                        standard_errors=errors,
                        responses=responses,
                    )
                )


def _map_responses(store: RunStore, spec: RunSpec) -> None:
    """Two responses to each prompt: one where the first weight is the larger, one elsewhere."""
    # Torch comes along with it; processes that tests start are there sooner without.
    from emorl.search.certificates import certificate_rows

    n = len(spec.objectives)
    vectors = np.zeros((2, n))
    vectors[0, 0] = vectors[1, 1] = 1.0
    parts = [part for _, part in split(whole_simplex(n), vectors)]
    cells = tuple(
        Cell((3, token, 1), f"Response {token}.", part, area(part))
        for token, part in zip((5, 6), parts, strict=True)
    )
    atlas = PromptAtlas(
        branches=(Branch((3,), (5, 6), vectors, (-1, -2)),),
        cells=cells,
        n_members=n,
        covered=1.0,
        dropped=0.0,
        node_forwards=6,
    )
    scores = np.stack([np.linspace(0.4, 0.6, n), np.linspace(0.6, 0.4, n)])
    scored = [
        ScoredAtlas("aggregation", index, atlas, scores, 0.1) for index in range(spec.n_prompts)
    ]
    for one in scored:
        store.replace_atlas(one)
    proof = certificate_rows(scored, store.best_weights(), SearchBudget(seconds=5.0))
    store.replace_certificate("aggregation", *proof)


def _status(spec: RunSpec, counts: dict[str, int]) -> Status:
    now = time.time()
    n_objectives = len(spec.objectives)
    details = {"training": "adapter empathy", "searching": f"round {spec.rounds + 1}"}
    return Status(
        run_id=spec.name,
        phase=spec.phase,
        detail=details.get(spec.phase, ""),
        counts=counts,
        expected={
            "training_steps": spec.n_steps * n_objectives,
            "evaluations": 5 * 3**n_objectives,
            "rounds": 5,
        },
        pid=1,
        started_at=now - max(0.0, spec.stale_seconds) - 95,
        updated_at=now - spec.stale_seconds,
        message=spec.message,
        warnings=spec.warnings,
    )
