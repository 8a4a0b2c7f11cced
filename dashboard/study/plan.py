"""A study as it was sealed: what is rated, by which questions, under which codes.

The plan holds the texts themselves, so that a run which is changed or deleted later changes
no study. It is written once; its seal, a hash over everything in it, shows any later change.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard.study.guidelines import Guidelines, parse_criterion
from engine.errors import DiskError, SchemaVersionError, StoreError, StudyError

PLAN_FORMAT = 1
"""Raised whenever the file's layout changes; a plan of another format is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanItem:
    """One thing to rate. Systems that gave the same text to a prompt share the item."""

    code: str
    prompt_index: int
    """In the run's inference split."""
    prompt: str
    response: str
    response_sha256: str
    systems: tuple[str, ...]
    """All systems that get the item's ratings. Never shown to annotators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """A sealed study."""

    study_id: str
    run_id: str
    created_at: str
    """UTC, ISO 8601."""
    seed: str
    guidelines: Guidelines
    items: tuple[PlanItem, ...]
    """By code: their order tells nothing about systems or prompts."""

    def item(self, code: str) -> PlanItem:
        """Return the item of a code.

        Raises:
            StudyError: If there is none.
        """
        for item in self.items:
            if item.code == code:
                return item
        raise StudyError(f"Study {self.study_id!r} has no item {code!r}. Reload the page.")


def studies_folder(artifacts: Path) -> Path:
    """Return the folder of all studies."""
    return artifacts / "studies"


def plan_path(artifacts: Path, study_id: str) -> Path:
    """Return where the plan of a study lies, which need not exist.

    Raises:
        StudyError: If the name is no plain name (it must stay below ``artifacts/studies``).
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", study_id):
        raise StudyError(
            f"{study_id!r} is no name of a study: letters, digits, '_', '-' and '.' only. "
            "Choose one of the studies listed on the Annotate page."
        )
    return studies_folder(artifacts) / study_id / "plan.json"


def list_studies(artifacts: Path) -> list[str]:
    """Return the names of all studies, sorted."""
    return sorted(path.parent.name for path in studies_folder(artifacts).glob("*/plan.json"))


def write_plan(artifacts: Path, plan: StudyPlan) -> Path:
    """Seal a study. The file appears complete or not at all, and is never replaced.

    Raises:
        StudyError: If the study exists.
        DiskError: If the disk refuses the write.
    """
    path = plan_path(artifacts, plan.study_id)
    content = asdict(plan) | {"format": PLAN_FORMAT}
    text = json.dumps(content | {"seal": _seal(content)}, indent=1, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create_once(path, text)
    except FileExistsError:
        raise StudyError(
            f"Study {plan.study_id!r} exists already, and a sealed plan is never changed. Rate "
            "in it, or take another run for a new study."
        ) from None
    except OSError as error:
        raise DiskError(
            f"Cannot write {path}: {error}. Nothing was made; mend the cause and try again."
        ) from error
    return path


def read_plan(artifacts: Path, study_id: str) -> StudyPlan:
    """Read a study and check its seal.

    Raises:
        StudyError: If there is no such study.
        SchemaVersionError: If another version of this project wrote it.
        StoreError: If the file is damaged or was changed.
    """
    path = plan_path(artifacts, study_id)
    try:
        stamp = path.stat()
    except FileNotFoundError:
        known = ", ".join(list_studies(artifacts)) or "none yet"
        raise StudyError(
            f"There is no study {study_id!r}; there are: {known}. Prepare one from a finished "
            "run on the Annotate page."
        ) from None
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error}. Check its permissions.") from error
    return _parsed(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=16)
def _parsed(path: Path, _modified: int, _size: int) -> StudyPlan:
    # Cached: the page asks at every click, and a plan of 640 items is half a megabyte.
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = table.pop("format")
        seal = table.pop("seal")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(_damaged(path, f"it cannot be read ({error!r})")) from error
    if found != PLAN_FORMAT:
        raise SchemaVersionError(
            f"{path} has format {found}, this version of emorl reads {PLAN_FORMAT}. Use the "
            "version that wrote it."
        )
    if seal != _seal(table | {"format": found}):
        raise StoreError(_damaged(path, "its content no longer matches its seal"))
    if table["study_id"] != path.parent.name:
        raise StoreError(_damaged(path, f"it belongs to study {table['study_id']!r}"))
    return _plan(table)


def _plan(table: dict[str, Any]) -> StudyPlan:
    texts = table["guidelines"]
    return StudyPlan(
        study_id=table["study_id"],
        run_id=table["run_id"],
        created_at=table["created_at"],
        seed=table["seed"],
        guidelines=Guidelines(
            version=texts["version"],
            example_prompt=texts["example_prompt"],
            criteria=tuple(parse_criterion(criterion) for criterion in texts["criteria"]),
        ),
        items=tuple(
            PlanItem(**(item | {"systems": tuple(item["systems"])})) for item in table["items"]
        ),
    )


def _damaged(path: Path, what: str) -> str:
    return (
        f"The plan {path} is damaged or was changed after sealing: {what}. Put the original "
        "file back; the ratings given so far are kept."
    )


def _seal(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _create_once(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A hard link, unlike a rename, refuses to replace: of two that seal, one wins whole.
        path.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)
