"""What the modules hand to each other: plain frozen records without behaviour.

Score and weight tuples are in the order of ``RunConfig.objectives``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Weights = tuple[float, ...]
"""One number per objective, in [0, 1] when searched; only their direction matters."""

OWN_SEARCH = "hierarchical"
"""Name of the search that a run does by itself; others are run on it afterwards."""

DataSplit = Literal["train", "aggregation", "inference"]
Split = DataSplit | Literal["own"]
"""``own``: prompts that a person asked for an atlas of; not of the data set."""

EvaluationKind = Literal["measured", "shared", "zero"]
"""Scored itself, sharing the score of a point on its ray, or the zero vector (no direction)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt of a run."""

    split: Split
    index: int
    """Position within its split."""
    prompt: str
    reference: str = ""
    """A response by a person, where the data has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStep:
    """One optimiser step of one adapter."""

    adapter: str
    step: int
    """From 1."""
    data_points: int
    """Prompts consumed so far, this step included."""
    samples: int
    """Responses sampled so far."""
    tokens: int
    """Response tokens sampled so far."""
    seconds: float
    """Training time so far, validation not counted."""
    loss: float
    reward: float
    """Mean over the step's samples of what the adapter is trained for, in [0, 1]."""
    kl: float
    """KL to the base, mean over samples, in nats per response."""
    gradient_norm: float
    """Before clipping."""
    weights_now: Weights | None = None
    """What a scalarizer with a state weighs the objectives with; None without a state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One adapter's sampled scores on the aggregation split after a step (0: before training)."""

    adapter: str
    step: int
    data_points: int
    samples: int
    seconds: float
    means: tuple[float, ...]
    standard_errors: tuple[float, ...]
    """Over prompts."""
    n_distinct: int
    """Different texts among the sampled responses."""
    n_responses: int
    converged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSample:
    """A response sampled at a validation, kept for reading."""

    adapter: str
    step: int
    prompt_index: int
    """In the aggregation split."""
    text: str
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSummary:
    """How the training of one adapter ended."""

    adapter: str
    steps: int
    data_points: int
    samples: int
    tokens: int
    seconds: float
    converged: bool
    n_distinct: int
    """Different greedy responses to the inference prompts."""
    n_responses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A generated text and its scores."""

    prompt_index: int
    text: str
    n_tokens: int
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one direction of weights earns on one split."""

    direction: Weights
    """Scaled to sum one."""
    means: tuple[float, ...]
    standard_errors: tuple[float, ...]
    """Over prompts: standard deviation / sqrt(prompts)."""
    responses: tuple[Response, ...]
    seconds: float
    """Wall time of decoding and scoring, shared equally by the directions of one batch."""

    @property
    def mean_reward(self) -> float:
        """Mean over objectives."""
        return sum(self.means) / len(self.means)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One trial of a search."""

    round: int
    """From 1."""
    point: int
    """Position in the round."""
    weights: Weights
    kind: EvaluationKind
    box_lower: Weights
    box_upper: Weights
    measurement: Measurement | None
    """None for a zero vector that is not measured."""
    search: str = OWN_SEARCH
    """Name of the search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRound:
    """The end of one round: the grid's box, the sub-box chosen for the next, the best so far."""

    round: int
    box_lower: Weights
    box_upper: Weights
    chosen_lower: Weights
    chosen_upper: Weights
    best_weights: Weights
    best_mean_reward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemScore:
    """One system (base, an adapter, the best ensemble) on the inference split."""

    system: str
    """``base``, ``adapter:<objective>`` or ``best``."""
    decoding: Literal["greedy", "sampled"]
    weights: Weights | None
    """None for the base."""
    means: tuple[float, ...]
    standard_errors: tuple[float, ...]
    responses: tuple[Response, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedToken:
    """One token of a greedy response, and which objective decided it: exact, no gradients."""

    text: str
    """As it stands in the response, a space before it included; "" for the end of the response."""
    runner_up: str
    """The best of all other tokens."""
    logit_parts: tuple[float, ...]
    """Each objective's part of the token's logit, at weights that sum to one."""
    margin_parts: tuple[float, ...]
    """Each objective's part of the logit margin over the runner-up, at weights that sum to one;
    below 0 where the objective prefers the runner-up."""
    alone: tuple[str, ...]
    """What each adapter alone would have said here."""
    decided_by: int
    """The objective with the largest part of the margin."""

    @property
    def logit(self) -> float:
        """The token's own, of all objectives together."""
        return sum(self.logit_parts)

    @property
    def margin(self) -> float:
        """How far the token is ahead of the runner-up."""
        return sum(self.margin_parts)


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """One response before it is scored."""

    text: str
    n_tokens: int
    """The end-of-sequence token included."""
