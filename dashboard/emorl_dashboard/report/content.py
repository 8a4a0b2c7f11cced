"""What a run's report says: the same frames and figures as the pages."""

from __future__ import annotations

import itertools
import platform
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import plotly
from numpy.typing import NDArray

from emorl.runs.schema import SCHEMA_VERSION
from emorl.version import __version__
from emorl_dashboard.data import queries, stored_atlases
from emorl_dashboard.data import run_cards as cards
from emorl_dashboard.data.queries import Run
from emorl_dashboard.figures.systems import system_scores
from emorl_dashboard.figures.ternary import TernaryContent, image_shares, ternary_map
from emorl_dashboard.figures.trade_off import TradeOffContent, trade_off
from emorl_dashboard.figures.training import Curves, adapter_curves, reward_paths, step_curves
from emorl_dashboard.figures.weight_space import MapContent, weight_map
from emorl_dashboard.frames import field as fields
from emorl_dashboard.frames import runs, texts, training, weight_space
from emorl_dashboard.frames import trade_off as trades
from emorl_dashboard.frames.counts import count_note, not_a_number_note
from emorl_dashboard.frames.numbers import counted, duration_text, score_text, weights_text
from emorl_dashboard.frames.proof import Proof, proof_note, proof_of
from emorl_dashboard.report.page import Drawing, Section

_SPLIT = "aggregation"
_BEST_POINTS = 20
_SAMPLE_PROMPTS = 6
_MOST_PAIRS = 6


def sections(run: Run) -> list[Section]:
    """Return the report of a run whose settings can be read; parts without rows say so."""
    points = weight_space.evaluation_frame(queries.table(run, "evaluations").frame, run.objectives)
    proof = proof_of(queries.table(run, "certificates").frame, split=_SPLIT)
    return [
        _summary(run, points),
        _systems(run),
        _training(run),
        _trade_offs_of_training(run),
        _weights(run, points, proof),
        _trade_offs(run, points),
        _best_region(run, proof),
        _responses(run),
        _cost(run),
        _settings(run),
        _versions(run),
    ]


def _summary(run: Run, points: pd.DataFrame) -> Section:
    card, status = cards.card(run), run.status
    evaluations = queries.table(run, "evaluations")
    found = _nothing(run)
    if card.best is not None:
        scores = ", ".join(
            f"{name} {score_text(score, error)}"
            for name, score, error in zip(
                run.objectives, card.best.scores, card.best.standard_errors, strict=True
            )
        )
        found = (
            f"Best of {counted(card.n_points, 'point')}: {card.best.text} (in the order "
            f"{', '.join(run.objectives)}), mean reward "
            f"{score_text(card.best_reward, card.mean_reward_se)} on the aggregation prompts; "
            f"{scores}. ± is one standard error over prompts."
        )
    worked = "" if status is None else f", worked on for {duration_text(status.worked_seconds())}"
    policy = run.config.policy.model if run.config else ""
    low, high = runs.span(evaluations.frame) or (np.nan, np.nan)
    return Section(
        "Summary",
        [
            f"The run {run.run_id} is {run.state}{worked}. Policy: {policy}. "
            f"{runs.prompt_counts(queries.table(run, 'prompts').frame).capitalize()}.",
            found,
            f"Mean reward over all points: {low:.3f} to {high:.3f}. {count_note(points)}"
            if len(points) and np.isfinite(low)
            else "",
            runs.proof_text(
                queries.table(run, "certificates").frame, queries.table(run, "atlases").frame
            ),
            not_a_number_note(points),
            *(status.warnings if status else ()),
            evaluations.problem,
        ],
        legend=run.objectives,
    )


def _nothing(run: Run) -> str:
    """Say why there are no points: the search has not begun, or its table cannot be read."""
    unread = queries.table(run, "evaluations").problem
    return "The table of points cannot be read." if unread else "No weights have scores yet."


def _systems(run: Run) -> Section:
    systems, responses = queries.table(run, "systems"), queries.table(run, "system_responses")
    title = "Base, single objectives and best ensemble"
    if systems.frame.empty:
        return Section(title, ["Scored on the held-out prompts when the search is done."])
    frame = runs.system_frame(systems.frame, responses.frame, run.objectives, decoding="greedy")
    return Section(
        title,
        [
            f"Greedy responses to {frame['n_prompts'].max()} prompts of the inference split, "
            "which neither training nor search has seen. Bars: ± one standard error over prompts; "
            "diamonds: mean reward."
        ],
        [
            Drawing(
                partial(system_scores, frame, run.objectives),
                "Scores of base, single adapters and best ensemble",
            )
        ],
        [runs.system_table(frame, run.objectives)],
        legend=run.objectives,
    )


def _training(run: Run) -> Section:
    steps = queries.table(run, "training_steps").frame
    validations = queries.table(run, "validations").frame
    names = training.adapter_names(run.objectives, steps, validations)
    if not names:
        return Section("Training", ["No adapter of this run is trained yet."])
    frame = training.validation_frame(validations, run.objectives)
    scores = _curves(run, frame)
    by_step = _curves(run, training.step_frame(steps))
    drawings = [
        Drawing(partial(adapter_curves, scores, name), f"Rewards while {name} is trained")
        for name in names
    ]
    for value, axis in (("reward", "own reward"), ("kl", "KL, nats per response")):
        draw = partial(step_curves, by_step, value, axis)
        drawings.append(Drawing(draw, f"{axis} of every step"))
    table = training.adapter_table(steps, frame, queries.table(run, "adapters").frame, names)
    return Section(
        "Training",
        [
            f"In this order: rewards while {', '.join(names)} is trained, its own objective "
            "thick, with bands of ± one standard error over prompts; own reward of every step; "
            "distance from the base."
        ],
        drawings,
        [table],
        legend=run.objectives,
    )


def _trade_offs_of_training(run: Run) -> Section:
    validations = queries.table(run, "validations").frame
    curves = _curves(run, training.validation_frame(validations, run.objectives))
    names = training.adapter_names(run.objectives, validations)
    return Section(
        "What own reward costs the others",
        ["Each line is a training, from its ring (before) to its large dot (after)."],
        [
            Drawing(partial(reward_paths, curves, name), f"Other rewards against {name}")
            for name in names
        ],
        legend=run.objectives,
    )


def _curves(run: Run, frame: pd.DataFrame) -> Curves:
    return Curves(training.together({run.run_id: frame}), run.objectives, "data_points")


def _weights(run: Run, points: pd.DataFrame, proof: Proof | None) -> Section:
    if points.empty:
        return Section("Weights", [_nothing(run)])
    distinct = weight_space.distinct_points(points)
    value_range = weight_space.value_range(points, weight_space.MEAN_REWARD)
    last = weight_space.last_round(points)
    axes = run.objectives[:3]
    content = MapContent(
        points=distinct,
        path=weight_space.best_path(points),
        boxes=weight_space.boxes(
            queries.table(run, "evaluations").frame,
            queries.table(run, "rounds").frame,
            up_to_round=last,
        ),
        objectives=run.objectives,
        axes=axes,
        value=weight_space.MEAN_REWARD,
        value_range=value_range,
    )
    drawings = [Drawing(partial(weight_map, content), "Mean reward over the evaluated weights")]
    if len(run.objectives) == 3:
        ternary = _ternary(run, points, proof, value_range)
        drawings.append(Drawing(partial(ternary_map, ternary), "Mean reward over all directions"))
    best = weight_space.point_table(distinct, run.objectives).head(_BEST_POINTS)
    return Section(
        "Weights",
        [
            f"Mean reward over weights, {counted(len(points), 'point')}; brighter is better. The "
            "boxes are the rounds of the search, the line its best point. Below: the "
            f"{len(best)} best.",
            proof_note(proof) if proof and len(run.objectives) == 3 else "",
        ],
        drawings,
        [best],
    )


def _ternary(
    run: Run, points: pd.DataFrame, proof: Proof | None, value_range: tuple[float, float]
) -> TernaryContent:
    return TernaryContent(
        points=points,
        objectives=run.objectives,
        axes=run.objectives,
        value=weight_space.MEAN_REWARD,
        value_range=value_range,
        field=_field_image(run, points),
        best_region=proof.corners if proof else None,
    )


def _field_image(run: Run, points: pd.DataFrame) -> NDArray[np.float32] | None:
    """Return mean rewards at every place of the triangle: exact from the atlases, else nearest."""
    field: fields.Field | None = stored_atlases.atlases(run, _SPLIT).field
    if field is None and points[weight_space.MEAN_REWARD].notna().any():
        field = fields.NearestDirection(points, run.objectives)
    if field is None:
        return None
    means: NDArray[np.float64] = fields.sample(field, image_shares()).means
    return np.asarray(means.mean(axis=1), dtype=np.float32)


def _trade_offs(run: Run, points: pd.DataFrame) -> Section:
    frame = trades.trade_off_frame(points, run.objectives)
    if frame.empty:
        return Section("Trade-off", [_nothing(run)])
    exact = trades.exact_front(queries.table(run, "front").frame, run.objectives, split=_SPLIT)
    pairs = list(itertools.combinations(run.objectives, 2))[:_MOST_PAIRS]
    value_range = weight_space.value_range(points, weight_space.MEAN_REWARD)
    drawings = []
    for x, y in pairs:
        content = TradeOffContent(
            points=frame,
            exact=exact,
            stairs=trades.stairs(frame, x, y),
            objectives=run.objectives,
            x=x,
            y=y,
            value=weight_space.MEAN_REWARD,
            value_range=value_range,
            selected=weight_space.point_row(None, run.objectives),
        )
        drawings.append(Drawing(partial(trade_off, content), f"{y} against {x}"))
    return Section("Trade-off", [trades.front_note(frame, exact)], drawings)


def _best_region(run: Run, proof: Proof | None) -> Section:
    if proof is None:
        return Section(
            "Best region",
            [f"Not proven yet: `emorl search {run.run_id} --searcher certified` does it."],
        )
    if not proof.has_region:
        return Section(
            "Best region",
            [
                f"The weights {weights_text(proof.weights)} have a mean reward of at least "
                f"{proof.mean_reward:.4f} on the aggregation prompts; none have more than "
                f"{proof.upper_bound:.4f}. How far they may move is not known: the atlas has "
                "open cells there."
            ],
        )
    corners = pd.DataFrame(proof.corners, columns=[f"weight of {name}" for name in run.objectives])
    return Section(
        "Best region",
        [
            f"The weights {weights_text(proof.weights)} have a mean reward of "
            f"{proof.mean_reward:.4f} on the aggregation prompts; none have more than "
            f"{proof.upper_bound:.4f}. All weights between these corners, up to scale, write the "
            f"same texts; any of them may move by {proof.radius:.4f} in every direction from the "
            "middle:",
        ],
        tables=[corners],
    )


def _responses(run: Run) -> Section:
    rows = queries.table(run, "system_responses").frame
    greedy = rows[(rows["decoding"] == "greedy") & (rows["prompt_index"] < _SAMPLE_PROMPTS)]
    if greedy.empty:
        return Section("Sample responses", ["No held-out responses yet."])
    greedy = runs.sort_systems(greedy, run.objectives).sort_values("prompt_index", kind="stable")
    table = texts.response_table(
        greedy, queries.table(run, "prompts").frame, run.objectives, split="inference"
    )
    table.insert(0, "system", [runs.system_label(name) for name in greedy["system"]])
    told = f"Greedy responses to the first {_SAMPLE_PROMPTS} held-out prompts, prompt by prompt."
    return Section("Sample responses", [told], tables=[table])


def _cost(run: Run) -> Section:
    spent = cards.card(run).cost
    return Section(
        "What it cost",
        [
            "A data point is a prompt read by training, or by one evaluation: the search measured "
            f"{spent.n_measured} directions on {spent.n_prompts} prompts. Validation and held-out "
            "scoring are not counted.",
        ],
        tables=[runs.cost_table(spent)] if spent.adapters else [],
    )


def _settings(run: Run) -> Section:
    return Section("Settings", code=run.folder.config.read_text(encoding="utf-8"))


def _versions(run: Run) -> Section:
    rows: Sequence[tuple[str, str]] = (
        ("emorl", __version__),
        ("schema of the tables", str(SCHEMA_VERSION)),
        ("Python", platform.python_version()),
        ("Plotly", plotly.__version__),
        ("back end of the ensemble", run.status.backend if run.status else ""),
        ("report written", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        ("last heartbeat", _moment(run)),
    )
    return Section("Versions", tables=[pd.DataFrame(rows, columns=["what", "version"])])


def _moment(run: Run) -> str:
    if run.status is None:
        return "never"
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.status.updated_at))
