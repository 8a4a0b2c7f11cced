"""Ways to answer the prompts of a run, side by side: each with its scores and texts by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from emorl.atlas.rows import ScoredAtlas
from emorl.records import Split, Weights
from emorl.weights import direction_key
from emorl_dashboard.frames.numbers import spread, weights_text
from emorl_dashboard.frames.runs import system_label

MEAN_REWARD = "mean_reward"
CERTIFIED = "certified"
EQUAL = "equal"
BASE = "base"


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What the store holds of one run: published tables, and the atlases of one split."""

    split: Split
    evaluations: pd.DataFrame
    responses: pd.DataFrame
    systems: pd.DataFrame
    system_responses: pd.DataFrame
    certificates: pd.DataFrame
    scored: Sequence[ScoredAtlas]


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One way to answer; ``scores`` and ``texts`` are indexed by prompt, and may be empty."""

    key: str
    label: str
    weights: Weights | None
    """None for the base."""
    scores: pd.DataFrame
    """One column per objective; prompts without a score are left out."""
    texts: pd.Series

    @property
    def is_known(self) -> bool:
        """Whether any prompt has a score."""
        return not self.scores.empty

    @property
    def rewards(self) -> pd.Series:
        """Return the mean reward by prompt."""
        return self.scores.mean(axis=1)


def found_by_search(evaluations: pd.DataFrame) -> dict[str, Weights]:
    """Return the best evaluated weights of each search; the earlier ones of equal rewards.

    Args:
        evaluations: The table ``evaluations``.
    """
    scored = evaluations[evaluations[MEAN_REWARD].notna()]
    found = {}
    for name, rows in scored.groupby("search", sort=False):
        best = rows.iloc[int(rows[MEAN_REWARD].to_numpy().argmax())]
        found[str(name)] = tuple(float(weight) for weight in best["weights"])
    return found


def methods(
    tables: Tables, objectives: Sequence[str], others: Sequence[Weights] = ()
) -> list[Method]:
    """Return all ways to answer that the store tells of, also those without numbers here.

    Numbers come from what was generated for a system, else from the atlases, else from the
    evaluated responses. All are greedy.

    Args:
        tables: What the store holds.
        objectives: Names of weights and scores.
        others: More weights to look up, none all zero; those that a method has are not repeated.
    """
    generated = _systems(tables, objectives)
    wanted = _directions(tables, objectives)
    for weights in others:
        keys = {direction_key(known) for _, known in wanted.values()}
        if direction_key(weights) not in keys:
            text = weights_text(weights)
            wanted[f"weights {text}"] = (f"Weights {text}", weights)
    found = [generated[BASE]] if BASE in generated else []
    for key, (label, weights) in wanted.items():
        same = next((one for one in generated.values() if _is_same(one, weights)), None)
        if same is None:
            found.append(_of_direction(key, label, weights, tables, objectives))
        else:
            found.append(replace(same, key=key, label=label))
    directions = {direction_key(weights) for _, weights in wanted.values()}
    rest = [
        one
        for one in generated.values()
        if one.weights is not None and direction_key(one.weights) not in directions
    ]
    return [*found, *rest]


def _directions(tables: Tables, objectives: Sequence[str]) -> dict[str, tuple[str, Weights]]:
    n = len(objectives)
    found = {
        f"adapter:{name}": (
            system_label(f"adapter:{name}"),
            tuple(float(other == name) for other in objectives),
        )
        for name in objectives
    }
    found[EQUAL] = ("Equal weights", (1.0,) * n)
    for search, weights in found_by_search(tables.evaluations).items():
        found[search] = (f"{search.capitalize()} search", weights)
    for row in tables.certificates.to_dict("records"):
        found[CERTIFIED] = ("Certified search", tuple(map(float, row["weights"])))
    return found


def _is_same(method: Method, weights: Weights) -> bool:
    return method.weights is not None and direction_key(method.weights) == direction_key(weights)


def _systems(tables: Tables, objectives: Sequence[str]) -> dict[str, Method]:
    if tables.split != "inference":  # systems are scored on these prompts only
        return {}
    rows = tables.systems[tables.systems["decoding"] == "greedy"]
    texts = tables.system_responses[tables.system_responses["decoding"] == "greedy"]
    found = {}
    for row in rows.to_dict("records"):
        own = texts[texts["system"] == row["system"]]
        weights = None if row["weights"] is None else tuple(map(float, row["weights"]))
        name = str(row["system"])
        found[name] = _method(name, system_label(name), weights, own, objectives)
    return found


def _method(
    key: str, label: str, weights: Weights | None, rows: pd.DataFrame, objectives: Sequence[str]
) -> Method:
    scores = spread(rows["scores"], objectives).set_axis(rows["prompt_index"].to_numpy())
    texts = pd.Series(rows["text"].to_numpy(), scores.index, dtype=object)
    return Method(key, label, weights, scores.dropna(), texts)


def _of_direction(
    key: str, label: str, weights: Weights, tables: Tables, objectives: Sequence[str]
) -> Method:
    rows = pd.DataFrame(_looked_up(tables.scored, weights), columns=_ROW)
    if tables.split == "aggregation":
        own = tables.responses[tables.responses["direction_key"] == direction_key(weights)]
        new = own[~own["prompt_index"].isin(rows["prompt_index"])][list(_ROW)]
        rows = pd.concat([rows, new], ignore_index=True) if len(rows) else new
    return _method(key, label, weights, rows.sort_values("prompt_index"), objectives)


_ROW = ("prompt_index", "text", "scores")


def _looked_up(
    scored: Sequence[ScoredAtlas], weights: Weights
) -> list[tuple[int, str, list[float]]]:
    rows = []
    for one in scored:
        cell = int(one.atlas.lookup([weights])[0])
        if not one.atlas.cells[cell].is_open:
            scores = one.scores[cell].tolist()
            rows.append((one.prompt_index, one.atlas.cells[cell].text, scores))
    return rows


def reference_key(known: Sequence[Method], wanted: str) -> str:
    """Return the wanted reference, else the base, equal weights, or the first there is."""
    keys = [method.key for method in known]
    return next(key for key in (wanted, BASE, EQUAL, *keys) if key in keys)


def key_of(known: Sequence[Method], weights: Weights | None) -> str:
    """Return the key of the first method with these weights, up to scale; "" if none has them."""
    if weights is None:
        return ""
    return next((method.key for method in known if _is_same(method, weights)), "")


def cost_table(
    known: Sequence[Method],
    adapters: pd.DataFrame,
    evaluations: pd.DataFrame,
    certificates: pd.DataFrame,
    atlases: pd.DataFrame,
    n_prompts: int,
) -> pd.DataFrame:
    """Return what each method took, from nothing to its weights; scoring it here is not counted.

    Args:
        known: The methods.
        adapters: The table ``adapters``.
        evaluations: The table ``evaluations``.
        certificates: The table ``certificates``.
        atlases: The table ``atlases``; a search in an atlas costs what the atlas cost.
        n_prompts: Prompts of the aggregation split, which an evaluation reads.

    Returns:
        ``method``, ``training data points`` and ``training seconds`` (all adapters, one after
        the other), ``measured directions``, ``search data points`` and ``search seconds``.
    """
    mapped = atlases[atlases["split"] == "aggregation"]
    mapping = float(mapped["seconds"].sum())
    measured = evaluations[evaluations["kind"] == "measured"]
    rows = []
    for method in known:
        own = adapters
        if method.key == BASE:
            own = adapters.iloc[:0]
        elif method.key.startswith("adapter:"):
            own = adapters[adapters["adapter"] == method.key.removeprefix("adapter:")]
        n, points, seconds = 0, 0, 0.0
        searched = measured[measured["search"] == method.key]
        if len(searched):
            n, points = len(searched), len(searched) * n_prompts
            seconds = float(searched["seconds"].sum()) + mapping
        elif method.key == CERTIFIED:
            points = len(mapped)
            seconds = mapping + float(certificates["seconds"].sum())
        trained = (int(own["data_points"].sum()), float(own["seconds"].sum()))
        rows.append((method.label, *trained, n, points, seconds))
    columns = ["method", "training data points", "training seconds", "measured directions"]
    return pd.DataFrame(rows, columns=[*columns, "search data points", "search seconds"])
