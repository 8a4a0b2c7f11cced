"""All human ratings, as append-only events in one DuckDB file.

One process, the dashboard, opens it; DuckDB's file lock keeps every other process out. Others
read the Parquet snapshots. Safe for threads: every call works on a cursor of its own, because
one connection used by two threads can hand a thread the other's rows.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from dashboard.study.ratings import ItemState, Submission
from dashboard.study.schema import EVENT_COLUMNS, PUBLISHED, SCHEMA, SCHEMA_VERSION
from engine.errors import DiskError, SchemaVersionError, StoreError, StudyError


class AnnotationStore:
    """The ratings of all studies."""

    def __init__(self, studies: Path) -> None:
        """Open or create ``annotations.duckdb`` in the folder of the studies.

        Raises:
            SchemaVersionError: If another version of this project wrote the file.
            StoreError: If another dashboard holds it, or it is no database of ratings.
        """
        self.studies = studies
        self.path = studies / "annotations.duckdb"
        # One submission at a time: the numbers of its events then stand together, and the later
        # of two answers is the current one for every criterion.
        self._writing = threading.Lock()
        self._publishing = threading.Lock()
        self._connection = _connect(self.path)
        try:
            with _readable(self.path):
                _prepare(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def record(self, submission: Submission) -> bool:
        """Store the answers of one submission, all or none; when it returns, they are on disk.

        Returns:
            True if they were stored now, False if this very request was stored before.

        Raises:
            StudyError: If the request's id was used for other answers.
            DiskError: If nothing could be stored; the same submission can be tried again.
        """
        try:
            with self._writing:
                return self._record_once(submission)
        except duckdb.Error as error:
            raise DiskError(
                f"Nothing of this answer was stored in {self.path}: {error}. If the disk is full, "
                "free some room; then try again."
            ) from error

    def states(self, study_id: str, annotator: str) -> dict[str, ItemState]:
        """Return one annotator's current answers, by item code; unanswered items are left out."""
        rows = self._rows(
            "SELECT item_code, criterion, kind, value FROM current_ratings "
            "WHERE study_id = ? AND annotator = ?",
            (study_id, annotator),
        )
        kinds = {code: kind for code, _, kind, _ in rows}
        values: dict[str, dict[str, int]] = {code: {} for code in kinds}
        for code, criterion, kind, value in rows:
            if kind == "rating":
                values[code][criterion] = value
        return {code: ItemState(kind=kind, values=values[code]) for code, kind in kinds.items()}

    def history(self, study_id: str, annotator: str, item_code: str) -> list[dict[str, Any]]:
        """Return all events of one item and annotator, oldest first."""
        columns = (*EVENT_COLUMNS, "event_number")
        rows = self._rows(
            f"SELECT {', '.join(columns)} FROM rating_events WHERE study_id = ? "
            "AND annotator = ? AND item_code = ? ORDER BY event_number",
            (study_id, annotator, item_code),
        )
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def publish(self, study_id: str) -> list[Path]:
        """Write the study's events and current ratings as Parquet, each replaced in one step.

        Raises:
            DiskError: If the disk refuses; the old snapshots stay and no rating is lost.
        """
        folder = self.studies / study_id / "published"
        literal = "'" + study_id.replace("'", "''") + "'"
        written = []
        with self._publishing:
            for name, query in PUBLISHED.items():
                target = folder / f"{name}.parquet"
                self._copy(query.format(study=literal), target)
                written.append(target)
        return written

    def studies_with_ratings(self) -> list[str]:
        """Return the studies that have any event."""
        return [s for (s,) in self._rows("SELECT DISTINCT study_id FROM rating_events ORDER BY 1")]

    def _record_once(self, submission: Submission) -> bool:
        cursor = self._connection.cursor()
        try:
            cursor.execute("BEGIN")
            stored = cursor.execute(
                "SELECT criterion, value, item_code, annotator, study_id FROM rating_events "
                "WHERE request_id = ?",
                [submission.request_id],
            ).fetchall()
            if not stored:
                cursor.executemany(_INSERT, _event_rows(submission))
            cursor.execute("COMMIT")
        except BaseException:
            _rollback(cursor)
            raise
        finally:
            cursor.close()
        if stored and set(stored) != _answers(submission):
            raise StudyError(
                f"Request {submission.request_id!r} was stored with other answers, and stored "
                "events are never changed. Send a changed answer as a new request."
            )
        return not stored

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with _readable(self.path):
            cursor = self._connection.cursor()
            try:
                return cursor.execute(sql, values).fetchall()
            finally:
                cursor.close()

    def _copy(self, sql: str, target: Path) -> None:
        beside = target.with_suffix(".parquet.tmp")
        quoted = str(beside).replace("'", "''")
        cursor = self._connection.cursor()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            cursor.execute(f"COPY ({sql}) TO '{quoted}' (FORMAT parquet)")
            os.replace(beside, target)  # noqa: PTH105 - atomic on every platform
        except (duckdb.Error, OSError) as error:
            raise DiskError(
                f"Cannot write {target}: {error}. All ratings are safe in {self.path}; the copy "
                "is written with the next answer."
            ) from error
        finally:
            cursor.close()


_INSERT = (
    f"INSERT INTO rating_events ({', '.join(EVENT_COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(EVENT_COLUMNS))})"
)


def _event_rows(submission: Submission) -> list[tuple[Any, ...]]:
    now = datetime.now(UTC).replace(tzinfo=None)
    return [
        (
            f"{submission.request_id}/{answer.criterion}",
            submission.request_id,
            submission.study_id,
            submission.item_code,
            submission.annotator,
            answer.criterion,
            submission.kind,
            answer.scale_minimum,
            answer.scale_maximum,
            answer.value,
            answer.label,
            submission.position,
            submission.guideline_version,
            submission.seconds,
            now,
        )
        for answer in submission.answers
    ]


def _answers(submission: Submission) -> set[tuple[Any, ...]]:
    return {
        (
            answer.criterion,
            answer.value,
            submission.item_code,
            submission.annotator,
            submission.study_id,
        )
        for answer in submission.answers
    }


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(str(path))
    except (duckdb.Error, OSError) as error:
        if "lock" in str(error).lower():
            raise StoreError(
                f"Another dashboard has {path} open, and one dashboard alone may write ratings. "
                "Use that one, stop it, or start this one with another artifacts folder "
                "(EMORL_ARTIFACTS)."
            ) from error
        raise StoreError(
            f"Cannot open {path} as the database of ratings: {error}. If it is damaged, put a "
            "backup in its place; the snapshots in the studies' published folders hold the "
            "ratings too."
        ) from error


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
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
    if meta.get("schema_version") != str(SCHEMA_VERSION):
        raise SchemaVersionError(
            f"{path} has schema version {meta.get('schema_version')}, this version of emorl "
            f"reads {SCHEMA_VERSION}. Start the dashboard of the version that wrote it; nothing "
            "was changed."
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise StoreError(
            f"Cannot read {path}: {error}. Restart the dashboard; saved ratings are kept."
        ) from error


def _rollback(cursor: duckdb.DuckDBPyConnection) -> None:
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        # A commit that failed has ended its transaction: there is nothing left to undo.
        return
