"""Davidson's model fitted to counts: strengths of systems and how readily people call a tie."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_N_STEPS = 30
_RIDGE = 1e-6
_LARGEST_STEP = 2.0


def davidson_strengths(wins: Floats, losses: Floats, ties: Floats) -> Floats:
    """Return log strengths that sum to zero, and the log odds of a tie between equals.

    Newton's method on the concave log likelihood, for many data sets at once. A ridge of 1e-6
    holds what the counts do not bound at some finite number, which means nothing: ask
    ``preference_order`` first.

    Args:
        wins: ``(..., n_pairs)``, how often the first of each pair of systems won; pairs in the
            order of ``itertools.combinations``.
        losses: How often the second won, same shape.
        ties: How often they tied, same shape.

    Returns:
        ``(..., n_systems + 1)``; the last is the tie's.

    Source:
        Davidson, "On extending the Bradley-Terry model to accommodate ties", JASA 65, 1970.
    """
    counts = np.stack([wins, losses, ties], axis=-1).astype(np.float64)
    n_pairs = counts.shape[-2]
    n_systems = round((1 + np.sqrt(1 + 8 * n_pairs)) / 2)
    features = _features(n_systems)
    n_trials = counts.sum(axis=-1)
    weights = np.zeros((*counts.shape[:-2], n_systems + 1))
    # Strengths are known up to a constant: their sum is held at zero by its own penalty.
    penalty = _RIDGE * np.eye(n_systems + 1)
    penalty[:-1, :-1] += 1.0 / n_systems
    for _ in range(_N_STEPS):
        utilities = np.einsum("pof,...f->...po", features, weights)
        chances = np.exp(utilities - utilities.max(axis=-1, keepdims=True))
        chances /= chances.sum(axis=-1, keepdims=True)
        expected = np.einsum("...po,pof->...pf", chances, features)
        gradient = np.einsum("...po,pof->...f", counts, features) - np.einsum(
            "...p,...pf->...f", n_trials, expected
        )
        gradient -= weights @ penalty
        square = np.einsum("...p,...po,pof,pog->...fg", n_trials, chances, features, features)
        square -= np.einsum("...p,...pf,...pg->...fg", n_trials, expected, expected)
        step = np.linalg.solve(square + penalty, gradient[..., None])[..., 0]
        weights = weights + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return weights


def _features(n_systems: int) -> Floats:
    """Return what each outcome of each pair adds up: ``(n_pairs, 3, n_systems + 1)``."""
    rows = []
    for a, b in combinations(range(n_systems), 2):
        outcomes = np.zeros((3, n_systems + 1))
        outcomes[0, a] = outcomes[1, b] = outcomes[2, -1] = 1.0
        outcomes[2, [a, b]] = 0.5
        rows.append(outcomes)
    return np.stack(rows) if rows else np.zeros((0, 3, n_systems + 1))
