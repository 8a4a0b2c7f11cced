"""Cached reads of what the engine publishes: settings, heartbeat and Parquet snapshots.

Nothing here raises for a bad file: the problem comes back in words beside the last good rows,
because the engine may be writing, and a page must never be blank.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import duckdb
import pandas as pd
import pyarrow as pa
import streamlit as st

from emorl.config import RunConfig
from emorl.config.files import parse_config
from emorl.errors import ConfigError, StoreError
from emorl.runs.folder import RunFolder, RunState, Status, list_runs
from emorl.runs.schema import COLUMNS
from emorl_dashboard.data import commands
from emorl_dashboard.frames.numbers import duration_text
from emorl_dashboard.frames.plain import without_folders

State = RunState | Literal["unknown"]
"""What the heartbeat says; unknown without one."""

Frame = pd.DataFrame
"""Rows, for views that pass them on without looking inside."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one snapshot, and what is wrong with its file ("" when nothing is).

    The problem tells how old the rows are, so it is not for caches.
    """

    frame: Frame
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One run as far as its small files tell; ``config`` is None when they are damaged."""

    folder: RunFolder
    config: RunConfig | None
    status: Status | None
    problem: str = ""

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.folder.run_id

    @property
    def objectives(self) -> tuple[str, ...]:
        """Objectives in the order of all weights and scores; empty when damaged."""
        return self.config.objectives if self.config else ()

    @property
    def state(self) -> State:
        """Return what the heartbeat says now."""
        return self.status.state() if self.status else "unknown"

    @property
    def resume_command(self) -> str:
        """Return the command that goes on with the run, from the folder of the project."""
        return self.command(f"run {self.run_id}")

    @property
    def published_at(self) -> float | None:
        """Return when the newest of its tables was written, in seconds since 1970."""
        times = [time_ns for _, time_ns in _file_times(self.folder.published)]
        return max(times) / 1e9 if times else None

    def matches(self, text: str) -> bool:
        """Tell whether the name or an objective contains a text, in whatever case."""
        wanted = text.strip().lower()
        return any(wanted in name.lower() for name in (self.run_id, *self.objectives))

    def command(self, words: str) -> str:
        """Return a command about the run; ``words`` follow ``emorl``, its name among them."""
        return commands.command(self.folder, words)

    def seed_command(self) -> str:
        """Return the command that starts the same run with the next seed."""
        return commands.seed_command(self.folder, self.config.seed + 1 if self.config else 1)

    @property
    def is_running(self) -> bool:
        """True while the heartbeat says that the engine works."""
        return self.state == "running"

    @property
    def has_news(self) -> bool:
        """True while there is more any moment: before the first heartbeat too."""
        return self.is_running or self.status is None


def artifacts_root() -> Path:
    """Return the folder that holds ``runs``: ``$EMORL_ARTIFACTS``, or ``artifacts``."""
    return Path(os.environ.get("EMORL_ARTIFACTS", commands.DEFAULT_ARTIFACTS))


def runs() -> list[Run]:
    """Return all runs, the one that was written to last first."""
    found = [_read_run(folder) for folder in list_runs(artifacts_root())]
    return sorted(found, key=lambda run: run.status.updated_at if run.status else 0, reverse=True)


def signature(runs: Sequence[Run], run: Run | None) -> tuple[object, ...]:
    """Return what changes when a page of ``run`` should be drawn again, and nothing else."""
    states = tuple((other.run_id, other.state) for other in sorted(runs, key=_by_name))
    return (states, _file_times(run.folder.published) if run is not None else ())


def _by_name(run: Run) -> str:
    return run.run_id


def _file_times(folder: Path) -> tuple[tuple[str, int], ...]:
    try:
        with os.scandir(folder) as entries:
            files = [entry for entry in entries if entry.name.endswith(".parquet")]
            return tuple(sorted((file.name, file.stat().st_mtime_ns) for file in files))
    except OSError:
        return ()  # not made yet, or a file was replaced this instant: the next look tells


def stamps(run: Run, *names: str) -> tuple[tuple[int, int], ...]:
    """Return what changes when one of these published tables is replaced."""
    return tuple(_stamp(run.folder.published / f"{name}.parquet") for name in names)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)


def table(run: Run, name: str) -> Table:
    """Return a published table (a name of ``emorl.runs.schema.COLUMNS``).

    Returns:
        Its rows with list columns in order of the objectives; no rows, but all columns, when
        nothing is published yet.
    """
    path = run.folder.published / f"{name}.parquet"
    try:
        stat = path.stat()
    except FileNotFoundError:
        return Table(COLUMNS[name].empty_table().to_pandas())
    except OSError as error:
        return _last_good(run, name, f"cannot be read ({error.strerror}).")
    read = _read_parquet(str(path), name, stat.st_mtime_ns, stat.st_size)
    if read.problem:
        return _last_good(run, name, read.problem)
    _good_tables()[str(path)] = _Good(read.frame, stat.st_mtime)
    return read


@st.cache_data(max_entries=32, show_spinner=False)
def _read_parquet(path: str, name: str, mtime_ns: int, size: int) -> Table:  # noqa: ARG001
    schema = COLUMNS[name]
    quoted = path.replace("'", "''")
    columns = ", ".join(f'"{column}"' for column in schema.names)
    try:
        relation = _database().cursor().sql(f"SELECT {columns} FROM read_parquet('{quoted}')")
        rows = relation.to_arrow_table().cast(schema)
    except (duckdb.BinderException, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return Table(schema.empty_table().to_pandas(), _NEWER)
    except (duckdb.Error, pa.ArrowException, OSError):
        return Table(schema.empty_table().to_pandas(), _DAMAGED)
    return Table(rows.to_pandas())


def part(run: Run, name: str, columns: Sequence[str], *, direction_key: str = "") -> Table:
    """Return some columns of a published table, of one direction where a key is given.

    For what needs little of a long table: nothing else is read from the file.
    """
    path = run.folder.published / f"{name}.parquet"
    read = _read_part(str(path), name, tuple(columns), direction_key, _stamp(path))
    if not read.problem:
        return read
    good = _last_good(run, name, read.problem)
    rows = good.frame
    if direction_key:
        rows = rows[rows["direction_key"] == direction_key]
    return replace(good, frame=rows[list(columns)])


@st.cache_data(max_entries=512, show_spinner=False)
def _read_part(
    path: str,
    name: str,
    columns: tuple[str, ...],
    direction_key: str,
    stamp: tuple[int, int],
) -> Table:
    schema = pa.schema([COLUMNS[name].field(column) for column in columns])
    if stamp == (0, 0):
        return Table(schema.empty_table().to_pandas())
    quoted = ", ".join(f'"{column}"' for column in columns)
    where = "WHERE direction_key = ?" if direction_key else ""
    values = [path, direction_key] if direction_key else [path]
    try:
        query = f"SELECT {quoted} FROM read_parquet(?) {where}"
        found = _database().cursor().sql(query, params=values)
        return Table(found.to_arrow_table().cast(schema).to_pandas())
    except (duckdb.BinderException, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return Table(schema.empty_table().to_pandas(), _NEWER)
    except (duckdb.Error, pa.ArrowException, OSError):
        return Table(schema.empty_table().to_pandas(), _DAMAGED)


_NEWER = (
    "has other columns than this version of emorl reads: it was written by another version. Open "
    "the dashboard of that version, or start a run with a new name."
)
_DAMAGED = "is damaged."


@st.cache_resource(show_spinner=False)
def _database() -> duckdb.DuckDBPyConnection:
    # Callers take a cursor each: one connection shared by threads mixes up their rows.
    return duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False})


@dataclass(frozen=True, slots=True)
class _Good:
    frame: pd.DataFrame
    written_at: float


@st.cache_resource(show_spinner=False)
def _good_tables() -> dict[str, _Good]:
    return {}


def _last_good(run: Run, name: str, fault: str) -> Table:
    """Return the rows that were read before the file went bad, and what to know of them."""
    told = f"The table {name} of the run {run.run_id} {fault}"
    if fault != _NEWER:
        told += f" The engine writes it anew when the run goes on: `{run.resume_command}`."
    good = _good_tables().get(str(run.folder.published / f"{name}.parquet"))
    if good is None:
        told += " None of its rows was read before, so none is shown."
        return Table(COLUMNS[name].empty_table().to_pandas(), told)
    age = duration_text(time.time() - good.written_at)
    return Table(good.frame, f"{told} Shown are its last good rows, written {age} ago.")


def _read_run(folder: RunFolder) -> Run:
    problems = []
    config, status = None, None
    try:
        config = _read_config(str(folder.config), folder.config.stat().st_mtime_ns)
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        problems.append(
            f"The settings of the run {folder.run_id} cannot be read: {_briefly(error)}"
        )
    try:
        status = folder.read_status()
    except StoreError as error:
        problems.append(f"Heartbeat of the run {folder.run_id}: {_briefly(error)}")
    if status is not None:
        told = tuple(map(without_folders, status.warnings))
        status = replace(status, message=without_folders(status.message), warnings=told)
    return Run(folder, config, status, " ".join(problems))


def _briefly(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror}."
    return without_folders(str(error))


@st.cache_data(max_entries=256, show_spinner=False)
def _read_config(path: str, mtime_ns: int) -> RunConfig:  # noqa: ARG001
    return parse_config(Path(path).read_text(encoding="utf-8"), source=path)
