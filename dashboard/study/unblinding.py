"""The life of a study after sealing: opened, closed and unblinded, in an append-only log.

``artifacts/studies/<study_id>/log.jsonl``; the command line may write while the dashboard reads.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from dashboard.study.files import append_record, read_records
from dashboard.study.plan import plan_path, read_plan, study_folder
from engine.errors import StoreError, StudyError

State = Literal["draft", "sealed", "open", "closed", "unblinded"]

_STATES: dict[str, State] = {"opened": "open", "closed": "closed", "unblinded": "unblinded"}


def log_path(artifacts: Path, study_id: str) -> Path:
    """Return where the log of a study lies, which need not exist."""
    return study_folder(artifacts, study_id) / "log.jsonl"


def study_state(artifacts: Path, study_id: str) -> State:
    """Return how far a study is.

    A study without invites needs no opening: whoever types a name rates.

    Raises:
        StudyError: If the name is no name of a study.
        StoreError: If plan or log are damaged.
    """
    if not plan_path(artifacts, study_id).is_file():
        return "draft"
    known = [
        _STATES[record["event"]]
        for record in read_records(log_path(artifacts, study_id))
        if record.get("event") in _STATES
    ]
    if known:
        return "unblinded" if "unblinded" in known else known[-1]
    return "sealed" if read_plan(artifacts, study_id).requires_invite else "open"


def unblinded_at(artifacts: Path, study_id: str) -> datetime | None:
    """Return when a study was unblinded first; None before that.

    Raises:
        StoreError: If the log is damaged.
    """
    for record in read_records(log_path(artifacts, study_id)):
        if record.get("event") == "unblinded":
            try:
                return datetime.fromisoformat(record["at"])
            except (KeyError, TypeError, ValueError) as error:
                raise StoreError(
                    f"The log {log_path(artifacts, study_id)} does not say when the study was "
                    "unblinded. Put a backup in its place."
                ) from error
    return None


def unblind(artifacts: Path, study_id: str, *, by: str, reason: str) -> datetime:
    """Close a study for good and let its results be seen; return when that happened.

    A study that is unblinded stays so; who looks a second time is logged as well.

    Raises:
        StudyError: If there is no such sealed study, or name or reason are missing.
        DiskError: If the log cannot be written.
    """
    if not by.strip() or not reason.strip():
        raise StudyError(
            "Unblinding is logged with who did it and why: give a name and a reason, got "
            f"{by!r} and {reason!r}."
        )
    read_plan(artifacts, study_id)
    if study_state(artifacts, study_id) != "closed" and unblinded_at(artifacts, study_id) is None:
        _log(artifacts, study_id, "closed", by=by, reason="unblinding")
    at = _log(artifacts, study_id, "unblinded", by=by, reason=reason)
    return unblinded_at(artifacts, study_id) or at


def open_study(artifacts: Path, study_id: str, *, by: str) -> None:
    """Let annotators rate.

    Raises:
        StudyError: If there is no such sealed study, or it is unblinded.
        DiskError: If the log cannot be written.
    """
    _change(artifacts, study_id, "opened", by)


def close_study(artifacts: Path, study_id: str, *, by: str) -> None:
    """Take no more ratings; the study can be opened again until it is unblinded.

    Raises:
        StudyError: If there is no such sealed study, or it is unblinded.
        DiskError: If the log cannot be written.
    """
    _change(artifacts, study_id, "closed", by)


def _change(artifacts: Path, study_id: str, event: str, by: str) -> None:
    read_plan(artifacts, study_id)
    state = study_state(artifacts, study_id)
    if state == "unblinded":
        raise StudyError(
            f"Study {study_id!r} is unblinded: a rating given now would not be blind. Plan a new "
            "study for more ratings."
        )
    if state != _STATES[event]:
        _log(artifacts, study_id, event, by=by)


def _log(artifacts: Path, study_id: str, event: str, **more: str) -> datetime:
    at = datetime.now(UTC)
    record = {"event": event, "at": at.isoformat(timespec="milliseconds"), **more}
    append_record(log_path(artifacts, study_id), record)
    return datetime.fromisoformat(record["at"])
