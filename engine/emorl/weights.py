"""Weight vectors: which a system takes, and which of them are one question.

The greedy text of an ensemble depends on the direction of the weights only: scaling all weights
by c > 0 scales every combined logit by c and moves no argmax (for a head without bias), so
``(0.5, 0.25, 0)`` and ``(1, 0.5, 0)`` are one ensemble. The zero vector has no direction: all its
logits are equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from emorl.errors import WeightsError
from emorl.records import Weights

ZERO_KEY = "zero"
"""Key of the zero vector, the one weight vector without a direction."""

_KEY_DIGITS = 12


@dataclass(frozen=True, slots=True)
class WeightSpace:
    """The weights that a system takes, and which of them give the same text."""

    names: tuple[str, ...]
    """What each weight belongs to, in order: members or objectives. Empty: no weights."""
    scale_free: bool = True
    """Whether ``w`` and ``c w`` (c > 0) give the same greedy text; not so for merged parameters,
    where weights are points and not directions."""

    def check(self, weights: Sequence[float] | None) -> Weights | None:
        """Return weights as a tuple of floats; None where the system takes none.

        Raises:
            WeightsError: If there is not one finite number, 0 or above, per name.
        """
        if not self.names:
            if weights is None or len(weights) == 0:
                return None
            raise WeightsError(f"This system takes no weights, got {weights!r}. Leave them out.")
        if weights is None:
            raise WeightsError(
                f"This system needs one weight for each of {list(self.names)}, got none."
            )
        return check_weights(weights, len(self.names))

    def canonical(self, weights: Weights) -> Weights:
        """Return the weights that stand for all that give the same text: of sum one, or as is."""
        return canonical_direction(weights) if self.scale_free and any(weights) else weights

    def key(self, weights: Weights | None) -> str:
        """Return a text that is equal for weights that give the same text, and for no others.

        It is empty without weights, and ``zero`` for the zero vector where only directions
        count. Keys of points begin with ``=``: no point has the key of a direction.
        """
        if not self.names or weights is None:
            return ""
        if self.scale_free:
            return direction_key(weights)
        return "=" + ",".join(f"{weight:.{_KEY_DIGITS}g}" for weight in weights)


def check_weights(weights: Sequence[float], n_objectives: int) -> Weights:
    """Return ``weights`` as a tuple of floats.

    Raises:
        WeightsError: If there is not one finite number, 0 or above, per objective.
    """
    numbers = _floats(weights)
    if numbers is None:
        raise WeightsError(f"Weights must be {n_objectives} numbers, got {weights!r}.")
    if len(numbers) != n_objectives:
        raise WeightsError(
            f"Need one weight per objective: {n_objectives} objectives, got {len(numbers)} "
            f"weights {list(numbers)}. Give {n_objectives} numbers in the order of objectives."
        )
    if any(not math.isfinite(weight) or weight < 0 for weight in numbers):
        raise WeightsError(f"Weights must be finite and 0 or above, got {list(numbers)}.")
    return numbers


def check_weight_vectors(vectors: Sequence[Sequence[float]], n_objectives: int) -> list[Weights]:
    """Return weight vectors as tuples of floats.

    Raises:
        WeightsError: If they are no sequence of vectors, or one of them does not fit.
    """
    # Types that the annotation forbids come in from scripts.
    try:
        rows = list(vectors)
    except TypeError:
        rows = [vectors]  # type: ignore[list-item]
    if not all(hasattr(row, "__iter__") for row in rows):
        raise WeightsError(
            f"weights must be a sequence of weight vectors with {n_objectives} numbers each, got "
            f"{vectors!r}. Put a single vector into a list."
        )
    return [check_weights(row, n_objectives) for row in rows]


def canonical_direction(weights: Weights) -> Weights:
    """Scale weights to sum one; weights on one ray give the very same floats.

    The division is done on exact fractions, so that it does not depend on the scale.

    Raises:
        WeightsError: For the zero vector.
    """
    exact = [Fraction(weight) for weight in weights]
    total = sum(exact)
    if total == 0:
        raise WeightsError(
            "The zero vector has no direction: with all weights 0 every token has logit 0. "
            "Give at least one weight above 0."
        )
    return tuple(float(weight / total) for weight in exact)


def direction_key(weights: Weights) -> str:
    """Return a key equal for all positive multiples of the weights; ``zero`` for zero."""
    if not any(weights):
        return ZERO_KEY
    return ",".join(f"{part:.{_KEY_DIGITS}g}" for part in canonical_direction(weights))


def _floats(weights: Any) -> Weights | None:
    """Return numbers as floats, or None where there are other things."""
    # A text would be read by letters, and "100" as three weights; so would bytes.
    if isinstance(weights, str | bytes | bytearray):
        return None
    try:
        return tuple(float(weight) for weight in weights)
    except (TypeError, ValueError, OverflowError):
        return None
