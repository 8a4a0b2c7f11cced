"""The evaluated weights: one row per grid point, boxes, the path of the best, the nearest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from emorl.records import OWN_SEARCH, Weights
from emorl.weights import direction_key
from emorl_dashboard.frames.numbers import counted, score_text, spread, weight_text, weights_text

MEAN_REWARD = "mean_reward"
SAME_RAY_DEGREES = 1e-4
"""Directions closer than this are one ray; what is left is rounding."""


SMALLEST_SHARE = 1e-6
"""Of the three corners of a triangle, below which the other weights give way to them."""


@dataclass(frozen=True, slots=True)
class Box:
    """The box of one round's grid, or the sub-box that the round chose."""

    round: int
    lower: Weights
    upper: Weights
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluated point as the pages print it."""

    weights: Weights
    direction_key: str
    round: int
    kind: str
    scores: tuple[float, ...]
    standard_errors: tuple[float, ...]
    mean_reward: float

    @property
    def text(self) -> str:
        """Weights as the URL holds them."""
        return weights_text(self.weights)


def evaluation_frame(evaluations: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Spread the list columns of the table ``evaluations`` into named columns.

    Returns:
        ``search``, ``round``, ``point``, ``kind``, ``direction_key``, ``seconds``,
        ``w_<objective>``, ``<objective>``, ``<objective>_se``, ``mean_reward``, and
        ``weights_text`` (as in URLs), the hierarchical search first, each search in its order.
        Scores of the zero vector are NaN.
    """
    named = ["search", "round", "point", "kind", "direction_key", "seconds", MEAN_REWARD]
    weights = spread(evaluations["weights"], [f"w_{name}" for name in objectives])
    frame = pd.concat(
        [
            evaluations[named],
            weights,
            spread(evaluations["means"], list(objectives)),
            spread(evaluations["standard_errors"], [f"{name}_se" for name in objectives]),
        ],
        axis=1,
    )
    frame["weights_text"] = [weights_text(row) for row in weights.to_numpy().tolist()]
    frame["is_other"] = frame["search"] != OWN_SEARCH
    ordered = frame.sort_values(["is_other", "search", "round", "point"], ignore_index=True)
    return ordered.drop(columns="is_other")


def distinct_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the first row of every weight vector: rounds lay grids over points seen before."""
    return frame.drop_duplicates("weights_text", ignore_index=True)


def best_path(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the hierarchical search's best point at the end of each round, the earlier of two."""
    scored = frame[frame[MEAN_REWARD].notna() & (frame["search"] == OWN_SEARCH)]
    rows = []
    for round_ in sorted(scored["round"].unique()):
        seen = scored[scored["round"] <= round_]
        rows.append(_best_row(seen).to_dict() | {"until_round": round_})
    return pd.DataFrame(rows, columns=[*frame.columns, "until_round"])


def boxes(evaluations: pd.DataFrame, rounds: pd.DataFrame, *, up_to_round: int) -> list[Box]:
    """Return the box of every round laid so far and the sub-box each finished round chose."""
    found = []
    own = evaluations[evaluations["search"] == OWN_SEARCH]
    for row in own.drop_duplicates("round").to_dict("records"):
        box = Box(row["round"], tuple(row["box_lower"]), tuple(row["box_upper"]), False)
        found.append(box)
    for row in rounds.to_dict("records"):
        box = Box(row["round"], tuple(row["chosen_lower"]), tuple(row["chosen_upper"]), True)
        found.append(box)
    return [box for box in found if box.round <= up_to_round]


def best_point(frame: pd.DataFrame, objectives: Sequence[str]) -> Point | None:
    """Return the point with the highest mean reward, the earlier one if two are equal."""
    scored = frame[frame[MEAN_REWARD].notna()]
    if scored.empty:
        return None
    return _point(_best_row(scored), objectives)


def point_at(frame: pd.DataFrame, weights: Weights, objectives: Sequence[str]) -> Point | None:
    """Return the evaluated point with these very weights, else one on the same ray, else None."""
    rows = frame[frame["weights_text"] == weights_text(weights)]
    if rows.empty:
        rows = frame[frame["direction_key"] == direction_key(weights)]
    return None if rows.empty else _point(rows.iloc[0], objectives)


def nearest_point(
    frame: pd.DataFrame, weights: Weights, objectives: Sequence[str]
) -> tuple[Point, float] | None:
    """Return the scored point whose direction is closest, and the angle to it in degrees."""
    scored = frame[frame[MEAN_REWARD].notna()]
    if scored.empty or not any(weights):
        return None
    rays = scored[[f"w_{name}" for name in objectives]].to_numpy()
    cosines = rays @ np.asarray(weights) / np.linalg.norm(rays, axis=1)
    point = _point(scored.iloc[int(np.argmax(cosines))], objectives)
    return point, angle_between(point.weights, weights)


def point_or_best(
    frame: pd.DataFrame, weights: Weights | None, objectives: Sequence[str]
) -> Point | None:
    """Return the point at ``weights``, else the nearest, else (nothing selected) the best."""
    if weights is None:
        return best_point(frame, objectives)
    nearest = nearest_point(frame, weights, objectives)
    return point_at(frame, weights, objectives) or (nearest[0] if nearest else None)


def is_at(point: Point | None, weights: Weights | None) -> bool:
    """Tell whether a point is on the ray of the weights."""
    if point is None or weights is None:
        return False
    return angle_between(point.weights, weights) < SAME_RAY_DEGREES


def point_row(point: Point | None, objectives: Sequence[str]) -> pd.DataFrame:
    """Return a point as one row in the columns of ``evaluation_frame``; no row without one."""
    weights = [f"w_{name}" for name in objectives]
    errors = [f"{name}_se" for name in objectives]
    columns = [*weights, *objectives, *errors, MEAN_REWARD, "weights_text"]
    if point is None:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
    numbers = [*point.weights, *point.scores, *point.standard_errors, point.mean_reward]
    return pd.DataFrame([[*numbers, point.text]], columns=columns)


def in_cube(weights: Weights) -> Weights:
    """Scale weights so that the largest is one; zero stays."""
    largest = max(weights)
    return tuple(weight / largest for weight in weights) if largest > 0 else weights


def with_shares(at: Weights, places: Sequence[int], shares: Sequence[float]) -> Weights:
    """Return a direction with other proportions of some weights, and the rest as it is.

    Args:
        at: The direction.
        places: Weights to divide anew.
        shares: Of these weights, summing to one.
    """
    total = sum(at)
    parts = [weight / total for weight in at] if total > 0 else [1 / len(at)] * len(at)
    rest = sum(part for place, part in enumerate(parts) if place not in places)
    if rest > 1 - SMALLEST_SHARE:  # nothing to divide: the others give way
        parts, rest = [0.0] * len(at), 0.0
    for place, share in zip(places, shares, strict=True):
        parts[place] = share * (1 - rest)
    return tuple(parts)


def searches(frame: pd.DataFrame) -> list[str]:
    """Return the searches that evaluated something, the hierarchical one first."""
    return [str(name) for name in frame["search"].unique()]


def distance_note(point: Point | None, weights: Weights | None) -> str:
    """Say how far a point is from the weights that were asked for; "" when it is that point."""
    if point is None or weights is None or point.text == weights_text(weights):
        return ""
    angle = angle_between(point.weights, weights)
    if angle < SAME_RAY_DEGREES:
        return f"The weights {weights_text(weights)} lie on the same ray: the very same ensemble."
    return (
        f"The weights {weights_text(weights)} are not evaluated; this is the nearest point, "
        f"{angle:.1f}° away."
    )


def angle_between(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the angle between two weight vectors in degrees; 0 if one is zero."""
    lengths = math.hypot(*one) * math.hypot(*other)
    if lengths == 0:
        return 0.0
    cosine = sum(a * b for a, b in zip(one, other, strict=True)) / lengths
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def last_round(frame: pd.DataFrame) -> int:
    """Return the last round of the hierarchical search that has points; 0 without one."""
    rounds = frame.loc[frame["search"] == OWN_SEARCH, "round"]
    return 0 if rounds.empty else int(rounds.max())


def point_note(point: Point, *, n_prompts: int) -> str:
    """Say where a point's numbers come from."""
    prompts = counted(n_prompts, "prompt")
    atlases = f"atlas of {prompts} knows" if n_prompts == 1 else f"atlases of {prompts} know"
    kinds = {
        "measured": f"Measured in round {point.round} on {prompts}.",
        "shared": f"Grid point of round {point.round}; it shares the score measured on its ray, "
        f"on {prompts}.",
        "zero": "All weights 0: no direction, so it is not evaluated.",
        "atlas": f"No search evaluated these very weights: the {atlases} what they write.",
    }
    return kinds.get(point.kind, "")


def value_range(frame: pd.DataFrame, value: str) -> tuple[float, float]:
    """Return the lowest and highest value of a column; (0, 1) when there is none."""
    values = frame[value].dropna()
    if values.empty:
        return 0.0, 1.0
    return float(values.min()), float(values.max())


def point_table(frame: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Return the columns of the points' table, best first, indexed like ``frame``."""
    columns: dict[str, pd.Series] = {"mean reward": frame[MEAN_REWARD]}
    columns |= {f"weight {name}": frame[f"w_{name}"] for name in objectives}
    for name in objectives:
        columns |= {name: frame[name], f"{name} ± se": frame[f"{name}_se"]}
    columns |= {"round": frame["round"], "kind": frame["kind"]}
    if frame["search"].nunique() > 1:
        columns["search"] = frame["search"]
    return pd.DataFrame(columns).sort_values("mean reward", ascending=False, kind="stable")


def hover_texts(frame: pd.DataFrame, objectives: Sequence[str]) -> list[str]:
    """Write what the map says about each point."""
    kinds = {
        "measured": "measured",
        "shared": "shares the score measured on its ray",
        "zero": "not evaluated: all weights 0 give no direction",
    }
    texts = []
    for row in frame.to_dict("records"):
        lines = [f"<b>mean reward {score_text(row[MEAN_REWARD])}</b>"]
        lines += [
            f"{name}: weight {weight_text(row[f'w_{name}'])}, "
            f"score {score_text(row[name], row[f'{name}_se'])}"
            for name in objectives
        ]
        lines.append(f"round {row['round']} · {kinds.get(row['kind'], row['kind'])}")
        texts.append("<br>".join(lines))
    return texts


def _best_row(scored: pd.DataFrame) -> pd.Series:
    return scored.iloc[int(scored[MEAN_REWARD].to_numpy().argmax())]


def _point(row: pd.Series, objectives: Sequence[str]) -> Point:
    return Point(
        weights=tuple(float(row[f"w_{name}"]) for name in objectives),
        direction_key=str(row["direction_key"]),
        round=int(row["round"]),
        kind=str(row["kind"]),
        scores=tuple(float(row[name]) for name in objectives),
        standard_errors=tuple(float(row[f"{name}_se"]) for name in objectives),
        mean_reward=float(row[MEAN_REWARD]),
    )
