"""What a weight rule is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


class WeightRule(Protocol):
    """Gives every prompt its weights."""

    def weights(self, prompts: Sequence[str], rng: np.random.Generator) -> Floats:
        """Return the weights of each prompt, ``(P, n)``, 0 or above and not all 0.

        Args:
            prompts: Texts.
            rng: For rules that draw; the same generator gives the same weights.
        """
