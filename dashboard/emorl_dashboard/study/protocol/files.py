"""Files of a study that any process may write: created once, replaced whole, or only appended to.

The command line and the dashboard work on them at the same time.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from emorl.errors import DiskError, StoreError, StudyError

Record = dict[str, Any]

_TEMPORARY = ".tmp"

_ABANDONED_SECONDS = 3600.0
"""No writer needs a file of its own for so long."""


def create_once(path: Path, text: str) -> None:
    """Write a file that appears complete or not at all.

    Raises:
        FileExistsError: If it is there; it is left as it is.
        OSError: If the disk refuses.
    """
    with _beside(path, text) as beside:
        # A hard link, unlike a rename, refuses to replace: of two that write, one wins whole.
        path.hardlink_to(beside)


def replace_whole(path: Path, text: str) -> None:
    """Write a file in place of an earlier one: a reader sees the old or the new one, whole.

    Raises:
        OSError: If the disk refuses; the old file stays.
    """
    with _beside(path, text) as beside:
        beside.replace(path)


def append_record(path: Path, record: Record) -> int:
    """Add one line to a log of JSON objects; when it returns, the line is on disk.

    Returns:
        The size of the log before, for ``cut_back``.

    Raises:
        StudyError: If a text of the record cannot be stored; the log is as before.
        DiskError: If the disk refuses; the log is as before.
    """
    line = stored_text(json.dumps(record, ensure_ascii=False)) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # nobody adds a line that is cut off below
            size = os.fstat(handle).st_size
            _add(handle, line, size)
        finally:
            os.close(handle)
    except OSError as error:
        raise DiskError(
            f"Cannot write {path}: {error}. Nothing was changed; mend the cause and try again."
        ) from error
    return size


def cut_back(path: Path, size: int) -> None:
    """Take what was added last off a log again; the caller keeps other writers out.

    Raises:
        OSError: If the disk refuses; the log stays.
    """
    os.truncate(path, size)


def read_records(path: Path) -> list[Record]:
    """Return the records of a log, oldest first; none if there is no log.

    A writer that was killed may have left a part of a line, which is no record, or all of it but
    its end, which is one: whoever writes next ends it.

    Raises:
        StoreError: If a line is no record, nor a part of one.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error}. Check its permissions.") from error
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines) or _is_torn(line, error):
                continue
            raise StoreError(_damaged(path, number)) from error
        if not isinstance(record, dict):
            raise StoreError(_damaged(path, number))
        records.append(record)
    return records


def stored_text(text: str) -> bytes:
    """Return a text as files hold it.

    Raises:
        StudyError: If it holds half of a character, which no file can store.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise StudyError(
            f"A text holds half of a character ({text[error.start]!r} after "
            f"{text[max(0, error.start - 20) : error.start]!r}), which no file can store. Write "
            "the whole character, in UTF-8; nothing was changed."
        ) from error


@contextmanager
def _beside(path: Path, text: str) -> Iterator[Path]:
    """Write a file that is gone when the block ends, unless it got another name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=_TEMPORARY)
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        with suppress(OSError):  # what the block did stands; the next writer sweeps
            beside.unlink()


def _sweep(folder: Path) -> None:
    """Delete what writers that were killed left behind long ago."""
    for path in folder.glob(f"{tempfile.gettempprefix()}*{_TEMPORARY}"):
        try:
            if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                path.unlink()
        except OSError:
            continue  # another writer was faster, or it is not ours to delete


def _add(handle: int, line: bytes, size: int) -> None:
    try:
        # A part of a line that a killed writer left is ended first. One write to the end of the
        # file: a reader sees all of it or nothing.
        content = line if not size or os.pread(handle, 1, size - 1) == b"\n" else b"\n" + line
        _write_whole(handle, content)
    except OSError:
        with suppress(OSError):  # what is left then is a part of a line
            os.ftruncate(handle, size)
        raise


def _write_whole(handle: int, content: bytes) -> None:
    if os.write(handle, content) < len(content):
        raise OSError("no room for the whole line")
    os.fsync(handle)


def _is_torn(line: bytes, error: Exception) -> bool:
    # What a killed writer left begins like a record and has no end, or ends within a text.
    is_open = not line.rstrip().endswith(b"}") or str(error).startswith("Unterminated string")
    return line.startswith(b"{") and is_open


def _damaged(path: Path, number: int) -> str:
    return f"The log {path} is damaged at line {number}. Put a backup in its place."
