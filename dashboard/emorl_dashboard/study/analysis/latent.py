"""How people rate, as a formula: the model behind power and the simulated studies.

A rater's impression of a response is the quality of its system, plus how easy the prompt is to
answer (shared by all systems), plus luck of this system at this prompt, plus the rater's own
severity and the noise of the moment. The scale's levels cut the impression into whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variances:
    """Shares of the variance of an impression; they sum to one."""

    prompt: float = 0.52
    """How easy a prompt is to answer well: it moves all systems together."""
    response: float = 0.20
    """A system's luck at a prompt."""
    rater: float = 0.28
    """What two ratings of one response do not share."""


PLANNED = Variances()
"""Agreement of two raters near alpha 0.6, as trained raters reach on such criteria."""


def cuts(n_levels: int) -> Floats:
    """Return where an impression of mean 0 and variance 1 is cut into levels.

    The outer levels get half the share of the inner ones: 0.25, 0.5, 0.25 for three.

    Returns:
        Rising thresholds, ``(n_levels - 1,)``.
    """
    edges = (np.arange(1, n_levels) - 0.5) / (n_levels - 1)
    thresholds: Floats = norm.ppf(edges)
    return thresholds


def expected_rating(shift: float, n_levels: int) -> float:
    """Return the mean rating, from 0, of impressions with mean ``shift`` and variance 1."""
    # E[level] is the sum over thresholds of the chance to lie above.
    return float(norm.sf(cuts(n_levels) - shift).sum())


def to_levels(impressions: Floats, n_levels: int) -> Floats:
    """Cut impressions into levels 0, 1, ...; same shape."""
    levels: Floats = np.searchsorted(cuts(n_levels), impressions).astype(np.float64)
    return levels
