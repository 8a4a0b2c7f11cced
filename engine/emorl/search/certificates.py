"""Rows of what an atlas proves about all weights: the best ones, a bound, the exact front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from emorl.atlas.field import RewardField
from emorl.atlas.rows import ScoredAtlas, reward_field
from emorl.records import Weights
from emorl.search.certified import (
    Region,
    SearchBudget,
    certified_search,
    exact_front,
    point_region,
    region_around,
)
from emorl.weights import canonical_direction

Row = dict[str, Any]

_SAME = 1e-9
"""Largest difference between a measured mean and the same one looked up."""

_OF_BEST = ("weights", "radius", "area", "corners", "means", "mean_reward")
"""Columns of ``certificates`` that tell of the best weights."""


def certificate_rows(
    scored: Sequence[ScoredAtlas],
    searched: Weights | None,
    budget: SearchBudget,
    evaluations: Sequence[Row] = (),
) -> tuple[Row, list[Row]]:
    """Prove which weights are best, and find the exact front.

    Args:
        scored: Atlases of all prompts of one split.
        searched: What another search found best; its regret is told.
        budget: For either of the two.
        evaluations: What was measured on these prompts; see ``with_search``.

    Returns:
        Row of ``certificates`` and rows of ``front``, without split and position.
    """
    field = reward_field(scored)
    proof = certified_search(field, budget)
    front = exact_front(field, budget)
    row = _best_row(proof.best) | {
        "upper_bound": proof.upper_bound,
        "gap": proof.gap,
        "regions": proof.regions,
        "seconds": proof.seconds,
    }
    row = with_search(row, field, searched, evaluations)
    order = sorted(
        zip(front.regions, front.is_supported, strict=True),
        key=lambda pair: -pair[0].mean_reward,
    )
    return row, [
        _region_row(region) | {"is_supported": supported, "is_complete": front.is_complete}
        for region, supported in order
    ]


def with_search(
    row: Row, field: RewardField, searched: Weights | None, evaluations: Sequence[Row]
) -> Row:
    """Return a certificate that knows what a search measured and found best.

    What weights earned is a lower bound of what the best ones earn, whether or not the atlases
    are complete: where it is above the certificate's, those weights take its place.

    Args:
        row: Of ``certificates``.
        field: The atlases that it was proven from.
        searched: What the search found best; None if there was none.
        evaluations: Rows of ``evaluations``, measured on the prompts of the atlases.
    """
    measured = [
        one
        for one in evaluations
        if one["mean_reward"] is not None and math.isfinite(one["mean_reward"])
    ]
    # The zero vector has no direction: it is none of the weights that the proof is about.
    mixes = [one for one in measured if any(one["weights"])]
    best = max(mixes, key=lambda one: float(one["mean_reward"]), default=None)
    if best is not None and best["mean_reward"] > row["mean_reward"] + _SAME:
        row = row | _best_row(_measured_region(field, best))
    row = _bounded(row, row["upper_bound"])
    worth = None if searched is None else _worth(field, searched, measured)
    regret = None if worth is None else row["mean_reward"] - worth
    if regret is not None and abs(regret) <= _SAME:
        regret = max(0.0, regret)  # a measured mean and a look-up are rounded differently
    return row | {"searched_weights": searched, "regret": regret}


def merge_certificates(
    stored: tuple[Row, list[Row]] | None, found: tuple[Row, list[Row]]
) -> tuple[Row, list[Row]]:
    """Return the certificate of the smaller gap, and the front that is complete or longer.

    What was proven about a run's weights from fewer cells still holds: a stored proof is as good
    as a new one. So the certificate takes over the other's bound or best weights where those are
    better. Of equal ones the new is returned.

    Args:
        stored: What ``certificate_rows`` returned before; None if nothing is stored.
        found: What it returned now; what it says about the searched weights is kept.
    """
    if stored is None:
        return found
    (old, old_front), (new, new_front) = stored, found
    kept, other = (old, new) if old["gap"] < new["gap"] else (new, old)
    if other["mean_reward"] > kept["mean_reward"] + _SAME:
        kept = kept | {name: other[name] for name in _OF_BEST}
    regret = new["regret"]
    if regret is not None:
        regret += kept["mean_reward"] - new["mean_reward"]
    kept = _bounded(kept, min(old["upper_bound"], new["upper_bound"])) | {
        "searched_weights": new["searched_weights"],
        "regret": regret,
    }
    return kept, old_front if _front_rank(old_front) > _front_rank(new_front) else new_front


def _bounded(row: Row, bound: float) -> Row:
    """Return a certificate with an upper bound that is at least what its weights have."""
    upper = max(bound, row["mean_reward"])
    return row | {"upper_bound": upper, "gap": upper - row["mean_reward"]}


def _front_rank(front: Sequence[Row]) -> tuple[bool, int]:
    return bool(front) and all(row["is_complete"] for row in front), len(front)


def _measured_region(field: RewardField, evaluation: Row) -> Region:
    """Return the region of measured weights; the point alone where the atlases do not know it."""
    direction = canonical_direction(evaluation["weights"])
    region = region_around(field, direction)
    if region is not None and abs(region.mean_reward - evaluation["mean_reward"]) <= _SAME:
        return region
    return point_region(direction, evaluation["means"])


def _worth(field: RewardField, weights: Weights, measured: Sequence[Row]) -> float | None:
    """Return the mean reward of weights: measured or else looked up; None if nothing tells."""
    told = [one["mean_reward"] for one in measured if tuple(one["weights"]) == tuple(weights)]
    if told:
        return float(max(told))
    if not any(weights):
        return None
    looked_up = float(field.means([weights]).mean())
    return None if math.isnan(looked_up) else looked_up


def _best_row(region: Region) -> Row:
    return _region_row(region) | {
        "corners": region.corners.ravel().tolist(),
        "mean_reward": region.mean_reward,
    }


def _region_row(region: Region) -> Row:
    return {
        "weights": region.weights,
        "radius": region.radius,
        "area": region.area,
        "means": region.means,
    }
