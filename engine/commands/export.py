"""``emorl export``: every table of a run as files, all rows, one column per objective."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from engine.artifacts import existing_run
from engine.config_file import read_config
from engine.errors import ConfigError, DiskError
from engine.schema import COLUMNS
from engine.snapshots import read_snapshot

_PATTERNS = {
    "weights": "w_{}",
    "direction": "direction_{}",
    "means": "{}",
    "scores": "{}",
    "standard_errors": "{}_se",
    "best_weights": "best_w_{}",
    "searched_weights": "searched_w_{}",
}


def export(options: argparse.Namespace) -> int:
    """Write the tables and say where they are."""
    folder = existing_run(options.artifacts, options.run)
    objectives = read_config(folder.config).objectives
    target = options.out or Path(f"{folder.run_id}-export")
    if target.exists() and not target.is_dir():
        raise ConfigError(f"--out must be a folder, and {target} is a file. Name another one.")
    for name in COLUMNS:
        frame = wide_frame(read_snapshot(folder, name).to_pandas(), objectives)
        _write(frame, target, name, options.format)
        if not options.quiet:
            print(f"{target / name}.{options.format}: {len(frame)} rows")
    return 0


def wide_frame(frame: pd.DataFrame, objectives: tuple[str, ...]) -> pd.DataFrame:
    """Return the frame with each list column spread over one column per objective."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        pattern = _PATTERNS.get(name, f"{name}_{{}}" if name.startswith(("box", "chosen")) else "")
        if not pattern:
            columns[name] = frame[name]
            continue
        for position, objective in enumerate(objectives):
            columns[pattern.format(objective)] = [
                None if values is None else float(values[position]) for values in frame[name]
            ]
    return pd.DataFrame(columns)


def _write(frame: pd.DataFrame, target: Path, name: str, kind: str) -> None:
    path = target / f"{name}.{kind}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        if kind == "csv":
            frame.to_csv(path, index=False)
        elif kind == "parquet":
            frame.to_parquet(path, index=False)
        else:
            frame.to_json(path, orient="records", indent=1, date_format="iso")
    except OSError as error:
        raise DiskError(f"Cannot write {path}: {error}. Choose another --out.") from error
