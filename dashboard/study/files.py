"""Files of a study that any process may write: created once, replaced whole, or only appended to.

The command line and the dashboard work on them at the same time.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from engine.errors import DiskError, StoreError

Record = dict[str, Any]


def create_once(path: Path, text: str) -> None:
    """Write a file that appears complete or not at all.

    Raises:
        FileExistsError: If it is there; it is left as it is.
        OSError: If the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A hard link, unlike a rename, refuses to replace: of two that write, one wins whole.
        path.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)


def replace_whole(path: Path, text: str) -> None:
    """Write a file in place of an earlier one: a reader sees the old or the new one, whole.

    Raises:
        OSError: If the disk refuses; the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def append_record(path: Path, record: Record) -> None:
    """Add one line to a log of JSON objects; when it returns, the line is on disk.

    Raises:
        DiskError: If the disk refuses; the log is as before.
    """
    line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # A writer that was killed may have left a part of a line: end it first. One write
            # to the end of the file: lines of two writers do not mix.
            _write_whole(handle, line if _ends_a_line(path) else b"\n" + line)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise DiskError(
            f"Cannot write {path}: {error}. Nothing was changed; mend the cause and try again."
        ) from error


def read_records(path: Path) -> list[Record]:
    """Return the records of a log, oldest first; none if there is no log.

    Raises:
        StoreError: If a line in the middle is no record.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error}. Check its permissions.") from error
    records = []
    for number, line in enumerate(lines[:-1], start=1):  # an unended line was never acknowledged
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            if _is_torn(line):
                continue
            raise StoreError(_damaged(path, number)) from error
        if not isinstance(record, dict):
            raise StoreError(_damaged(path, number))
        records.append(record)
    return records


def _write_whole(handle: int, content: bytes) -> None:
    if os.write(handle, content) < len(content):
        raise OSError("no room for the whole line")


def _is_torn(line: bytes) -> bool:
    # What a killed writer left begins like a record and has no end.
    return line.startswith(b"{") and not line.rstrip().endswith(b"}")


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _damaged(path: Path, number: int) -> str:
    return f"The log {path} is damaged at line {number}. Put a backup in its place."
