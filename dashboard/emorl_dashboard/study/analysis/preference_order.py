"""Which strengths the preferences bound, and which no data of their kind can tell.

Where some systems win every comparison with the others, only that they are ahead is known, not by
how much: any larger lead fits as well. So strengths are finite among systems that a chain of
preferences joins *in both directions* (Ford's condition), and nowhere else. A tie joins in both
directions, unless preferences contradict each other nowhere: then ever larger strengths and ever
readier ties fit ever better, and nothing is finite.

Source:
    Ford, "Solution of a ranking problem from binary comparisons", American Mathematical Monthly
    64, 1957; with ties: the directions in which Davidson's likelihood never falls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Order(NamedTuple):
    """What the preferences of each data set say of the order of systems."""

    reaches: Flags
    """``(..., n_systems, n_systems)``: the first cannot fall below the second without end."""
    has_ties: Flags
    """``(...)``."""
    is_one_sided: Flags
    """No preference contradicts another, or a tie: differences and ties fit without end."""

    @property
    def joined(self) -> Flags:
        """Return which pairs of systems have a finite difference."""
        return self.reaches & np.swapaxes(self.reaches, -1, -2)


def order_of(wins: Floats, ties: Floats) -> Order:
    """Return what bounds what.

    Args:
        wins: How often the first system won against the second, ``(..., n_systems, n_systems)``.
        ties: How often they tied, same shape, symmetric.
    """
    beats, tied = wins > 0, ties > 0
    has_ties: Flags = np.asarray(tied.any(axis=(-2, -1)))
    is_one_sided = has_ties & _fits_one_order(beats, tied)
    joins = beats | (tied & ~is_one_sided[..., None, None])
    return Order(_closure(joins), has_ties, is_one_sided)


def parts(wins: Floats, ties: Floats) -> list[list[int]]:
    """Return systems in parts, each joined in both directions, winners first.

    Wherever systems of two parts were compared, the one of the earlier part won every time.
    """
    reaches = _closure((wins > 0) | (ties > 0))
    joined = reaches & reaches.T
    found = {tuple(np.flatnonzero(row).tolist()) for row in joined}
    # Whoever reaches another part reaches all that it reaches, and more.
    return [list(part) for part in sorted(found, key=lambda part: (-reaches[part[0]].sum(), part))]


def _closure(joins: Flags) -> Flags:
    """Return which systems a chain of any length joins, each with itself."""
    n_systems = joins.shape[-1]
    reaches: Flags = joins | np.eye(n_systems, dtype=bool)
    for over in range(n_systems):
        reaches = reaches | (reaches[..., :, over, None] & reaches[..., None, over, :])
    return reaches


def _fits_one_order(beats: Flags, tied: Flags) -> Flags:
    """Tell whether places exist with every win by a step or more, every tie within a step.

    They do if no cycle of preferences and ties asks for more than it may: longest paths, by
    Floyd and Warshall, that end where they began.
    """
    n_systems = beats.shape[-1]
    longest = np.where(beats, 1.0, np.where(tied, -1.0, -np.inf))
    for over in range(n_systems):
        longest = np.maximum(longest, longest[..., :, over, None] + longest[..., None, over, :])
        longest = np.minimum(longest, n_systems)  # only a contradiction is longer: it may double
    return np.asarray((np.diagonal(longest, axis1=-2, axis2=-1) <= 0).all(axis=-1))
