"""What a scorer is, and what makes a number a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emorl.errors import RewardError

Scores = NDArray[np.float64]
"""Shape ``(n_pairs,)``, every number in [0, 1]; higher is better."""

_SHOWN_CHARACTERS = 80


class Scorer(Protocol):
    """Scores pairs of prompt and response for one objective."""

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Scores:
        """Return one score per pair; no response is blank, and no pair comes twice."""
        ...


def checked_scores(
    objective: str, prompts: Sequence[str], responses: Sequence[str], raw: object
) -> Scores:
    """Return ``raw`` as scores.

    Raises:
        RewardError: If it is not one finite number in [0, 1] for each pair; the message names
            the objective, the value and the pair.
    """
    try:
        scores = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise RewardError(
            f"Reward {objective!r} must return a list or array of {len(prompts)} numbers, one per "
            f"pair, but returned {type(raw).__name__}: {error}."
        ) from error
    if scores.shape != (len(prompts),):
        raise RewardError(
            f"Reward {objective!r} must return one number per pair, {len(prompts)} in all, but "
            f"returned {type(raw).__name__} of shape {scores.shape}."
        )
    wrong = ~((scores >= 0.0) & (scores <= 1.0))  # also true for NaN
    if wrong.any():
        first = int(np.argmax(wrong))
        raise RewardError(
            f"Reward {objective!r} must be a finite number from 0 to 1, but is "
            f"{float(scores[first])!r} for {described_pair(prompts[first], responses[first])}. "
            f"Scale or clamp the scores ({int(wrong.sum())} of {len(scores)} are out of range)."
        )
    return scores


def described_pair(prompt: str, response: str) -> str:
    """Return the beginnings of both texts for an error message."""
    return f"prompt {prompt[:_SHOWN_CHARACTERS]!r}, response {response[:_SHOWN_CHARACTERS]!r}"
