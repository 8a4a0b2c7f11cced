"""What decoding takes of a machine's memory, against its budget.

``python -m tests.benchmarks.memory`` decodes prompts of the T5-small shape, or those of a run
(``--run artifacts/runs/demo``), under 26 weight vectors, once per budget and each time in a
process of its own. What it takes is by how much the process's anonymous memory grows at most
(Linux), from after a plain ``generate`` of the model on: models, libraries and their code are
there by then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from emorl.inference import load_ensemble
from emorl.models.policy import Policy
from emorl.runs.folder import RunFolder
from emorl.runs.snapshots import snapshot_rows
from emorl.systems.ensemble import Ensemble
from tests.benchmarks.decoding import grid27
from tests.benchmarks.shapes import MEMBERS, SHAPES, Numbers, build_policy, prompts

MIB = 2**20
_SECONDS_BETWEEN_LOOKS = 0.002

Case = tuple[Policy, Sequence[str], Sequence[str]]
"""Policy, members and prompts; built from words, in a process of its own."""


def of_shape(name: str, n_prompts: str) -> Case:
    """Return an ensemble of random weights, with adapters that disagree (``far``)."""
    shape = SHAPES[name]
    policy = build_policy(shape, "far")
    ids, _ = prompts(policy, shape, int(n_prompts))
    numbers: Any = Numbers(policy.base.config.vocab_size)
    texts = [" ".join(map(str, row)) for row in ids.tolist()]
    return replace(policy, tokenizer=numbers), MEMBERS, texts


def of_run(folder: str) -> Case:
    """Return a run's ensemble and its aggregation prompts."""
    found = load_ensemble(Path(folder))
    rows = snapshot_rows(RunFolder(Path(folder)), "prompts")
    texts = [row["prompt"] for row in rows if row["split"] == "aggregation"]
    return found.policy, found.members, texts


def measure(build: Callable[..., Case], arguments: Sequence[Any], budget: int) -> dict[str, Any]:
    """Decode within a budget in MiB, in a new process; return what it took."""
    module = __spec__.name if build.__module__ == "__main__" else build.__module__
    asked = json.dumps([module, build.__name__, list(map(str, arguments)), budget])
    code = "import sys; from tests.benchmarks.memory import answer; answer(sys.argv[1])"
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_CACHE_CAPACITY")}
    done = subprocess.run(
        [sys.executable, "-c", code, asked],
        env=environment,  # what this process decided about oneDNN is not for that one
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def answer(asked: str) -> None:
    """Print what ``measure`` asks of a new process."""
    module, build, arguments, budget = json.loads(asked)
    print(json.dumps(_measure(getattr(import_module(module), build), arguments, budget)))


def _measure(build: Callable[..., Case], arguments: Sequence[Any], budget: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    policy, members, texts = build(*arguments)
    model: Any = policy.base
    input_ids, attention_mask = policy.encode(texts[:8])
    model.generate(input_ids=input_ids, attention_mask=attention_mask, max_new_tokens=8)
    ensemble = Ensemble(replace(policy, config=replace(policy.config, memory_mib=budget)), members)
    weights = [tuple(vector) for vector in grid27().tolist()]
    started = time.perf_counter()
    with _Peak() as peak:
        ensemble.generate(texts, weights)
    return {
        "budget": budget,
        "taken": (peak.most - peak.before) / MIB,
        "taken_after": (resident() - peak.before) / MIB,
        "seconds": time.perf_counter() - started,
    }


def resident() -> int:
    """Return the bytes of anonymous memory that this process has in use."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


class _Peak:
    """The most memory in use while it is entered, looked at again and again."""

    def __enter__(self) -> _Peak:
        self.before = self.most = resident()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_SECONDS_BETWEEN_LOOKS):
            self.most = max(self.most, resident())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per budget."""
    parser = argparse.ArgumentParser(description="Memory that decoding takes, against its budget.")
    parser.add_argument("--run", type=Path, help="a finished run instead of a shape")
    parser.add_argument("--shape", choices=SHAPES, default="t5-small")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--budgets", type=int, nargs="+", default=[64, 128, 256, 512, 2048])
    parser.add_argument("--json", action="store_true", help="one JSON object per budget and line")
    asked = parser.parse_args(arguments)
    build, of = (of_run, (asked.run,)) if asked.run else (of_shape, (asked.shape, asked.prompts))
    if not asked.json:
        print(f"{'budget MiB':>10} {'taken MiB':>10} {'kept MiB':>10} {'seconds':>8}")
    for budget in asked.budgets:
        row = measure(build, of, budget)
        if asked.json:
            print(json.dumps(row), flush=True)
        else:
            numbers = f"{row['taken']:>10.1f} {row['taken_after']:>10.1f} {row['seconds']:>8.1f}"
            print(f"{budget:>10} {numbers}", flush=True)


if __name__ == "__main__":
    main()
