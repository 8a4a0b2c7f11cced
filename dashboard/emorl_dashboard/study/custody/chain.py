"""A log whose entries vouch for each other: what was changed, taken out or put in is found.

Every entry holds a hash over all entries before it, and ``*.head.json`` beside the log names the
last one and when each event first happened, so that entries taken off the end are missed too.
Entries of earlier versions bear no hash: the first that does vouches for them from then on, and
nothing shows what was done to them before.

Who may write both files can make both anew: the chain finds edits, it does not forbid them. What
such a person cannot change is what others hold: the seal that annotators were shown, an export,
a preregistration; and every rating names the entry that it was admitted under.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emorl.errors import DiskError
from emorl_dashboard.study.protocol.files import (
    Record,
    append_record,
    cut_back,
    read_records,
    replace_whole,
)

BEFORE = "before"
"""Of an entry: the hash over all entries before it, which are none for the first."""

BROKEN = "broken"
"""Of an entry that was added to a log that had been changed: what was found then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A log as it was read."""

    records: tuple[Record, ...]
    hashes: tuple[str, ...]
    """Over the log up to each entry."""
    first: dict[str, str]
    """Event -> when it first happened, by the log or by the file beside it."""
    trouble: str
    """How the entries are not those that were written; "" if they are."""

    @property
    def n_unchained(self) -> int:
        """Return how many entries, of earlier versions, bear no hash."""
        return sum(BEFORE not in record for record in self.records)

    @property
    def head(self) -> str:
        """Return the hash over the whole log; "" for an empty one."""
        return self.hashes[-1] if self.hashes else ""


@dataclass(frozen=True, slots=True)
class _Head:
    n_entries: int
    sha256: str
    first: dict[str, str]

    def __post_init__(self) -> None:
        if self.n_entries < 0:
            raise ValueError(f"n_entries must be 0 or above, got {self.n_entries}")


def head_path(log: Path) -> Path:
    """Return where the last entry of a log is named."""
    return log.with_suffix(".head.json")


@contextmanager
def held(log: Path, *, alone: bool) -> Iterator[None]:
    """Keep a log as it is until the block ends: alone to write it, else beside other readers.

    Raises:
        DiskError: If the lock cannot be had.
    """
    path = log.with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DiskError(_cannot_write(path, error)) from error
    try:
        try:
            # Of this opening, not of the process: threads keep each other out as well.
            fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        except OSError as error:
            raise DiskError(_cannot_write(path, error)) from error
        yield
    finally:
        os.close(handle)


def read_chain(log: Path) -> Chain:
    """Read a log and verify it.

    Raises:
        StoreError: If a line in the middle is no record.
    """
    head, unreadable = _read_head(log)  # before the log, which only grows
    records = read_records(log)
    hashes: list[str] = []
    trouble, is_chained = "", False
    for number, record in enumerate(records, start=1):
        trouble = trouble or _misfit(record, number, hashes, is_chained=is_chained)
        is_chained = is_chained or BEFORE in record
        hashes.append(_hash(hashes[-1] if hashes else "", record))
    first = dict(head.first) if head else {}
    for record in records:
        if "event" in record:
            first.setdefault(str(record["event"]), str(record.get("at", "")))
    return Chain(
        records=tuple(records),
        hashes=tuple(hashes),
        first=first,
        trouble=trouble or unreadable or _missing(head, records, hashes),
    )


def append_chained(log: Path, record: Record) -> None:
    """Add an entry; the caller holds the log alone.

    Raises:
        StoreError: If the log cannot be read.
        DiskError: If the disk refuses.
    """
    chain = read_chain(log)
    entry = record | {BEFORE: chain.head}
    if chain.trouble:
        entry[BROKEN] = chain.trouble  # the new head below would hide it
    elif not head_path(log).exists():
        # Before the entry: however often a writer is killed, no chain is ever without a head.
        _write_head(log, len(chain.records), chain.head, chain.first)
    size = append_record(log, entry)
    first = {str(entry["event"]): str(entry["at"])} | chain.first
    try:
        _write_head(log, len(chain.records) + 1, _hash(chain.head, entry), first)
    except DiskError:
        _take_back(log, size)
        raise


def _write_head(log: Path, n_entries: int, sha256: str, first: dict[str, str]) -> None:
    path = head_path(log)
    head = {"n_entries": n_entries, "sha256": sha256, "first": first}
    try:
        replace_whole(path, json.dumps(head, ensure_ascii=False))
    except OSError as error:
        raise DiskError(_cannot_write(path, error)) from error


def _take_back(log: Path, size: int) -> None:
    """Take an entry off the log that nothing beside it names, so that it can be tried again."""
    try:
        cut_back(log, size)
    except OSError as error:
        raise DiskError(
            f"The entry stands in {log}, but {head_path(log)} could not be written to name it, "
            f"and the entry cannot be taken off again: {error}. Mend the cause; what is logged "
            "next names both."
        ) from error


def _hash(before: str, record: Record) -> str:
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def _misfit(record: Record, number: int, hashes: list[str], *, is_chained: bool) -> str:
    if BROKEN in record:
        return str(record[BROKEN])
    if BEFORE not in record:
        return f"Entry {number} bears no hash, and those before it do." if is_chained else ""
    if record[BEFORE] != (hashes[-1] if hashes else ""):
        return f"Entry {number} does not follow from the entries before it."
    return ""


def _missing(head: _Head | None, records: list[Record], hashes: list[str]) -> str:
    if head is None:
        # Earlier versions wrote their first entry before the file.
        many = sum(BEFORE in record for record in records) > 1
        return "The file that names its last entry is gone." if many else ""
    if head.n_entries > len(hashes):
        return f"It had {head.n_entries} entries and has {len(hashes)}."
    if head.n_entries > 0 and hashes[head.n_entries - 1] != head.sha256:
        return f"Its first {head.n_entries} entries are not those that were written."
    return ""


def _read_head(log: Path) -> tuple[_Head | None, str]:
    """Return the head, and why it cannot be read."""
    try:
        table = json.loads(head_path(log).read_text(encoding="utf-8"))
        first = {str(event): str(at) for event, at in table["first"].items()}
        return _Head(int(table["n_entries"]), str(table["sha256"]), first), ""
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None, "The file that names its last entry cannot be read."


def _cannot_write(path: Path, error: OSError) -> str:
    return f"Cannot write {path}: {error}. Nothing was changed; mend the cause and try again."
