"""What a scalarizer is, and what is checked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emorl.errors import ConfigError, EmorlError, PlugInError
from emorl.records import Weights

Floats = NDArray[np.floating[Any]]

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class GroupScores:
    """Scores of k responses to each of P prompts, on the s signals that a scalarizer reads."""

    values: Floats
    """``(P, k, s)``, in [0, 1], no unit."""
    logs: Floats
    """``log(clip(values, 1e-4, 0.9999))``, same shape: the logarithm that SCST trains with, taken
    once for all scalarizers in the precision of the training."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a stateful scalarizer learns from."""

    step: int
    """Optimiser steps done."""
    validation_means: tuple[float, ...] | None = None
    """Mean of each objective over the validation split, in the order of objectives; None if the
    step had no validation."""


class Scalarizer(Protocol):
    """Turns scores into rewards; may have a state, which is checkpointed and logged."""

    def signals(self) -> tuple[str, ...]:
        """Return the objectives that it reads, in the order of its columns."""

    def reward(self, scores: GroupScores, weights: Floats) -> Floats:
        """Return the reward of every response, ``(P, k)``, no unit; any finite number.

        Args:
            scores: Of the signals.
            weights: Of each prompt's signals, ``(P, s)``, 0 or above.
        """

    def progress(self, means: Floats, weights: Floats) -> float:
        """Return one figure in [0, 1], which people watch and convergence is judged by.

        Args:
            means: Mean of each signal over responses, ``(s,)``.
            weights: Mean of the prompts' weights, ``(s,)``.
        """

    def observe(self, feedback: Feedback) -> None:
        """Learn from a step that is over."""

    def weights_now(self) -> Weights | None:
        """Return the weights that the state stands for, to be logged; None without a state."""

    def state(self) -> dict[str, Any]:
        """Return the state as plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take a state over.

        Raises:
            ConfigError: If it is none of this scalarizer's.
        """


class Stateless:
    """The part of the protocol that a scalarizer without a state needs."""

    def observe(self, feedback: Feedback) -> None:
        """Nothing is learned."""

    def weights_now(self) -> Weights | None:
        """Return None: there is no state."""
        return None

    def state(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Accept an empty state; see ``Scalarizer``."""
        if state:
            raise ConfigError(
                f"A {type(self).__name__} has no state, got one with {sorted(state)}. The "
                "checkpoint is of another scalarizer: use a new run name."
            )


class OverAll(Stateless):
    """A stateless scalarizer of all objectives, weighted."""

    def __init__(self, objectives: Sequence[str]) -> None:
        """Remember the objectives, in the order of the run."""
        self._objectives = tuple(objectives)

    def signals(self) -> tuple[str, ...]:
        """Return all objectives."""
        return self._objectives

    def progress(self, means: Floats, weights: Floats) -> float:
        """Return the weighted mean of the means."""
        return float(np.average(means, weights=weights))


def checked_reward(
    name: str, scalarizer: Scalarizer, scores: GroupScores, weights: Floats
) -> Floats:
    """Return the rewards of a scalarizer, ``(P, k)``.

    Raises:
        PlugInError: If it raises, or returns another shape, NaN or infinity.
    """
    try:
        found = np.asarray(scalarizer.reward(scores, weights))
    except EmorlError:
        raise
    except Exception as error:
        raise PlugInError(
            f"The scalarizer {name!r} failed: {type(error).__name__}: {error}. What was trained "
            "before is stored; mend the scalarizer, and the same command goes on."
        ) from error
    expected = scores.values.shape[:2]
    if found.shape != expected or not np.issubdtype(found.dtype, np.floating):
        raise PlugInError(
            f"The scalarizer {name!r} must return one number per response, shape {expected}, "
            f"got {found.dtype} of shape {found.shape}."
        )
    if not np.isfinite(found).all():
        raise PlugInError(
            f"The scalarizer {name!r} returned NaN or infinity for scores in [0, 1]. Clip what "
            "it takes a logarithm of or divides by (``scores.logs`` are clipped)."
        )
    return found


def checked_progress(name: str, scalarizer: Scalarizer, means: Floats, weights: Floats) -> float:
    """Return the figure of a scalarizer that people watch.

    Raises:
        PlugInError: If it raises, or returns something outside [0, 1].
    """
    try:
        found = float(scalarizer.progress(means, weights))
    except EmorlError:
        raise
    except Exception as error:
        raise PlugInError(
            f"The scalarizer {name!r} failed in progress(): {type(error).__name__}: {error}."
        ) from error
    if not -_ROUNDING <= found <= 1 + _ROUNDING:
        raise PlugInError(
            f"The scalarizer {name!r} must return a figure in [0, 1] from progress(), got {found}."
        )
    return found


def restored(name: str, scalarizer: Scalarizer, state: Any) -> None:
    """Give a checkpoint's state to a scalarizer.

    Raises:
        ConfigError: If the state is none of its own.
    """
    try:
        scalarizer.restore(state)
    except EmorlError:
        raise
    except Exception as error:
        raise ConfigError(
            f"The state of the scalarizer {name!r} in the checkpoint cannot be loaded: "
            f"{type(error).__name__}: {error}. What is stored is kept. Use the version that "
            "wrote it, or delete the run's checkpoints to train its policy anew."
        ) from error
