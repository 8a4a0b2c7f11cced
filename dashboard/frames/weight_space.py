"""The evaluated weights: one row per grid point, boxes, the path of the best, the nearest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard.frames.numbers import score_text, spread, weight_text, weights_text
from engine.directions import direction_key
from engine.records import Weights

MEAN_REWARD = "mean_reward"
SAME_RAY_DEGREES = 1e-4
"""Directions closer than this are one ray; what is left is rounding."""


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
        ``round``, ``point``, ``kind``, ``direction_key``, ``seconds``, ``w_<objective>``,
        ``<objective>``, ``<objective>_se``, ``mean_reward``, and ``weights_text`` (as in URLs).
        Scores of the zero vector are NaN.
    """
    weights = spread(evaluations["weights"], [f"w_{name}" for name in objectives])
    frame = pd.concat(
        [
            evaluations[["round", "point", "kind", "direction_key", "seconds", MEAN_REWARD]],
            weights,
            spread(evaluations["means"], list(objectives)),
            spread(evaluations["standard_errors"], [f"{name}_se" for name in objectives]),
        ],
        axis=1,
    )
    frame["weights_text"] = [weights_text(row) for row in weights.to_numpy().tolist()]
    return frame.sort_values(["round", "point"], ignore_index=True)


def distinct_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the first row of every weight vector: rounds lay grids over points seen before."""
    return frame.drop_duplicates("weights_text", ignore_index=True)


def n_evaluated(frame: pd.DataFrame) -> int:
    """Count the different weight vectors that have a score; the zero vector has none."""
    return len(distinct_points(frame[frame["kind"] != "zero"]))


def filter_points(
    frame: pd.DataFrame, *, up_to_round: int, value: str, at_least: float, with_shared: bool
) -> pd.DataFrame:
    """Return the points of the first rounds that reach ``at_least``; zero has no score and stays.

    Args:
        frame: From ``evaluation_frame``.
        up_to_round: Last round to keep.
        value: Column compared with ``at_least``.
        at_least: Lowest value to keep.
        with_shared: False drops the points that share the score of another on their ray.
    """
    rows = frame[frame["round"] <= up_to_round]
    rows = rows[(rows[value] >= at_least) | rows[value].isna()]
    if not with_shared:
        rows = rows[rows["kind"] != "shared"]
    return rows.reset_index(drop=True)


def best_path(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the best point seen at the end of each round; equal rewards keep the earlier one."""
    scored = frame[frame[MEAN_REWARD].notna()]
    rows = []
    for round_ in sorted(scored["round"].unique()):
        seen = scored[scored["round"] <= round_]
        rows.append(_best_row(seen).to_dict() | {"until_round": round_})
    return pd.DataFrame(rows, columns=[*frame.columns, "until_round"])


def boxes(evaluations: pd.DataFrame, rounds: pd.DataFrame, *, up_to_round: int) -> list[Box]:
    """Return the box of every round laid so far and the sub-box each finished round chose."""
    found = []
    for row in evaluations.drop_duplicates("round").to_dict("records"):
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
    """Return the last round that has points."""
    return int(frame["round"].max())


def point_note(point: Point, *, n_prompts: int) -> str:
    """Say where a point's numbers come from."""
    kinds = {
        "measured": f"Measured in round {point.round} on {n_prompts} prompts.",
        "shared": f"Grid point of round {point.round}; it shares the score measured on its ray, "
        f"on {n_prompts} prompts.",
        "zero": "All weights 0: no direction, so it is not evaluated.",
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
    columns: dict[str, pd.Series] = {"mean reward": frame[MEAN_REWARD], "round": frame["round"]}
    columns |= {f"weight {name}": frame[f"w_{name}"] for name in objectives}
    columns |= {name: frame[name] for name in objectives}
    columns["kind"] = frame["kind"]
    columns |= {f"{name} ± se": frame[f"{name}_se"] for name in objectives}
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
