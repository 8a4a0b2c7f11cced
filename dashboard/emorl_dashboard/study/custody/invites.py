"""Invites: who may rate in a study, each by a secret link.

``artifacts/studies/<study_id>/invites.jsonl`` is only appended to, by the dashboard and the
command line alike. It holds the SHA-256 of every token and no token: a random token of 256 bits
cannot be guessed from its hash, so that a slow password hash would protect nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from emorl.errors import StoreError, StudyError
from emorl_dashboard.study.custody.annotators import annotator_id, spelled
from emorl_dashboard.study.custody.unblinding import open_study, study_state
from emorl_dashboard.study.protocol.assignment import HeldPlace
from emorl_dashboard.study.protocol.files import Record, append_record, read_records
from emorl_dashboard.study.protocol.plan import list_studies, read_plan, study_folder

log = logging.getLogger(__name__)

_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """An annotator of a study."""

    annotator: str
    place: int
    """Whose share the annotator has; a number beyond the plan's places has none."""
    digest: str
    """SHA-256 of the token, in hexadecimal."""
    since: datetime
    """Of the latest invite, UTC without a zone."""
    is_active: bool = True
    earlier_places: frozenset[int] = frozenset()
    """Held under earlier invites."""


def token_digest(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def invite(artifacts: Path, study_id: str, name: str) -> str:
    """Invite somebody and return the token, which is nowhere stored.

    Inviting a known annotator makes a new link and ends the old one; the ratings stay. The first
    invite opens a sealed study.

    Raises:
        StudyError: If there is no such sealed study, it takes no ratings any more, it needs no
            invites, or the name will not do.
        DiskError: If the invite cannot be stored.
    """
    plan = read_plan(artifacts, study_id)
    if not plan.requires_invite:
        raise StudyError(
            f"Study {study_id!r} was sealed for use without invites: whoever opens the Annotate "
            "page types a name. Plan a study with invites for links of their own."
        )
    state = study_state(artifacts, study_id)
    if state not in ("sealed", "open"):
        raise StudyError(
            f"Study {study_id!r} is {state} and takes no ratings. A closed study can be opened "
            "again on the Study page until it is unblinded."
        )
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    _log(artifacts, study_id, "invited", annotator_id(name), token_sha256=token_digest(token))
    if state == "sealed":
        open_study(artifacts, study_id, by="first invite")
    return token


def deactivate(artifacts: Path, study_id: str, name: str) -> None:
    """End an annotator's link; the ratings stay, and the rest of the share goes to others.

    Raises:
        StudyError: If nobody of that name is invited.
        DiskError: If that cannot be stored.
    """
    annotator = spelled(name)  # who was invited under a name of before is ended as well
    known = {one.annotator for one in invited(artifacts, study_id) if one.is_active}
    if annotator not in known:
        raise StudyError(
            f"Nobody active is called {annotator!r} in study {study_id!r}; there are: "
            f"{', '.join(sorted(known)) or 'none'}."
        )
    _log(artifacts, study_id, "deactivated", annotator)


def invited(artifacts: Path, study_id: str) -> tuple[Invited, ...]:
    """Return all who were ever invited, in the order of their first invite.

    Raises:
        StoreError: If the log is damaged.
    """
    path = invites_path(artifacts, study_id)
    try:
        stamp = path.stat()
    except OSError:
        return ()
    return _replayed(path, stamp.st_mtime_ns, stamp.st_size)


def invites_path(artifacts: Path, study_id: str) -> Path:
    """Return where the log of invites lies, which need not exist."""
    return study_folder(artifacts, study_id) / "invites.jsonl"


def active_places(artifacts: Path, study_id: str) -> dict[str, HeldPlace]:
    """Return the places of active annotators, since when they have them, and who had them."""
    known = invited(artifacts, study_id)
    return {
        one.annotator: HeldPlace(
            one.place,
            one.since,
            frozenset(
                other.annotator
                for other in known
                if other is not one and one.place in {other.place, *other.earlier_places}
            ),
        )
        for one in known
        if one.is_active
    }


def holder_of(artifacts: Path, digest: str) -> tuple[str, Invited] | None:
    """Return the study and annotator of a token's hash; None if no active invite has it.

    Every stored hash is compared, each in constant time: how long it takes tells nothing. A study
    whose invites are damaged keeps nobody out of the others.

    Raises:
        StoreError: If nobody was found, and the invites of some study cannot be read.
    """
    found = None
    is_damaged = False
    for study_id in list_studies(artifacts):
        try:
            known = invited(artifacts, study_id)
        except StoreError as error:
            log.warning("%s", error)
            is_damaged = True
            continue
        for one in known:
            if hmac.compare_digest(one.digest, digest) and one.is_active:
                found = study_id, one
    if found is None and is_damaged:
        raise StoreError(
            "Invites cannot all be read now, and this link may be among them. The study's owner "
            "finds more in the dashboard's log."
        )
    return found


@lru_cache(maxsize=64)
def _replayed(path: Path, _modified: int, _size: int) -> tuple[Invited, ...]:
    known: dict[str, Invited] = {}
    events: dict[str, Callable[[dict[str, Invited], Record], None]] = {
        "invited": _add,
        "deactivated": _end,
    }
    try:
        for record in read_records(path):
            events[record["event"]](known, record)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"The invites {path} are damaged: {error!r}. Put a backup in their place; no rating "
            "depends on them."
        ) from error
    return tuple(known.values())


def _add(known: dict[str, Invited], record: Record) -> None:
    annotator = record["annotator"]
    earlier = known.get(annotator)
    taken = {one.place for one in known.values() if one.is_active and one.annotator != annotator}
    if earlier is not None and earlier.place not in taken:
        place = earlier.place
    else:
        place = next(number for number in range(1, len(known) + 2) if number not in taken)
    known[annotator] = Invited(
        annotator=annotator,
        place=place,
        digest=_digest(record["token_sha256"]),
        since=datetime.fromisoformat(record["at"]).astimezone(UTC).replace(tzinfo=None),
        earlier_places=frozenset()
        if earlier is None
        else (earlier.earlier_places | {earlier.place}) - {place},
    )


def _digest(stored: object) -> str:
    # Anything else cannot be compared, and would keep everybody out of all studies.
    if not isinstance(stored, str) or not re.fullmatch("[0-9a-f]{64}", stored):
        raise ValueError(f"token_sha256 must be 64 hexadecimal digits, got {stored!r}")
    return stored


def _end(known: dict[str, Invited], record: Record) -> None:
    known[record["annotator"]] = replace(known[record["annotator"]], is_active=False)


def _log(artifacts: Path, study_id: str, event: str, annotator: str, **more: str) -> None:
    record = {
        "event": event,
        "annotator": annotator,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **more,
    }
    append_record(invites_path(artifacts, study_id), record)
