"""What mapping a finished run costs against evaluating its search, counted in node-forwards.

``python -m tests.benchmarks.own_run --run artifacts/runs/demo``. Everything is as the run has it:
all aggregation prompts, their padding, the end of sequence, its adapters. A node-forward reads one
prefix of one prompt with all members. Decoded plainly, an evaluation reads every prefix of every
response anew; our own search reads a prefix once for all weights, so that it is told apart.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emorl.decoding.tree import PrefixTree
from emorl.inference import load_ensemble
from emorl.runs.folder import RunFolder
from emorl.runs.snapshots import snapshot_rows
from emorl.systems.ensemble import Ensemble
from emorl.weights import canonical_direction


def measure(folder: Path) -> dict[str, Any]:
    """Map all aggregation prompts, and decode the directions that the search measured."""
    run = RunFolder(folder)
    rows = snapshot_rows(run, "prompts")
    prompts = [row["prompt"] for row in rows if row["split"] == "aggregation"]
    evaluated = [tuple(row["weights"]) for row in snapshot_rows(run, "evaluations")]
    directions = sorted({canonical_direction(weights) for weights in evaluated if any(weights)})
    mapping = load_ensemble(folder)
    atlases, atlas_seconds = _timed(lambda: mapping.atlases(prompts))
    searching = Ensemble(mapping.policy, mapping.members)
    texts, search_seconds = _timed(lambda: searching.generate(prompts, directions))
    trees: list[PrefixTree] = searching.trees.trees
    plain = sum(text.n_tokens for response in texts for text in response)
    nodes = sum(atlas.node_forwards for atlas in atlases)
    return {
        "prompts": len(prompts),
        "evaluations": len(evaluated),
        "directions": len(directions),
        "responses per prompt": sum(len(atlas.cells) for atlas in atlases) / len(atlases),
        "covered": float(np.mean([atlas.covered for atlas in atlases])),
        "node-forwards of the atlases": nodes,
        "node-forwards of the directions, plainly": plain,
        "node-forwards of the directions, in one tree": sum(tree.n_forwards for tree in trees),
        "plainly over atlases": plain / nodes,
        "seconds of the atlases": atlas_seconds,
        "seconds of the directions, in one tree": search_seconds,
    }


def _timed(work: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = measure(options.run)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(
            f"{name:<46}{value:>14,.4g}" if isinstance(value, float) else f"{name:<46}{value:>14,}"
        )


if __name__ == "__main__":
    main()
