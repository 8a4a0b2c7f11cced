"""Where a run lives on disk, and its heartbeat; light enough for the dashboard to import."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from emorl.errors import RunNotFoundError, StoreError

Phase = Literal[
    "starting",
    "training",
    "mapping",
    "searching",
    "scoring",
    "paused",
    "finished",
    "failed",
    "interrupted",
]
RunState = Literal["running", "paused", "finished", "failed", "interrupted", "died"]

HEARTBEAT_SECONDS = 2.0
"""The engine rewrites ``status.json`` this often."""

DEAD_AFTER_SECONDS = 15.0
"""A heartbeat older than this means that the engine died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What ``status.json`` says."""

    run_id: str
    phase: Phase
    detail: str = ""
    """What the engine does just now, in words, e.g. the adapter in training."""
    counts: dict[str, int] = field(default_factory=dict)
    """Rows of every table."""
    expected: dict[str, int] = field(default_factory=dict)
    """Most rows to expect, where known: ``training_steps``, ``evaluations``, ``rounds``."""
    pid: int = 0
    started_at: float = 0.0
    """Seconds since 1970, UTC."""
    updated_at: float = 0.0
    worked_before: float = 0.0
    """Seconds that earlier engines worked on the run."""
    message: str = ""
    """Why the run failed, or what to do next."""
    backend: str = ""
    """How ensembles are decoded, and why so."""
    warnings: tuple[str, ...] = ()

    def worked_seconds(self) -> float:
        """Return how long engines have worked on the run, up to the last heartbeat."""
        return self.worked_before + max(0.0, self.updated_at - self.started_at)

    def state(self, now: float | None = None) -> RunState:
        """Return the phase as a reader sees it: an engine without a heartbeat has died."""
        if self.phase in ("paused", "finished", "failed", "interrupted"):
            return self.phase
        age = (time.time() if now is None else now) - self.updated_at
        return "died" if age > DEAD_AFTER_SECONDS else "running"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    root: Path

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.root.name

    @property
    def database(self) -> Path:
        """``run.duckdb``; only the engine opens it."""
        return self.root / "run.duckdb"

    @property
    def published(self) -> Path:
        """Folder of the Parquet snapshots."""
        return self.root / "published"

    @property
    def config(self) -> Path:
        """The resolved settings."""
        return self.root / "config.toml"

    @property
    def status(self) -> Path:
        """The heartbeat."""
        return self.root / "status.json"

    @property
    def adapters(self) -> Path:
        """Folder of the finished adapters, one folder per objective."""
        return self.root / "adapters"

    def adapter_weights(self, objective: str) -> Path:
        """Return the file that a finished adapter's weights are in."""
        return self.adapters / objective / "adapter_model.safetensors"

    @property
    def checkpoints(self) -> Path:
        """Folder of unfinished trainings; emptied as adapters are finished."""
        return self.root / "checkpoints"

    def write_status(self, status: Status) -> None:
        """Replace ``status.json`` in one step."""
        write_atomically(self.status, json.dumps(asdict(status), indent=1))

    def read_status(self) -> Status | None:
        """Return the heartbeat, or None before the first one.

        Raises:
            StoreError: If the file is damaged.
        """
        try:
            table: dict[str, Any] = json.loads(self.status.read_text(encoding="utf-8"))
            table["warnings"] = tuple(table.get("warnings", ()))
            for name in ("started_at", "updated_at"):
                table[name] = float(table.get(name, 0.0))
            return Status(**table)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise StoreError(
                f"{self.status} is damaged: {error}. `emorl run` on the same run writes it anew."
            ) from error


def run_folder(artifacts: Path, run_id: str) -> RunFolder:
    """Return the folder of a run, which need not exist yet.

    Raises:
        RunNotFoundError: If the name is no plain name (it must stay below ``artifacts/runs``).
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", run_id):
        raise RunNotFoundError(
            f"{run_id!r} is no name of a run: letters, digits, '_', '-' and '.' only."
        )
    return RunFolder(artifacts / "runs" / run_id)


def existing_run(artifacts: Path, run_id: str) -> RunFolder:
    """Return the folder of a run that is there.

    Raises:
        RunNotFoundError: If it is not; the message lists those that are.
    """
    folder = run_folder(artifacts, run_id)
    if not folder.config.is_file():
        known = ", ".join(run.run_id for run in list_runs(artifacts)) or "none yet"
        raise RunNotFoundError(
            f"There is no run {run_id!r} in {artifacts}; there are: {known}. "
            "Start one with `emorl run CONFIG.toml`."
        )
    return folder


def list_runs(artifacts: Path) -> list[RunFolder]:
    """Return all runs below ``artifacts``, by name."""
    root = artifacts / "runs"
    if not root.is_dir():
        return []
    return [RunFolder(path) for path in sorted(root.iterdir()) if (path / "config.toml").is_file()]


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)  # noqa: PTH105 - replaces on every platform
