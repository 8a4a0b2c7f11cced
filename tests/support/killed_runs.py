"""Runs that are killed again and again; started as a process of its own by the survival test.

Usage: ``python -m tests.support.killed_runs FOLDER N_KILLS SEED``. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

from emorl.execution.context import NoProgress
from emorl.execution.pipeline import execute
from emorl.runs.folder import RunFolder, run_folder
from emorl.runs.schema import KEYS
from emorl.runs.store import RunStore
from tests.support.tiny_runs import tiny_run


def main(folder: Path, n_kills: int, seed: int) -> dict[str, Any]:
    """Kill runs ``n_kills`` times at random moments; finish each and say what was found."""
    torch.set_num_threads(1)
    rng = random.Random(seed)
    started = time.monotonic()
    attempt(folder, "undisturbed", None)
    whole = time.monotonic() - started
    kills, lost, phases = 0, 0, []
    names: list[str] = []
    while kills < n_kills:
        name = f"killed-{len(names)}"
        names.append(name)
        finished = False
        while not finished:
            # Short spans, so that one run is killed several times on its way.
            limit = rng.uniform(0.02, 0.5) * whole if kills < n_kills else None
            # Every second kill waits for the search: on a slow machine few would come to it.
            finished = attempt(folder, name, limit, awaited="searching" if kills % 2 else None)
            kills += not finished
            run = run_folder(folder, name)
            if not finished:
                status = run.read_status()
                phases.append(status.phase if status else "before the first heartbeat")
            lost += n_lost(run)
    return {"kills": kills, "lost": lost, "runs": names, "phases": phases}


def attempt(
    folder: Path, name: str, limit_seconds: float | None, awaited: str | None = None
) -> bool:
    """Run in a child process, killed after ``limit_seconds``; say whether it ended by itself.

    With an ``awaited`` phase, the clock starts when the run tells that it is there, and runs ten
    times as fast: the phase is short.
    """
    child = os.fork()
    if child == 0:
        _run_and_acknowledge(folder, name)
    deadline = None
    if limit_seconds is not None and awaited is None:
        deadline = time.monotonic() + limit_seconds
    while True:
        if limit_seconds is not None and deadline is None and _phase(folder, name) == awaited:
            deadline = time.monotonic() + limit_seconds / 10
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            if os.waitstatus_to_exitcode(status) != 0:
                raise SystemExit(f"run {name} failed by itself")
            return True
        if deadline is not None and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.005)


def _phase(folder: Path, name: str) -> str | None:
    status = run_folder(folder, name).read_status()
    return None if status is None else status.phase


def n_lost(run: RunFolder) -> int:
    """Return how many acknowledged rows are not in the database."""
    log = run.root / "acknowledged.jsonl"
    if not log.is_file():
        return 0
    lines = log.read_text(encoding="utf-8").split("\n")[:-1]
    acknowledged = {(table, tuple(key)) for table, key in map(json.loads, lines)}
    store = RunStore(run.database, tiny_run(run.root.parent.parent).objectives)
    try:
        stored = {
            (table, key)
            for table, columns in KEYS.items()
            for key in store._rows(f"SELECT {', '.join(columns)} FROM {table}")
        }
    finally:
        store.close()
    return len(acknowledged - stored)


def _run_and_acknowledge(folder: Path, name: str) -> None:
    config = tiny_run(folder, name=name)
    run = run_folder(folder, name)
    run.root.mkdir(parents=True, exist_ok=True)
    log = os.open(run.root / "acknowledged.jsonl", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    insert = RunStore._insert

    def acknowledged_insert(store: RunStore, tables: Any, **replacing: Any) -> None:
        insert(store, tables, **replacing)
        for table, rows in tables.items():
            for row in rows:
                line = json.dumps([table, [row[column] for column in KEYS[table]]])
                os.write(log, (line + "\n").encode())

    RunStore._insert = acknowledged_insert  # type: ignore[method-assign, assignment]
    failed = True
    try:
        execute(config, run, NoProgress())
        failed = False
    finally:
        os._exit(failed)  # a forked child must not run its parent's clean-up


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), sys.stdout)
