"""``emorl atlas``, and the certified search of ``emorl search``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from emorl.commands.progress import Bars, quieten_transformers
from emorl.errors import ConfigError
from emorl.runs.folder import RunFolder, existing_run
from emorl.runs.snapshots import snapshot_rows

if TYPE_CHECKING:
    from emorl.search.certified import SearchBudget


def atlas(options: argparse.Namespace) -> int:
    """Find every response that any weights give to prompts of a run, or to one's own."""
    from emorl.decoding.atlas import AtlasBudget

    if options.prompt and options.split is not None:
        raise ConfigError(
            f"--split {options.split} is for the run's own prompts, and --prompt gives others. "
            "Leave one of them out."
        )
    split = options.split or "aggregation"
    folder = existing_run(options.artifacts, options.run)
    budget = None
    if options.nodes is not None or options.seconds is not None:
        budget = AtlasBudget(options.nodes, options.seconds)
    _explore(
        folder,
        quiet=options.quiet,
        own_prompts=options.prompt,
        split=split,
        budget=budget,
        check=options.check,
    )
    if not options.quiet:
        print(_told(folder, "own" if options.prompt else split, options.prompt))
    return 0


def certify(folder: RunFolder, proof: SearchBudget, *, quiet: bool) -> int:
    """Prove which weights are best for the aggregation prompts of a run."""
    _explore(folder, quiet=quiet, proof=proof)
    if not quiet:
        print(_proven(snapshot_rows(folder, "certificates")[0], snapshot_rows(folder, "front")))
    return 0


def _explore(folder: RunFolder, *, quiet: bool, **settings: Any) -> None:
    # Imported here: Torch takes seconds, and wrong input should be told at once.
    from emorl.execution.pipeline import explore

    quieten_transformers()
    explore(folder, Bars(quiet=quiet), **settings)


def _told(folder: RunFolder, split: str, prompts: list[str]) -> str:
    texts = {
        row["prompt_index"]: row["prompt"]
        for row in snapshot_rows(folder, "prompts")
        if row["split"] == split
    }
    asked = {index for index, text in texts.items() if text in {p.strip() for p in prompts}}
    rows = [row for row in snapshot_rows(folder, "atlases") if row["split"] == split]
    if split != "own":
        return _totals(rows)
    lines = []
    cells = [row for row in snapshot_rows(folder, "atlas_cells") if row["split"] == split]
    for row in rows:
        if row["prompt_index"] not in asked:
            continue
        lines.append(f"{texts[row['prompt_index']]}\n{_totals([row])}")
        own = [cell for cell in cells if cell["prompt_index"] == row["prompt_index"]]
        lines += [
            f"{100 * cell['area']:8.3f} %  {cell['text']}{' ...' if cell['is_open'] else ''}"
            for cell in sorted(own, key=lambda cell: -cell["area"])
        ]
    return "\n".join(lines)


def _totals(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No prompts."
    covered = sum(row["covered"] for row in rows) / len(rows)
    return (
        f"{len(rows)} prompts, {sum(row['n_cells'] for row in rows)} responses, "
        f"{100 * covered:.3f} % of the weights covered, "
        f"{sum(row['node_forwards'] for row in rows)} prefixes read, "
        f"{sum(row['seconds'] for row in rows):.1f} s"
    )


def _proven(proof: dict[str, Any], front: list[dict[str, Any]]) -> str:
    weights = ", ".join(f"{weight:.4f}" for weight in proof["weights"])
    is_known = proof["area"] > 0
    lines = [
        f"Best weights: {weights}; mean reward {'' if is_known else 'at least '}"
        f"{proof['mean_reward']:.4f}, and none has more than {proof['upper_bound']:.4f} (gap "
        f"{proof['gap']:.4f}).",
        f"They may move by {proof['radius']:.4f} in any direction without a change of any text."
        if is_known
        else "How far they may move is not known: responses there are longer than was read.",
        f"{proof['regions']} regions looked at in {proof['seconds']:.1f} s.",
    ]
    if proof["regret"] is not None and proof["regret"] >= 0:
        lines.append(f"The hierarchical search stayed {proof['regret']:.4f} below.")
    elif proof["regret"] is not None:
        lines.append(
            f"The hierarchical search found {-proof['regret']:.4f} more with all weights zero, "
            "which is no mix of the objectives: nothing is proven about it."
        )
    complete = bool(front) and all(row["is_complete"] for row in front)
    lines.append(
        f"Exact front: {len(front)} combinations of objective means that no weights dominate"
        + ("." if complete else " found within the budget; there may be more.")
    )
    return "\n".join(lines)
