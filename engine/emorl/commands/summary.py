"""``emorl summary``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from emorl.runs.folder import existing_run
from emorl.runs.summary import summarise


def summary(options: argparse.Namespace) -> int:
    """Print what a run found, as JSON or as a table."""
    found = summarise(existing_run(options.artifacts, options.run))
    print(json.dumps(found, indent=2) if options.json else _table(found))
    return 0


def _table(found: dict[str, Any]) -> str:
    objectives = found["objectives"]
    prompts = found["prompts"]
    lines = [
        f"Run {found['run']}: {found['state']}; prompts {prompts['train']} train, "
        f"{prompts['aggregation']} aggregation, {prompts['inference']} inference",
        "",
        "Greedy, inference split".ljust(26)
        + "".join(f"{name:>12}" for name in objectives)
        + f"{'mean':>12}",
        _row("base", found["base"], objectives),
        *(_row(f"adapter {name}", found["adapters"][name], objectives) for name in objectives),
        _row("best ensemble", (found["best"] or {}).get("scores"), objectives),
        "",
    ]
    if found["best"]:
        weights = ", ".join(
            f"{name} {weight:g}"
            for name, weight in zip(objectives, found["best"]["weights"], strict=True)
        )
        lines.append(f"Best weights: {weights}")
    if found["mean_reward_span"] is not None:
        lines.append(
            f"{found['evaluations']} grid points, {found['measured_directions']} directions "
            f"measured; their mean rewards span {found['mean_reward_span']:.3f}"
        )
    atlas = found["atlas"]
    if atlas:
        lines.append(
            f"Atlas: {atlas['responses']} responses to {atlas['prompts']} prompts, "
            f"{100 * atlas['covered']:.3f} % of all weights covered"
        )
        if atlas["certificate"]:
            proof = atlas["certificate"]
            regret, is_known = proof["regret"], proof["radius"] is not None
            none = "none but all-zero" if regret is not None and regret < 0 else "no"
            weights = ", ".join(f"{weight:.3f}" for weight in proof["weights"])
            lines.append(
                f"Proven: {none} weights have a mean reward above {proof['upper_bound']:.4f} on "
                f"the aggregation prompts; the best found have {'' if is_known else 'at least '}"
                f"{proof['mean_reward']:.4f} (weights {weights})"
            )
    lines += [
        f"Cost, {name}: {cost['data_points']:,.0f} data points, {cost['seconds']:,.0f} s"
        for name, cost in found["cost"].items()
    ]
    if found["backend"]:
        lines.append(f"Ensembles were decoded by the back end {found['backend']}")
    lines += [f"Warning: {warning}" for warning in found["warnings"]]
    return "\n".join(lines)


def _row(name: str, scores: dict[str, float] | None, objectives: list[str]) -> str:
    if scores is None:
        return f"{name:<26}" + "not scored yet".rjust(12)
    values = [scores[objective] for objective in objectives]
    return f"{name:<26}" + "".join(f"{v:>12.3f}" for v in [*values, sum(values) / len(values)])
