"""The file ``annotations.duckdb``: opening, upgrading, and reading what it says now."""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from emorl.errors import DiskError, SchemaVersionError, StoreError, StoreInUseError
from emorl_dashboard.study.records.index import StudyIndex
from emorl_dashboard.study.records.schema import SCHEMA, SCHEMA_VERSION, UPGRADES

PUBLISHING = threading.RLock()
"""One snapshot at a time, whichever store of this process writes it."""

_open_here: Counter[Path] = Counter()


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open or create the file; see ``AnnotationStore`` for the errors."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One thread: every statement is small, and idle workers would only wait busily.
        connection = duckdb.connect(str(path), config={"threads": 1})
    except (duckdb.Error, OSError) as error:
        # By the message alone, which quotes the path as well: DuckDB has no error of its own.
        if str(error).startswith("IO Error: Could not set lock on file"):
            raise StoreInUseError(
                f"Another dashboard has {path} open, and one dashboard alone may write ratings. "
                "Use that one, stop it, or start this one with another artifacts folder "
                "(EMORL_ARTIFACTS)."
            ) from error
        raise StoreError(
            f"Cannot open {path} as the database of ratings: {error}. If it is damaged, put a "
            "backup in its place; the snapshots in the studies' published folders hold the "
            "ratings too."
        ) from error
    with PUBLISHING:
        _open_here[path.resolve()] += 1
    return connection


def disconnect(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Let the file go."""
    connection.close()
    with PUBLISHING:
        _open_here[path.resolve()] -= 1


def is_open_here(path: Path) -> bool:
    """Tell whether this very process has the file open."""
    return _open_here[path.resolve()] > 0


def copy_to(connection: duckdb.DuckDBPyConnection, path: Path, query: str, target: Path) -> None:
    """Write what a query of the file ``path`` gives as Parquet, in one step.

    Raises:
        DiskError: If the disk refuses; an old file stays.
    """
    beside = target.with_suffix(".parquet.tmp")
    quoted = str(beside).replace("'", "''")
    cursor = connection.cursor()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        cursor.execute(f"COPY ({query}) TO '{quoted}' (FORMAT parquet)")
        os.replace(beside, target)  # noqa: PTH105 - atomic on every platform
    except (duckdb.Error, OSError) as error:
        raise DiskError(
            f"Cannot write {target}: {error}. All ratings are safe in {path}; the "
            "dashboard tries again by itself."
        ) from error
    finally:
        cursor.close()


def prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make the tables of a new file, check those of an old one and bring it up to date."""
    tables = {
        name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    }
    if not tables:
        connection.execute("BEGIN")
        connection.execute(SCHEMA)
        connection.execute(
            "INSERT INTO meta VALUES ('content', 'ratings'), ('schema_version', ?)",
            [str(SCHEMA_VERSION)],
        )
        connection.execute("COMMIT")
        return
    if "meta" not in tables:
        raise StoreError(
            f"{path} is a database, but not one of ratings. Move it away and reload the page."
        )
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    if meta.get("content") != "ratings":
        raise StoreError(
            f"{path} is a database, but not one of ratings. Move it away and reload the page."
        )
    version = meta.get("schema_version")
    if version in UPGRADES:
        _upgrade(connection, version)
    elif version != str(SCHEMA_VERSION):
        raise SchemaVersionError(
            f"{path} has schema version {version}, this version of emorl "
            f"reads {SCHEMA_VERSION}. Start the dashboard of the version that wrote it; nothing "
            "was changed."
        )


def _upgrade(connection: duckdb.DuckDBPyConnection, version: str) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(UPGRADES[version])
        connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(SCHEMA_VERSION)]
        )
        connection.execute("COMMIT")
    except BaseException:
        rollback(connection)
        raise


def load_index(connection: duckdb.DuckDBPyConnection) -> dict[str, StudyIndex]:
    """Return what all stored events say now, by study."""
    found: dict[str, StudyIndex] = defaultdict(StudyIndex)
    _load_answers(connection, found)
    for study, annotator, kind, code, text, version, stored_at, *admitted in connection.execute(
        "SELECT study_id, annotator, kind, item_code, text, guideline_version, stored_at, seal, "
        "log_entry FROM notes ORDER BY note_number"
    ).fetchall():
        under = (admitted[0], admitted[1])
        found[study].note(annotator, kind, code, text, version, stored_at, under)
    for study, seal, entry in connection.execute(
        "SELECT DISTINCT study_id, seal, log_entry FROM rating_events"
    ).fetchall():
        found[study].admitted.add((seal, entry))
    for study, code, annotator, granted, expires in connection.execute(
        "SELECT study_id, item_code, annotator, granted_at, expires_at FROM leases"
    ).fetchall():
        found[study].lease(code, annotator, granted, expires)
    return dict(found)


def _load_answers(connection: duckdb.DuckDBPyConnection, found: dict[str, StudyIndex]) -> None:
    rows = connection.execute(
        "SELECT study_id, item_code, annotator, kind, stored_at, request_id, criterion, value "
        "FROM current_ratings ORDER BY event_number"
    ).fetchall()
    values: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for *answer, criterion, value in rows:
        answered = values[tuple(answer)]
        if value is not None:
            answered[criterion] = value
    for (study, code, annotator, kind, stored_at, request), answered in values.items():
        found[study].answer(code, annotator, kind, answered, stored_at, request)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the database's errors into ours."""
    try:
        yield
    except duckdb.Error as error:
        raise StoreError(
            f"Cannot read {path}: {error}. Restart the dashboard; saved ratings are kept."
        ) from error


def rollback(cursor: duckdb.DuckDBPyConnection) -> None:
    """Undo the transaction, if there is one."""
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        # A commit that failed has ended its transaction: there is nothing left to undo.
        return
