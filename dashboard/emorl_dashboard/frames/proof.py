"""What is proven about all weights, and what any weights write, from the atlases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl.atlas.field import RewardField
from emorl.atlas.rows import ScoredAtlas
from emorl.records import Weights
from emorl.weights import direction_key
from emorl_dashboard.frames.filters import Filters, passing
from emorl_dashboard.frames.weight_space import Point

Floats = NDArray[np.float64]

IN_ATLAS = "atlas"
"""Kind of a point that no search evaluated and the atlases know."""


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """The best region of weights, and what no weights exceed."""

    weights: Weights
    scores: tuple[float, ...]
    """Mean of every objective there."""
    mean_reward: float
    upper_bound: float
    radius: float
    """How far the weights may move in any direction without a change of any text."""
    corners: Floats
    """Of the region, ``(n_corners, n_objectives)``."""

    @property
    def has_region(self) -> bool:
        """Whether it is known around the weights what is written: not where cells are open."""
        return len(self.corners) > 1

    @property
    def gap(self) -> float:
        """How much better other weights could be at most."""
        return max(0.0, self.upper_bound - self.mean_reward)

    def passes(self, objectives: Sequence[str], filters: Filters) -> bool:
        """Tell whether the scores there reach the filters' lowest values."""
        return bool(passing(np.asarray([self.scores]), objectives, filters)[0])


def proof_of(certificates: pd.DataFrame, *, split: str) -> Proof | None:
    """Read the table ``certificates``; None without a row for the split."""
    own = certificates[certificates["split"] == split]
    if own.empty:
        return None
    row = own.iloc[0]
    weights = tuple(float(weight) for weight in row["weights"])
    return Proof(
        weights=weights,
        scores=tuple(float(score) for score in row["means"]),
        mean_reward=float(row["mean_reward"]),
        upper_bound=float(row["upper_bound"]),
        radius=float(row["radius"]),
        corners=np.asarray(row["corners"], dtype=np.float64).reshape(-1, len(weights)),
    )


def proof_note(proof: Proof) -> str:
    """Say what is proven."""
    if not proof.has_region:
        return (
            f"The star is the best that is known of all weights: mean reward at least "
            f"{proof.mean_reward:.4f}. Others could be better by {proof.gap:.4f} at most; the "
            "atlas's open cells hide more."
        )
    best = (
        f"The star is the proven best of all weights: mean reward {proof.mean_reward:.4f}, and "
        f"the weights may move by {proof.radius:.4f} there without a change of any text"
    )
    if proof.gap < 1e-9:
        return f"{best}."
    return f"{best}; others could be better by {proof.gap:.4f} at most."


def looked_up(field: RewardField, weights: Weights) -> Point | None:
    """Return the scores at any weights; None where a response is not known to its end."""
    if not any(weights):
        return None
    means = field.means([weights])[0]
    if np.isnan(means).any():
        return None
    return Point(
        weights=weights,
        direction_key=direction_key(weights),
        round=0,
        kind=IN_ATLAS,
        scores=tuple(means.tolist()),
        standard_errors=tuple(field.standard_errors([weights])[0].tolist()),
        mean_reward=float(means.mean()),
    )


def responses_at(scored: Sequence[ScoredAtlas], weights: Weights) -> pd.DataFrame:
    """Return what the ensemble writes at any weights, in the columns of the table ``responses``.

    Returns:
        ``direction_key``, ``prompt_index``, ``text``, ``n_tokens`` and ``scores``.
    """
    rows = []
    for one in scored:
        place = int(one.atlas.lookup([weights])[0])
        cell = one.atlas.cells[place]
        rows.append(
            {
                "direction_key": direction_key(weights),
                "prompt_index": one.prompt_index,
                "text": cell.text,
                "n_tokens": len(cell.tokens),
                "scores": one.scores[place].tolist(),
            }
        )
    columns = ["direction_key", "prompt_index", "text", "n_tokens", "scores"]
    return pd.DataFrame(rows, columns=columns)
