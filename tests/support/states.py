"""Every state a run can be met in, beside each other in one folder: what all pages must survive.

Runs of the engine come from ``support.synthetic``; what no engine writes on purpose (scores that
are no numbers, damaged files, files of a later version) is made of a finished run.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emorl.runs.folder import RunFolder, run_folder
from emorl.runs.schema import COLUMNS
from tests.support.formula import RunSpec, scores_of
from tests.support.synthetic import write_run

N_RUNS = 100
N_MANY = 10_000

OF_THE_ENGINE = ("finished", "running", "training", "died", "two-objectives")
"""Names in ``support.synthetic.SPECS``; the first has 103 different weights and hostile texts."""

_PLAIN = RunSpec(name="plain", rounds=2, n_prompts=4, n_steps=8)
_SPECS = (
    _PLAIN,
    replace(_PLAIN, name="long-texts", has_long_texts=True),
    replace(
        _PLAIN,
        name="first-evaluation",
        phase="searching",
        rounds=1,
        most_evaluations=1,
        stale_seconds=-7200,
    ),
    replace(
        _PLAIN,
        name="five-objectives",
        objectives=("warmth", "clarity", "brevity", "candour", "humour"),
        rounds=1,
    ),
)


def write_states(artifacts: Path, engine_runs: Path) -> tuple[str, ...]:
    """Write a run for every state.

    Args:
        artifacts: Folder to write.
        engine_runs: What ``tests.support.synthetic.write_artifacts`` wrote.

    Returns:
        Their names, with one of the many that only make a crowd.
    """
    for name in OF_THE_ENGINE:
        shutil.copytree(engine_runs / "runs" / name, artifacts / "runs" / name)
    for spec in _SPECS:
        write_run(artifacts, spec)
    plain = run_folder(artifacts, _PLAIN.name)
    for name, spoil in _SPOILERS.items():
        spoil(copy_run(plain, name))
    for number in range(N_RUNS):
        copy_run(plain, f"crowd-{number:03}")
    return (*OF_THE_ENGINE, *(spec.name for spec in _SPECS), *_SPOILERS, "crowd-000")


def copy_run(run: RunFolder, name: str) -> RunFolder:
    """Copy what the dashboard reads of a run, under another name."""
    copy = RunFolder(run.root.with_name(name))
    shutil.copytree(run.root, copy.root, ignore=shutil.ignore_patterns("*.duckdb*"))
    for file in (copy.config, copy.status):
        text = file.read_text(encoding="utf-8").replace(f'"{run.run_id}"', f'"{name}"')
        file.write_text(text, encoding="utf-8")
    return copy


def _make_nan(run: RunFolder) -> None:
    """Make every second row's scores NaN, as a reward without a number would."""
    for name, schema in COLUMNS.items():
        lists = [f.name for f in schema if f.name in ("means", "standard_errors", "scores")]
        numbers = [f.name for f in schema if f.name in ("mean_reward", "reward", "kl")]
        rows = _rows(run, name)
        for row in rows[::2]:
            for column in lists:
                row[column] = row[column] and [math.nan for _ in row[column]]
            row.update(dict.fromkeys(numbers, math.nan))
        _write(run, name, rows)


def _damage(run: RunFolder) -> None:
    for path in run.published.iterdir():
        path.write_bytes(b"PAR1 cut off")


def _make_newer(run: RunFolder) -> None:
    for path in run.published.iterdir():
        pq.write_table(pa.table({"novelty": [1, 2]}), path)


def _make_many(run: RunFolder) -> None:
    """Lay a dense grid of evaluations over the weights, each with one response."""
    random = np.random.default_rng(0)
    [pattern] = _rows(run, "evaluations")[1:2]
    rows, responses = [], []
    for point, weights in enumerate(random.random((N_MANY, 3)).round(5).tolist()):
        scores, key = list(scores_of(tuple(weights))), f"direction {point}"
        rows.append(
            pattern
            | {"round": 1, "point": point, "weights": weights, "direction_key": key}
            | {"means": scores, "mean_reward": sum(scores) / 3, "kind": "measured"}
        )
        responses.append(
            {"direction_key": key, "prompt_index": 0, "text": f"Point {point}.", "n_tokens": 2}
            | {"scores": scores}
        )
    _write(run, "evaluations", rows)
    _write(run, "responses", responses)


def _rows(run: RunFolder, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(_file(run, name)).to_pylist()
    return rows


def _write(run: RunFolder, name: str, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=COLUMNS[name]), _file(run, name))


def _file(run: RunFolder, name: str) -> Path:
    return run.published / f"{name}.parquet"


_SPOILERS: dict[str, Callable[[RunFolder], None]] = {
    "not-a-number": _make_nan,
    "damaged": _damage,
    "newer-schema": _make_newer,
    "many-evaluations": _make_many,
}
