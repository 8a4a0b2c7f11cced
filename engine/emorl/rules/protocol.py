"""What a weight rule is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emorl.errors import EmorlError, PlugInError

Floats = NDArray[np.floating[Any]]


class WeightRule(Protocol):
    """Gives every prompt its weights."""

    def weights(self, prompts: Sequence[str], rng: np.random.Generator) -> Floats:
        """Return the weights of each prompt, ``(P, n)``, 0 or above and not all 0.

        Args:
            prompts: Texts.
            rng: For rules that draw; the same generator gives the same weights.
        """


def checked_weights(
    name: str, rule: WeightRule, prompts: Sequence[str], rng: np.random.Generator, n: int
) -> Floats:
    """Return the weights that a rule gives to prompts, ``(P, n)``.

    Raises:
        PlugInError: If it raises, or returns another shape, numbers that are negative, NaN or
            infinite, or a prompt's weights that are all 0.
    """
    try:
        found = np.asarray(rule.weights(prompts, rng), dtype=np.float64)
    except EmorlError:
        raise
    except Exception as error:
        raise PlugInError(
            f"The weight rule {name!r} failed: {type(error).__name__}: {error}."
        ) from error
    if found.shape != (len(prompts), n):
        raise PlugInError(
            f"The weight rule {name!r} must return {n} weights for each of {len(prompts)} "
            f"prompts, got shape {found.shape}."
        )
    if not (np.isfinite(found).all() and (found >= 0).all() and found.any(axis=1).all()):
        raise PlugInError(
            f"The weight rule {name!r} must return weights that are finite, 0 or above, and not "
            "all 0."
        )
    return found
