"""``emorl export``: a run's tables as files, or its report as one page.

``emorl export RUN`` writes every table, all rows, one column per objective; ``emorl export report
RUN`` one HTML file. A run may be called "report" too: the word is a command before a name only.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from emorl.config.files import read_config
from emorl.errors import ConfigError, DiskError, FailureError
from emorl.runs.folder import RunFolder, existing_run
from emorl.runs.schema import COLUMNS
from emorl.runs.snapshots import read_snapshot

_REPORT = "report"

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
    """Write what is asked for and say where it is."""
    if len(options.what) == 1:
        return _export_tables(options, existing_run(options.artifacts, options.what[0]))
    if len(options.what) == 2 and options.what[0] == _REPORT:
        return _export_report(options, existing_run(options.artifacts, options.what[1]))
    raise ConfigError(
        "expected `emorl export RUN` or `emorl export report RUN`, got `emorl export "
        f"{' '.join(options.what)}`. Export one run at a time."
    )


def _export_tables(options: argparse.Namespace, folder: RunFolder) -> int:
    objectives = read_config(folder.config).objectives
    target = options.out or Path(f"{folder.run_id}-export")
    kind = options.format or "csv"
    if target.exists() and not target.is_dir():
        raise ConfigError(f"--out must be a folder, and {target} is a file. Name another one.")
    for name in COLUMNS:
        frame = wide_frame(read_snapshot(folder, name).to_pandas(), objectives)
        _write(frame, target, name, kind)
        if not options.quiet:
            print(f"{target / name}.{kind}: {len(frame)} rows")
    return 0


def _export_report(options: argparse.Namespace, folder: RunFolder) -> int:
    """Let the dashboard write the report, in a process of its own: it draws the figures."""
    target = options.out or Path(f"{folder.run_id}-report.html")
    if options.format is not None:
        raise ConfigError("--format is for tables; the report is one HTML page. Leave it out.")
    if target.is_dir():
        raise ConfigError(f"--out must be a file for a report, and {target} is a folder.")
    specification = importlib.util.find_spec("emorl_dashboard")
    if specification is None or specification.origin is None:
        raise FailureError("The dashboard is not installed. Run `pip install -e .`.")
    command = [sys.executable, "-m", "emorl_dashboard.report"]
    finished = subprocess.run(
        [*command, str(options.artifacts.absolute()), folder.run_id, str(target.absolute())],
        cwd=Path(specification.origin).parent,
        check=False,
    )
    if finished.returncode == 0 and not options.quiet:
        print(f"{target}: open it in any browser; it needs no network")
    return finished.returncode


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
