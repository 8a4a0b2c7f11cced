"""The life of a study after sealing: opened, closed, unblinded, in a log that vouches for itself.

``artifacts/studies/<study_id>/log.jsonl``; the command line may write while the dashboard reads.
Whoever stores a rating holds the log meanwhile: no rating slips in beside closing or unblinding.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from emorl.errors import StoreError, StudyError
from emorl_dashboard.study.custody.chain import Chain, append_chained, held, read_chain
from emorl_dashboard.study.protocol.files import stored_text
from emorl_dashboard.study.protocol.plan import StudyPlan, plan_path, read_plan, study_folder

State = Literal["draft", "sealed", "open", "closed", "unblinded"]

_STATES: dict[str, State] = {"opened": "open", "closed": "closed", "unblinded": "unblinded"}


def log_path(artifacts: Path, study_id: str) -> Path:
    """Return where the log of a study lies, which need not exist."""
    return study_folder(artifacts, study_id) / "log.jsonl"


def study_log(artifacts: Path, study_id: str) -> Chain:
    """Return the log of a study, verified; it may be empty.

    Raises:
        StudyError: If the name is no name of a study.
        StoreError: If the log is damaged.
    """
    return read_chain(log_path(artifacts, study_id))


def unchanged(artifacts: Path, study_id: str) -> AbstractContextManager[None]:
    """Let nobody open, close or unblind a study until the block ends.

    Raises:
        DiskError: If the log cannot be held.
    """
    return held(log_path(artifacts, study_id), alone=False)


def study_state(artifacts: Path, study_id: str) -> State:
    """Return how far a study is.

    A study without invites needs no opening: whoever types a name rates. What is unblinded stays
    so, whatever was taken out of the log; a log that was changed takes no more ratings.

    Raises:
        StudyError: If the name is no name of a study.
        StoreError: If plan or log are damaged.
    """
    if not plan_path(artifacts, study_id).is_file():
        return "draft"
    log = study_log(artifacts, study_id)
    if "unblinded" in log.first:
        return "unblinded"
    if log.trouble:
        return "closed"
    known = [_STATES[record["event"]] for record in log.records if record.get("event") in _STATES]
    if known:
        return known[-1]
    return "sealed" if read_plan(artifacts, study_id).requires_invite else "open"


def unblinded_at(artifacts: Path, study_id: str) -> datetime | None:
    """Return when a study was unblinded first; None before that.

    Raises:
        StoreError: If the log is damaged.
    """
    log = study_log(artifacts, study_id)
    if "unblinded" not in log.first:
        return None
    try:
        return datetime.fromisoformat(log.first["unblinded"])
    except ValueError as error:
        raise StoreError(
            f"The log {log_path(artifacts, study_id)} does not say when the study was "
            "unblinded. Put a backup in its place."
        ) from error


def log_sealing(artifacts: Path, plan: StudyPlan) -> None:
    """Begin the log of a study that was just sealed.

    Raises:
        DiskError: If the log cannot be written.
    """
    with held(log_path(artifacts, plan.study_id), alone=True):
        _log(artifacts, plan, "sealed")


def unblind(artifacts: Path, study_id: str, *, by: str, reason: str) -> datetime:
    """Close a study for good and let its results be seen; return when that happened.

    A study that is unblinded stays so; who looks a second time is logged as well.

    Raises:
        StudyError: If there is no such sealed study, or name or reason are missing or cannot be
            stored; nothing was changed.
        DiskError: If the log cannot be written.
    """
    if not by.strip() or not reason.strip():
        raise StudyError(
            "Unblinding is logged with who did it and why: give a name and a reason, got "
            f"{by!r} and {reason!r}."
        )
    stored_text(f"{by} {reason}")  # before the study is closed below
    plan = read_plan(artifacts, study_id)
    with held(log_path(artifacts, study_id), alone=True):
        if study_state(artifacts, study_id) not in ("closed", "unblinded"):
            _log(artifacts, plan, "closed", by=by, reason="unblinding")
        at = _log(artifacts, plan, "unblinded", by=by, reason=reason)
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
    plan = read_plan(artifacts, study_id)
    with held(log_path(artifacts, study_id), alone=True):
        state = study_state(artifacts, study_id)
        if state == "unblinded":
            raise StudyError(
                f"Study {study_id!r} is unblinded: a rating given now would not be blind. Plan a "
                "new study for more ratings."
            )
        trouble = study_log(artifacts, study_id).trouble
        if trouble:
            raise StudyError(
                f"The log of study {study_id!r} was changed by hand and the study takes no more "
                f"ratings. {trouble} Put a backup of its files back, or unblind it."
            )
        if state != _STATES[event]:
            _log(artifacts, plan, event, by=by)


def _log(artifacts: Path, plan: StudyPlan, event: str, **more: str) -> datetime:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = {"event": event, "at": at, "seal": plan.seal, **more}
    append_chained(log_path(artifacts, plan.study_id), record)
    return datetime.fromisoformat(at)
