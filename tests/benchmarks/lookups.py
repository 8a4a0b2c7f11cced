"""How often a look-up in a finished run's atlases is another text than greedy decoding writes.

``python -m tests.benchmarks.lookups --run artifacts/runs/demo`` draws random weights, looks up the
responses of the stored atlases, and decodes the same prompts under the same weights with the
generic back end, which shares no forward with the one that built the atlases. A difference is a
*near tie* if decoding left the atlas's text at a step where the atlas's token was its runner-up,
by less than ``NEAR_TIE`` logits: the two back ends round differently. All others are *wrong*.
Wanted: none wrong. Weights in open cells are counted, and not compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emorl.atlas.rows import ScoredAtlas, scored_atlases
from emorl.config.files import read_config
from emorl.errors import DataError
from emorl.models.adapters import load_adapters
from emorl.models.policy import load_policy
from emorl.runs.folder import RunFolder
from emorl.runs.snapshots import snapshot_rows
from emorl.systems.ensemble import Ensemble

Floats = NDArray[np.float64]

NEAR_TIE = 1e-3
"""Largest margin in logits, at weights that sum to one, that rounding may turn over."""

_TIMED_WEIGHTS, _TIMED_PROMPTS = 10_000, 32


@dataclass(frozen=True, slots=True)
class Agreement:
    """Look-ups in the atlas of one prompt against decoding."""

    n_compared: int
    n_open: int
    near_ties: tuple[float, ...]
    """Margin of each near tie."""
    wrong: tuple[tuple[float, ...], ...]
    """Weights of each wrong look-up."""


def random_weights(n_weights: int, n_members: int, seed: int) -> Floats:
    """Return weights that are spread evenly over the simplex."""
    weights: Floats = np.random.default_rng(seed).dirichlet(np.ones(n_members), size=n_weights)
    return weights


def agreement(oracle: Ensemble, prompt: str, scored: ScoredAtlas, weights: Floats) -> Agreement:
    """Compare look-ups with what an ensemble decodes."""
    cells = scored.atlas.lookup(weights)
    is_open = np.array([scored.atlas.cells[cell].is_open for cell in cells])
    asked = weights[~is_open]
    decoded = oracle.generate([prompt], asked.tolist()) if len(asked) else []
    near_ties, wrong = [], []
    for vector, cell, (generated,) in zip(asked.tolist(), cells[~is_open], decoded, strict=True):
        own = scored.atlas.cells[cell]
        if generated.text == own.text:
            continue
        margin = _margin_at_parting(oracle, prompt, vector, own.tokens)
        if margin is not None and margin < NEAR_TIE:
            near_ties.append(margin)
        else:
            wrong.append(tuple(vector))
    return Agreement(len(asked), int(is_open.sum()), tuple(near_ties), tuple(wrong))


def _margin_at_parting(
    oracle: Ensemble, prompt: str, weights: Sequence[float], tokens: Sequence[int]
) -> float | None:
    """Return how far decoding preferred its token where it leaves other tokens for the first time.

    None if the other token was not its second choice there.
    """
    for step, other in zip(oracle.attribute(prompt, weights), tokens, strict=False):
        if step.token != other:
            return step.margin if step.runner_up == other else None
    return None


def look_up_seconds(scored: Sequence[ScoredAtlas], weights: Floats) -> float:
    """Return the wall time of looking up all weights in all atlases."""
    started = time.perf_counter()
    for one in scored:
        one.atlas.lookup(weights)
    return time.perf_counter() - started


def _stored(folder: RunFolder) -> tuple[list[ScoredAtlas], dict[int, str]]:
    tables = [snapshot_rows(folder, n) for n in ("atlases", "atlas_branches", "atlas_cells")]
    scored = [one for one in scored_atlases(*tables) if one.split == "aggregation"]
    if not scored:
        raise DataError(
            f"Need a run whose prompts are mapped, and {folder.root} has no atlas. Map it: "
            f"`emorl atlas {folder.run_id}`."
        )
    rows = [row for row in snapshot_rows(folder, "prompts") if row["split"] == "aggregation"]
    return scored, {row["prompt_index"]: row["prompt"] for row in rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--weights", type=int, default=10_000, help="per prompt; default: 10000")
    parser.add_argument("--prompts", type=int, default=8, help="default: 8")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    folder = RunFolder(options.run)
    config = read_config(folder.config)
    torch.set_num_threads(config.threads)
    scored, prompts = _stored(folder)
    names = config.objectives
    adapters = {name: folder.adapters / name for name in names}
    policy = load_adapters(load_policy(config.policy), adapters)
    oracle = Ensemble(policy, names, backend="generic")
    weights = random_weights(options.weights, len(names), options.seed)
    started = time.perf_counter()
    found = []
    for one in scored[: options.prompts]:
        found.append(agreement(oracle, prompts[one.prompt_index], one, weights))
        print(
            f"prompt {one.prompt_index + 1}: {found[-1].n_compared} compared, "
            f"{len(found[-1].wrong)} wrong, {len(found[-1].near_ties)} near ties, "
            f"{found[-1].n_open} in open cells"
        )
    margins = [margin for one in found for margin in one.near_ties]
    wrong = [vector for one in found for vector in one.wrong]
    print(
        f"{sum(one.n_compared for one in found)} look-ups, {len(wrong)} wrong, {len(margins)} "
        f"near ties (margins below {NEAR_TIE} logits"
        + (f"; the largest {max(margins):.1e}" if margins else "")
        + f"), {time.perf_counter() - started:.0f} s"
    )
    for vector in wrong[:5]:
        print(f"wrong at {list(vector)}")
    timed = [scored[place % len(scored)] for place in range(_TIMED_PROMPTS)]
    seconds = look_up_seconds(timed, random_weights(_TIMED_WEIGHTS, len(names), 1))
    print(f"{_TIMED_WEIGHTS} x {_TIMED_PROMPTS} look-ups take {seconds:.2f} s")


if __name__ == "__main__":
    main()
