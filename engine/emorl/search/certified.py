"""The best weights with a proof: branch and bound over the regions of the simplex.

The mean reward over prompts is constant wherever every prompt's response is, so it takes
finitely many values over the simplex. A region in which some prompts can still give several
responses is bounded by the best of them for each prompt; the region with the largest bound is cut
along the cells of one more prompt, until no bound is above the best value found.

What is proven ignores slivers thinner than ``overlay.THIN`` and pieces below
``polytope.SMALLEST_AREA``.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emorl.atlas.constraints import inner_circle, radius_around
from emorl.atlas.field import RewardField
from emorl.atlas.polytope import area
from emorl.config.checks import check_at_least, check_whole
from emorl.records import Weights
from emorl.search.overlay import Overlay, Piece
from emorl.search.pareto import EQUAL, Undominated, fine_grid, supported

Floats = NDArray[np.float64]

_ATTAINED = 1e-9
"""Largest difference between a piece's reward and the reward looked up in it."""


@dataclass(frozen=True, slots=True)
class SearchBudget:
    """When to stop before the proof is complete."""

    regions: int = 200_000
    seconds: float = 120.0

    def __post_init__(self) -> None:
        """Refuse impossible limits.

        Raises:
            ConfigError: If one is negative or no number, or the regions are no whole number.
        """
        check_whole("SearchBudget.regions", self.regions, least=0)
        check_at_least("SearchBudget.seconds", self.seconds, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A convex set of weights with the same mean reward in every objective.

    A single point, of radius and area 0, where an open cell hides how far the set reaches.
    """

    corners: Floats
    """``(n_corners, n_members)``, each summing to one."""
    weights: Weights
    """Centre of the largest ball inside."""
    radius: float
    """Of that ball: how far these weights may move in any direction."""
    area: float
    """Fraction of the simplex."""
    means: Weights
    """Mean of every objective over prompts; at least that where a cell is open: it counts as 0."""

    @property
    def mean_reward(self) -> float:
        """Mean over objectives."""
        return sum(self.means) / len(self.means)


def point_region(weights: Sequence[float], means: Sequence[float]) -> Region:
    """Return weights, summing to one, of which no neighbours are known to be as good."""
    return Region(
        corners=np.array([weights], dtype=np.float64),
        weights=tuple(weights),
        radius=0.0,
        area=0.0,
        means=tuple(means),
    )


@dataclass(frozen=True, slots=True)
class Certificate:
    """The best region of weights, and what is proven about all others."""

    best: Region
    upper_bound: float
    """No weights have a larger mean reward."""
    regions: int
    """Regions looked at."""
    seconds: float

    @property
    def gap(self) -> float:
        """How much better other weights could be at most; 0 for a complete proof."""
        return max(0.0, self.upper_bound - self.best.mean_reward)


@dataclass(frozen=True, slots=True)
class Front:
    """Regions whose means no other weights reach or exceed in every objective."""

    regions: tuple[Region, ...]
    is_supported: tuple[bool, ...]
    """Whether some mix of the objectives has its optimum there (a point of the convex hull)."""
    is_complete: bool
    """False if the budget ended the search for more, or an open cell may hold more."""


def certified_search(
    rewards: RewardField, budget: SearchBudget | None = None, *, tolerance: float = 1e-12
) -> Certificate:
    """Find the weights with the largest mean reward, over prompts and objectives.

    Args:
        rewards: Atlases with scores; an open cell counts as reward 1 in the bound.
        budget: When to stop; the gap then tells what is left to prove.
        tolerance: A gap that is as good as none.
    """
    clock = _Clock(budget or SearchBudget())
    overlay = Overlay(rewards)
    highs = overlay.highs.mean(axis=1, keepdims=True)
    lows = overlay.lows.mean(axis=1, keepdims=True)
    best = overlay.around(_first_guess(rewards))
    best_value = float(overlay.bound(best, lows)[0])
    order = itertools.count()
    whole = overlay.whole()
    frontier = [(-float(overlay.bound(whole, highs)[0]), next(order), whole)]
    unreachable = -np.inf  # the largest bound that no look-up attains: that of an open cell
    while frontier and -frontier[0][0] > best_value + tolerance and clock.within_budget():
        bound, _, piece = heapq.heappop(frontier)
        prompt = overlay.undecided(piece, highs, lows)
        if prompt is not None:
            for part in overlay.cut(piece, prompt):
                value = float(overlay.bound(part, highs)[0])
                if value > best_value + tolerance:
                    heapq.heappush(frontier, (-value, next(order), part))
        elif _is_attained(rewards, overlay, piece):
            best, best_value = piece, -bound
        else:
            unreachable = max(unreachable, -bound)
    if overlay.undecided(best, overlay.highs, overlay.lows) is not None:
        best = overlay.around(overlay.middle(best))
    region = _region(overlay, best)
    left = max(unreachable, -frontier[0][0] if frontier else -np.inf)
    return Certificate(
        best=region,
        upper_bound=left if left > best_value + tolerance else region.mean_reward,
        regions=clock.n_regions,
        seconds=clock.seconds,
    )


def region_around(rewards: RewardField, weights: Sequence[float]) -> Region | None:
    """Return the region that weights lie in; None if a prompt's response there is not known.

    Args:
        rewards: Atlases with scores.
        weights: Not all zero.
    """
    overlay = Overlay(rewards)
    piece = overlay.around(np.asarray(weights, dtype=np.float64))
    return _region(overlay, piece) if _is_attained(rewards, overlay, piece) else None


def exact_front(rewards: RewardField, budget: SearchBudget | None = None) -> Front:
    """Find every combination of objective means that no other weights dominate.

    Regions of equal means are told once.

    Args:
        rewards: Atlases with scores.
        budget: When to stop; the regions found by then are not dominated by one another.
    """
    clock = _Clock(budget or SearchBudget())
    overlay = Overlay(rewards)
    found = _inside_regions(_first_front(rewards), overlay)
    stack = [overlay.whole()]
    beyond: list[Floats] = []
    while stack and clock.within_budget():
        piece = stack.pop()
        hope = overlay.bound(piece, overlay.highs)
        if found.dominate(hope):
            continue
        prompt = overlay.undecided(piece, overlay.highs, overlay.lows)
        if prompt is not None:
            parts = overlay.cut(piece, prompt)
            stack += sorted(parts, key=lambda part: overlay.bound(part, overlay.highs).sum())
        elif _is_attained(rewards, overlay, piece):
            found.add(hope, piece)
        else:
            beyond.append(hope)
    regions = tuple(_region(overlay, piece) for piece in found.places)
    return Front(
        regions=regions,
        is_supported=tuple(supported(found.means)),
        is_complete=not stack and all(found.dominate(hope) for hope in beyond),
    )


def _inside_regions(found: Undominated[Floats], overlay: Overlay) -> Undominated[Piece]:
    """Keep the points that have the means of the region around them, as that region.

    On a border the look-up at a point is a matter of rounding: what is left out is found again
    if it has a region.
    """
    kept: Undominated[Piece] = Undominated(found.means.shape[1])
    for point, means in zip(found.places, found.means, strict=True):
        piece = overlay.around(point)
        if np.abs(np.array(_region(overlay, piece).means) - means).max() <= EQUAL:
            kept.add(means, piece)
    return kept


@dataclass(slots=True)
class _Clock:
    """Counts regions, and tells when to stop."""

    budget: SearchBudget
    n_regions: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def within_budget(self) -> bool:
        """Count one more region if the budget allows it."""
        if self.n_regions >= self.budget.regions or self.seconds > self.budget.seconds:
            return False
        self.n_regions += 1
        return True


def _region(overlay: Overlay, piece: Piece) -> Region:
    middle = overlay.middle(piece)
    means = tuple(overlay.bound(piece, overlay.lows).tolist())
    if overlay.is_open(piece):  # its texts go on, and may differ, so no radius is proven
        return point_region(middle.tolist(), means)
    normals = overlay.normals(piece)
    weights, radius = inner_circle(normals)
    # The linear program is only good to 1e-7: in a very small piece its corners know better.
    if (own_radius := radius_around(normals, middle)) >= radius:
        weights, radius = middle, own_radius
    return Region(
        corners=piece.corners,
        weights=tuple(weights.tolist()),
        radius=radius,
        area=area(piece.corners),
        means=means,
    )


def _is_attained(rewards: RewardField, overlay: Overlay, piece: Piece) -> bool:
    """Tell whether a look-up in the middle of a decided piece gives its mean reward.

    It does not where an open cell reaches in, and might not in a piece as thin as rounding errors.
    """
    if overlay.is_open(piece):
        return False
    means = rewards.means(overlay.middle(piece)[None]).mean()
    return bool(abs(means - overlay.bound(piece, overlay.highs).mean()) <= _ATTAINED)


def _tried(rewards: RewardField) -> tuple[Floats, Floats]:
    """Return weights to begin with, and the means of every objective there."""
    n_members = rewards.n_members
    middles = [cell.centroid for atlas in rewards.atlases for cell in atlas.cells]
    tried = np.concatenate([middles, fine_grid(n_members)])
    return tried, rewards.means(tried)


def _first_guess(rewards: RewardField) -> Floats:
    """Return the best of some weights; the middle of a cell if all of them lead to open cells."""
    tried, means = _tried(rewards)
    values = np.where(np.isnan(means).any(axis=1), -np.inf, means.mean(axis=1))
    guess: Floats = tried[int(values.argmax())]
    return guess


def _first_front(rewards: RewardField) -> Undominated[Floats]:
    """Return those of some weights that no other ones dominate."""
    tried, means = _tried(rewards)
    closed = ~np.isnan(means).any(axis=1)
    tried, means = tried[closed], means[closed]
    front = Undominated[Floats](means.shape[1])
    # In this order nothing that is taken in is dominated later.
    for place in np.argsort(-means.sum(axis=1), kind="stable"):
        if not front.dominate(means[place]):
            front.add(means[place], tried[place])
    return front
