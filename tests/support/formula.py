"""A formula in place of models: scores and texts of any weights, and what a run looks like.

Scores follow ``scores_of``: concave in each share of the weights, so that the best direction
lies inside of the simplex and every number on a page can be worked out by hand.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emorl.records import (
    Evaluation,
    EvaluationKind,
    Measurement,
    Response,
    SearchRound,
    Weights,
)
from emorl.runs.folder import Phase
from emorl.weights import ZERO_KEY, canonical_direction, direction_key

OBJECTIVES = ("reflection", "empathy", "fluency")
N_PROMPTS = 12
N_STEPS = 32
FLOORS = (0.15, 0.1, 0.6, 0.2, 0.3)
GAINS = (0.8, 0.75, 0.25, 0.5, 0.4)
RATES = (3.0, 5.0, 6.0, 4.0, 2.0)
LONG = f"{'W' * 600} {'This goes on and on, and it does not stop. ' * 120}"
HOSTILE = (
    "<script>document.title='owned'</script> **bold** $x$ \u202eright to left 😀 "
    "[a](javascript:0) <img src=x onerror=\"document.title='owned'\">"
)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What a synthetic run looks like."""

    name: str
    objectives: tuple[str, ...] = OBJECTIVES
    phase: Phase = "finished"
    trained: int | None = None
    """Adapters that are finished; None: all."""
    rounds: int = 5
    stale_seconds: float = 0.0
    """Age of the heartbeat; negative: it stays fresh for that long."""
    warnings: tuple[str, ...] = ()
    message: str = ""
    hostile: bool = False
    n_prompts: int = N_PROMPTS
    n_steps: int = N_STEPS
    """Training steps of a finished adapter; a validation after every eighth."""
    most_evaluations: int | None = None
    """Scored evaluations of an unfinished first round; None: whole rounds."""
    has_long_texts: bool = False
    """Whether the first prompt and its responses fill pages."""


def scores_of(weights: Weights, *, prompt: int = 0) -> tuple[float, ...]:
    """Score every objective at ``weights``; ``prompt`` shifts the scores a little."""
    shares = canonical_direction(weights) if any(weights) else weights
    wobble = 0.03 * math.sin(1.7 * prompt)
    return tuple(
        min(1.0, max(0.0, floor + gain * (1 - math.exp(-rate * share)) + wobble))
        for share, floor, gain, rate in zip(shares, FLOORS, GAINS, RATES, strict=False)
    )


def special_text(spec: RunSpec, prompt: int) -> str:
    """Return what the texts of a prompt hold besides words: nothing, as a rule."""
    if prompt != 0:
        return ""
    return HOSTILE if spec.hostile else LONG if spec.has_long_texts else ""


def response_text(weights: Weights, prompt: int, *, special: str = "") -> str:
    """Write a response that names its prompt and grows with the first share."""
    share = canonical_direction(weights)[0] if any(weights) else 0.0
    words = ["It sounds hard", "and you want it to change", "because it matters to you"]
    text = ", ".join(words[: 1 + round(2 * share)])
    return f"{text} {special}" if special else f"{text} (prompt {prompt})."


def measurement_of(weights: Weights, spec: RunSpec) -> Measurement:
    """Measure one direction on all prompts of the aggregation split."""
    responses = responses_of(weights, spec)
    means, errors = summary([response.scores for response in responses])
    return Measurement(
        direction=canonical_direction(weights),
        means=means,
        standard_errors=errors,
        responses=responses,
        seconds=0.25,
    )


def responses_of(weights: Weights, spec: RunSpec) -> tuple[Response, ...]:
    """Return one response per prompt."""
    return tuple(
        Response(
            prompt_index=index,
            text=response_text(weights, index, special=special_text(spec, index)),
            n_tokens=12,
            scores=scores_of(weights, prompt=index),
        )
        for index in range(spec.n_prompts)
    )


def summary(rows: Sequence[Weights]) -> tuple[Weights, Weights]:
    """Return mean and standard error of every column."""
    columns = list(zip(*rows, strict=True))
    means = tuple(sum(column) / len(column) for column in columns)
    errors = tuple(
        math.sqrt(sum((score - mean) ** 2 for score in column) / (len(column) - 1) / len(column))
        for column, mean in zip(columns, means, strict=True)
    )
    return means, errors


def search(spec: RunSpec) -> Iterable[tuple[list[Evaluation], SearchRound | None]]:
    """Yield the rounds of the hierarchical search over the formula; None: it is not finished."""
    n_objectives = len(spec.objectives)
    lower, upper = (0.0,) * n_objectives, (1.0,) * n_objectives
    known: dict[str, Measurement] = {}
    best: tuple[float, Weights] = (-1.0, lower)
    for round_ in range(1, spec.rounds + 1):
        grid = list(itertools.product(*[_axis(*ends) for ends in zip(lower, upper, strict=True)]))
        evaluations = [
            _evaluate(round_, point, weights, (lower, upper), known, spec)
            for point, weights in enumerate(grid)
        ]
        if spec.most_evaluations is not None:
            scored = [evaluation for evaluation in evaluations if evaluation.kind != "zero"]
            yield scored[: spec.most_evaluations], None
            return
        rewards = {
            evaluation.weights: evaluation.measurement.mean_reward if evaluation.measurement else 0
            for evaluation in evaluations
        }
        best = max([best, *((reward, weights) for weights, reward in rewards.items())])
        chosen = max(_sub_boxes(lower, upper), key=lambda box: _corner_sum(box, rewards))
        yield (
            evaluations,
            SearchRound(
                round=round_,
                box_lower=lower,
                box_upper=upper,
                chosen_lower=chosen[0],
                chosen_upper=chosen[1],
                best_weights=best[1],
                best_mean_reward=best[0],
            ),
        )
        lower, upper = chosen


def _evaluate(
    round_: int,
    point: int,
    weights: Weights,
    box: tuple[Weights, Weights],
    known: dict[str, Measurement],
    spec: RunSpec,
) -> Evaluation:
    key = direction_key(weights)
    kind: EvaluationKind = "shared" if key in known else "measured"
    if key == ZERO_KEY:
        kind = "zero"
    elif key not in known:
        known[key] = measurement_of(weights, spec)
    return Evaluation(
        round=round_,
        point=point,
        weights=weights,
        kind=kind,
        box_lower=box[0],
        box_upper=box[1],
        measurement=known.get(key),
    )


def _axis(low: float, high: float) -> tuple[float, float, float]:
    return low, (low + high) / 2, high


def _sub_boxes(lower: Weights, upper: Weights) -> list[tuple[Weights, Weights]]:
    halves = []
    for low, high in zip(lower, upper, strict=True):
        middle = (low + high) / 2
        halves.append(((low, middle), (middle, high)))
    return [
        (tuple(side[0] for side in sides), tuple(side[1] for side in sides))
        for sides in itertools.product(*halves)
    ]


def _corner_sum(box: tuple[Weights, Weights], rewards: dict[Weights, float]) -> float:
    return sum(rewards[corner] for corner in itertools.product(*zip(*box, strict=True)))
