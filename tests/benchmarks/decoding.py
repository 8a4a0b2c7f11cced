"""What ensemble decoding costs, in units of one plain ``generate`` of one merged model.

Run ``python -m tests.benchmarks.decoding --quick`` for the target shape (T5-small, close
adapters), or without ``--quick`` for all shapes; ``--json`` for scripts. All candidates run
interleaved in this process; a figure is the median of its ratios to the plain ``generate`` of the
same repetition.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emorl.decoding.atlas import AtlasBudget, build_atlases
from emorl.decoding.backend import Forward
from emorl.decoding.choice import choose_backend
from emorl.decoding.forward import HuggingFaceForward
from emorl.decoding.tree import PrefixTree
from emorl.models.policy import Policy
from emorl.records import Measurement, Weights
from emorl.search import hierarchical
from emorl.search.driver import run_search
from emorl.weights import WeightSpace, canonical_direction
from tests.benchmarks.rivals import (
    cached_ensemble,
    merged_copies,
    plain_generate,
    reference_ensemble,
)
from tests.benchmarks.shapes import MEMBERS, SHAPES, build_policy, prompts

Floats = NDArray[np.float64]

EVALUATIONS = 135
"""Of a five-round search as published, each a decoding of all prompts."""

NEAR_TIE = 2e-5
"""Relative gap of the two largest scores below which rounding may decide."""

ONE = (0.5, 0.3, 0.2)


@dataclass(slots=True)
class Case:
    """One model with its prompts."""

    name: str
    policy: Policy
    members: Sequence[str]
    ids: Tensor
    mask: Tensor
    n_tokens: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def tree(self, make: Callable[[], Forward]) -> PrefixTree:
        """Return a tree that has read the prompts and nothing else."""
        return PrefixTree(
            make(),
            self.ids,
            self.mask,
            max_new_tokens=self.n_tokens,
            eos_token_ids=(),
            memory_mib=4096,
        )


def grid27() -> Floats:
    """Return the directions of a first round: 3 points per axis without the origin."""
    axis = (0.0, 0.5, 1.0)
    points = [(a, b, c) for a in axis for b in axis for c in axis if a or b or c]
    return np.array(sorted({canonical_direction(point) for point in points}))


def search(tree: PrefixTree) -> int:
    """Do a five-round hierarchical search with made-up scores; return its decoded directions."""
    n_directions = 0

    def measure(weights: Sequence[Weights]) -> list[Measurement]:
        nonlocal n_directions
        n_directions += len(weights)
        texts = tree.decode(np.array([canonical_direction(w) for w in weights]))
        return [_scored(w, texts[place]) for place, w in enumerate(weights)]

    space = WeightSpace(MEMBERS)
    searcher = hierarchical.load(hierarchical.Config(), space, seed=0)
    for _ in run_search(searcher, measure, space, at_once=27):
        pass
    return n_directions


def _scored(weights: Weights, texts: Sequence[Sequence[int]]) -> Measurement:
    """Score by the tokens alone, so that the search has something to follow."""
    values = [np.mean([(sum(t) * (7 + i)) % 101 / 101 for t in texts]) for i in range(3)]
    means = tuple(map(float, values))
    return Measurement(
        direction=canonical_direction(weights),
        means=means,
        standard_errors=means,
        responses=(),
        seconds=0.0,
    )


def measure(case: Case, repetitions: int, *, with_rivals: bool = True) -> None:
    """Run every candidate ``repetitions`` times, one after the other in each repetition."""
    backend = choose_backend(case.policy, tuple(case.members))
    copies = merged_copies(case.policy, case.members)
    short = replace(case, ids=case.ids[:1], mask=case.mask[:1], n_tokens=2, facts={})
    for candidate in _candidates(short, backend.make, copies, with_rivals=with_rivals).values():
        candidate()  # the first call loads code
    candidates = _candidates(case, backend.make, copies, with_rivals=with_rivals)
    candidates["plain"]()  # it runs first: the memory of this size is taken before
    weight = torch.tensor(ONE, device=case.ids.device)
    reference_runs = max(1, repetitions // 3)
    for repetition in range(repetitions):
        for name, candidate in candidates.items():
            case.seconds.setdefault(name, []).append(_timed(candidate))
        if with_rivals and repetition < reference_runs:
            case.seconds.setdefault("reference_one", []).append(
                _timed(lambda: reference_ensemble(copies, case.ids, weight, case.n_tokens))
            )
    case.facts["backend"] = backend.name
    _count_mismatches(case, copies, backend.make, grid27())


def _candidates(
    case: Case, make: Callable[[], Forward], copies: Sequence[Any], *, with_rivals: bool
) -> dict[str, Callable[[], Any]]:
    one = np.array([canonical_direction(ONE)])
    weight = torch.tensor(ONE, device=case.ids.device)
    ids, mask, n = case.ids, case.mask, case.n_tokens

    def atlas(tree: PrefixTree) -> PrefixTree:
        case.facts["atlases"] = build_atlases(tree, lambda _: "", AtlasBudget(20_000))
        return tree

    def generic() -> Forward:
        return HuggingFaceForward(case.policy, case.members)

    candidates: dict[str, Callable[[], Any]] = {
        "plain": lambda: plain_generate(copies[0], ids, mask, n),
        "one_weight": lambda: case.tree(make).decode(one),
        "grid27": lambda: case.tree(make).decode(grid27()),
        "search5": lambda: search(atlas(case.tree(make))),
        "search5_without_atlas": lambda: search(case.tree(make)),
        "atlas": lambda: atlas(case.tree(make)),
    }
    if with_rivals:
        candidates |= {
            "copies_with_cache": lambda: cached_ensemble(copies, ids, weight, n),
            "peft_adapter_names": lambda: case.tree(generic).decode(one),
        }
    return candidates


def _timed(candidate: Callable[[], Any]) -> float:
    _wait()
    started = time.perf_counter()
    candidate()
    _wait()
    return time.perf_counter() - started


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _count_mismatches(
    case: Case, copies: Sequence[Any], make: Callable[[], Forward], grid: Floats
) -> None:
    """Compare the tree's tokens with those of merged copies, every vector for every prompt."""
    ours = [text for texts in case.tree(make).decode(grid) for text in texts]
    weights = torch.tensor(grid, dtype=torch.float32, device=case.ids.device)
    per_row = weights.repeat_interleave(len(case.ids), dim=0)
    ids = case.ids.repeat(len(grid), 1)
    theirs, gaps = cached_ensemble(copies, ids, per_row, case.n_tokens)
    wrong = near = 0
    for mine, other, gap in zip(ours, theirs.tolist(), gaps.tolist(), strict=True):
        first = next((i for i, token in enumerate(mine) if token != other[i]), None)
        if first is not None and gap[first] < NEAR_TIE:
            near += 1
        elif first is not None:
            wrong += 1
    case.facts |= {"mismatches": wrong, "near_ties": near, "tokens_compared": theirs.numel()}


def report(case: Case) -> dict[str, Any]:
    """Return the figures of one case."""
    plain = case.seconds["plain"]
    found: dict[str, Any] = {"shape": case.name, "backend": case.facts["backend"]}
    found["plain_seconds"] = statistics.median(plain)
    found["tokens_per_second"] = case.ids.shape[0] * case.n_tokens / found["plain_seconds"]
    for name, seconds in case.seconds.items():
        if name != "plain":
            ratios = [own / unit for own, unit in zip(seconds, plain, strict=False)]
            found[name] = statistics.median(ratios)
            found[f"{name}_spread"] = [min(ratios), max(ratios)]
    if "reference_one" in found:
        # Extrapolated: one evaluation is measured, a search has 135 of the same size.
        reference = EVALUATIONS * found["reference_one"]
        found["reference_search_extrapolated"] = reference
        found["reference_over_search"] = reference / found["search5"]
        found["reference_over_atlas"] = reference / found["atlas"]
    atlases = case.facts.get("atlases", [])
    if atlases:
        found["cells_per_prompt"] = sum(len(a.cells) for a in atlases) / len(atlases)
        found["node_forwards_per_prompt"] = sum(a.node_forwards for a in atlases) / len(atlases)
        found["covered"] = sum(a.covered for a in atlases) / len(atlases)
    for name in ("mismatches", "near_ties", "tokens_compared"):
        found[name] = case.facts[name]
    return found


def cases(options: argparse.Namespace) -> list[Callable[[], Case]]:
    """Return how to make each case; they are made one at a time, as they are large."""
    names = options.shapes
    if names is None:
        names = ["t5-small"] if options.quick else list(SHAPES)
    spreads = (
        [options.spread] if options.spread else ["close"] if options.quick else ["close", "far"]
    )

    def make(name: str, spread: str) -> Case:
        shape = SHAPES[name]
        policy = build_policy(shape, spread, device=options.device)
        ids, mask = prompts(policy, shape, options.prompts)
        return Case(f"{name} {spread}", policy, MEMBERS, ids, mask, options.tokens)

    made: list[Callable[[], Case]] = [
        partial(make, name, spread) for name in names for spread in spreads
    ]
    if options.run is not None:
        return [*made, partial(_run_case, options)]
    return made


def _run_case(options: argparse.Namespace) -> Case:
    from emorl.inference import load_ensemble
    from emorl.runs.folder import RunFolder
    from emorl.runs.snapshots import snapshot_rows

    ensemble = load_ensemble(options.run)
    rows = snapshot_rows(RunFolder(options.run), "prompts")
    texts = [row["prompt"] for row in rows if row["split"] == "aggregation"][: options.prompts]
    ids, mask = ensemble.policy.encode(texts)
    if not bool(mask.all()):  # the rivals read prompts without padding
        length = int(mask.sum(1).min())
        ids, mask = ids[:, :length], mask[:, :length]
    return Case(
        f"run {options.run.name}", ensemble.policy, ensemble.members, ids, mask, options.tokens
    )


def _table(found: dict[str, Any]) -> str:
    lines = [
        f"{found['shape']} ({found['backend']}), plain generate {found['plain_seconds']:.3f} s"
    ]
    for name, value in found.items():
        if name in ("shape", "backend", "plain_seconds") or name.endswith("_spread"):
            continue
        spread = found.get(f"{name}_spread")
        told = f"   [{spread[0]:.2f}, {spread[1]:.2f}]" if spread else ""
        lines.append(f"  {name:<32}{value:>12.4g}{told}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="T5-small shape, close adapters only")
    parser.add_argument("--json", action="store_true", help="one JSON object per case and line")
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, help="only these shapes, or none")
    parser.add_argument("--spread", choices=("close", "far"), help="only these adapters")
    parser.add_argument("--run", type=Path, help="folder of a finished run: its own adapters too")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--repetitions", type=int, help="default: 5, quick: 3")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    repetitions = options.repetitions or (3 if options.quick else 5)
    torch.set_num_threads(options.threads)
    for make in cases(options):
        case = make()
        measure(case, repetitions)
        found = report(case)
        print(json.dumps(found) if options.json else _table(found), flush=True)


if __name__ == "__main__":
    main()
