"""A run in one dictionary: what it found and what it cost.

Scores are greedy and on the inference split, but for ``own_reward`` (sampled at temperature 1)
and ``mean_reward_span`` (of the evaluated weights, on the aggregation split).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from emorl.config.files import read_config
from emorl.runs.cost import count_cost
from emorl.runs.folder import RunFolder
from emorl.runs.snapshots import snapshot_rows

Summary = dict[str, Any]


def summarise(folder: RunFolder) -> Summary:
    """Return the summary of a run; parts that are not there yet are None or empty."""
    objectives = list(read_config(folder.config).objectives)
    systems = {(row["system"], row["decoding"]): row for row in snapshot_rows(folder, "systems")}
    evaluations = snapshot_rows(folder, "evaluations")
    rewards = [row["mean_reward"] for row in evaluations if row["mean_reward"] is not None]
    status = folder.read_status()
    return {
        "run": folder.run_id,
        "state": status.state() if status else "died",
        "warnings": list(status.warnings) if status else [],
        "backend": status.backend if status else "",
        "objectives": objectives,
        "base": _scores(systems.get(("base", "greedy")), objectives),
        "adapters": {
            name: _adapter(systems.get((f"adapter:{name}", "greedy")), objectives)
            for name in objectives
        },
        "own_reward": {
            name: {
                "base": _score(systems.get(("base", "sampled")), position),
                "adapter": _score(systems.get((f"adapter:{name}", "sampled")), position),
            }
            for position, name in enumerate(objectives)
        },
        "best": _best(systems.get(("best", "greedy")), objectives),
        "evaluations": len(evaluations),
        "measured_directions": sum(row["kind"] == "measured" for row in evaluations),
        "mean_reward_span": max(rewards) - min(rewards) if rewards else None,
        "prompts": _prompts(folder),
        "cost": cost(folder),
        "atlas": _atlas(folder),
    }


def _atlas(folder: RunFolder) -> Summary | None:
    """Return what the aggregation prompts' atlases cover and prove; None without them."""
    rows = _aggregation_atlases(folder)
    if not rows:
        return None
    proofs = snapshot_rows(folder, "certificates")
    return {
        "prompts": len(rows),
        "responses": sum(row["n_cells"] for row in rows),
        "covered": sum(row["covered"] for row in rows) / len(rows),
        "node_forwards": sum(row["node_forwards"] for row in rows),
        "seconds": sum(row["seconds"] for row in rows),
        "certificate": _certificate(proofs[0]) if proofs else None,
        "front": len(snapshot_rows(folder, "front")),
    }


def _certificate(row: Summary) -> Summary:
    """Return what is proven; the radius is None where nothing is known around the weights."""
    kept = ("weights", "mean_reward", "upper_bound", "gap", "radius", "regret")
    told = {name: row[name] for name in kept}
    return told | {"radius": row["radius"] if row["area"] > 0 else None}


def _aggregation_atlases(folder: RunFolder) -> list[Summary]:
    return [row for row in snapshot_rows(folder, "atlases") if row["split"] == "aggregation"]


def cost(folder: RunFolder) -> dict[str, dict[str, float]]:
    """Return what a run consumed: ``parallel`` and ``total``, as ``emorl.runs.cost`` counts."""
    tables = ("training_steps", "evaluations", "prompts", "responses", "atlases")
    spent = count_cost(*(snapshot_rows(folder, name) for name in tables))
    return {"parallel": asdict(spent.parallel), "total": asdict(spent.total)}


def _prompts(folder: RunFolder) -> dict[str, int]:
    splits = [row["split"] for row in snapshot_rows(folder, "prompts")]
    return {split: splits.count(split) for split in ("train", "aggregation", "inference")}


def _scores(row: dict[str, Any] | None, objectives: list[str]) -> dict[str, float] | None:
    return dict(zip(objectives, row["means"], strict=True)) if row else None


def _score(row: dict[str, Any] | None, position: int) -> float | None:
    return row["means"][position] if row else None


def _adapter(row: dict[str, Any] | None, objectives: list[str]) -> dict[str, float] | None:
    scores = _scores(row, objectives)
    return (
        None
        if scores is None or row is None
        else scores | {"distinct_responses": row["n_distinct"]}
    )


def _best(row: dict[str, Any] | None, objectives: list[str]) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "weights": list(row["weights"]),
        "scores": _scores(row, objectives),
        "mean_reward": row["mean_reward"],
    }
