"""All human ratings, as append-only events in one DuckDB file.

One process, the dashboard, opens it; DuckDB's file lock keeps every other process out. Others
read the Parquet snapshots. Safe for threads: every call works on a cursor of its own, because
one connection used by two threads can hand a thread the other's rows.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from emorl.errors import DiskError, ItemTakenError, StudyError
from emorl_dashboard.study.protocol.assignment import HeldPlace, Standing, may_have
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.protocol.ratings import ItemState, Note, Submission
from emorl_dashboard.study.records.index import ItemNotes, StudyIndex
from emorl_dashboard.study.records.publisher import Publisher
from emorl_dashboard.study.records.rows import (
    INSERT_EVENT,
    INSERT_NOTE,
    answers_of,
    event_rows,
    note_row,
)
from emorl_dashboard.study.records.schema import EVENT_COLUMNS, PUBLISHED
from emorl_dashboard.study.records.store_file import (
    PUBLISHING,
    connect,
    copy_to,
    disconnect,
    load_index,
    prepare,
    readable,
    rollback,
)

Places = Mapping[str, HeldPlace]
"""By active annotator."""

Parameters = list[Any]


def utc_now() -> datetime:
    """Return the time as it is stored: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


class AnnotationStore:
    """The ratings of all studies."""

    def __init__(self, studies: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        """Open or create ``annotations.duckdb`` in the folder of the studies.

        Raises:
            SchemaVersionError: If a later version of this project wrote the file.
            StoreInUseError: If another dashboard holds it.
            StoreError: If it is no database of ratings.
        """
        self.studies = studies
        self.path = studies / "annotations.duckdb"
        self._clock = clock
        # One submission at a time: the numbers of its events then stand together, the later of
        # two answers is the current one for every criterion, and no item gets too many.
        self._writing = threading.RLock()
        # What is in memory: whoever reads does not wait until another's answer is on disk.
        self._looking = threading.RLock()
        self._connection = connect(self.path)
        try:
            with readable(self.path):
                prepare(self._connection, self.path)
                self._index: dict[str, StudyIndex] = defaultdict(StudyIndex)
                self._index.update(load_index(self._connection))
        except BaseException:
            disconnect(self._connection, self.path)
            raise
        self._publisher = Publisher(self.publish, self.path)

    def close(self) -> None:
        """Write the last snapshots and let the file go."""
        self._publisher.close()
        disconnect(self._connection, self.path)

    def record(self, submission: Submission, plan: StudyPlan | None = None) -> bool:
        """Store the answers of one submission, all or none; when it returns, they are on disk.

        Args:
            submission: What the annotator clicked.
            plan: Of the study: no item gets more ratings than it says. None: no limit.

        Returns:
            True if they were stored now, False if this very request was stored before.

        Raises:
            ItemTakenError: If the item has its ratings from others; nothing was stored.
            AnswerChangedError: If it replaces another answer than the current one.
            StudyError: If the request's id was used for other answers.
            DiskError: If nothing could be stored; the same submission can be tried again.
        """
        try:
            with self._writing:
                stored_before = self._stored_before(submission)
                if not stored_before:
                    self._check(submission, plan)
                    self._insert(submission)
        except duckdb.Error as error:
            raise DiskError(
                f"Nothing of this answer was stored in {self.path}: {error}. If the disk is full, "
                "free some room; then try again."
            ) from error
        self._publisher.request(submission.study_id)
        return not stored_before

    def lease(self, plan: StudyPlan, code: str, annotator: str) -> bool:
        """Keep an item for the annotator who looks at it; False if others have it.

        Raises:
            DiskError: If the lease could not be stored.
        """
        with self._writing:
            now = self._clock()
            if not self._may_have(plan, code, annotator):
                return False
            expires = now + timedelta(seconds=plan.lease_seconds)
            self._execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
                [plan.study_id, code, annotator, now, expires],
            )
            with self._index_of(plan.study_id) as index:
                index.lease(code, annotator, now, expires)
        return True

    def release(self, study_id: str, annotator: str) -> None:
        """Give back the items that somebody looked at and did not answer.

        Raises:
            DiskError: If that could not be stored; the leases end by themselves.
        """
        with self._writing:
            self._execute(
                "DELETE FROM leases WHERE study_id = ? AND annotator = ?", [study_id, annotator]
            )
            with self._index_of(study_id) as index:
                index.release(annotator)

    def note(self, note: Note) -> None:
        """Store a consent, flag or comment; the same note sent twice is stored once.

        Raises:
            DiskError: If it could not be stored.
        """
        now = self._clock()
        with self._writing:
            self._execute(INSERT_NOTE, note_row(note, now))
            said = (note.annotator, note.kind, note.item_code, note.text, note.guideline_version)
            with self._index_of(note.study_id) as index:
                index.note(*said, now, (note.seal, note.log_entry))
        self._publisher.request(note.study_id)

    def states(self, study_id: str, annotator: str) -> dict[str, ItemState]:
        """Return one annotator's current answers, by item code; unanswered items are left out."""
        with self._index_of(study_id) as index:
            return index.states(annotator)

    def notes(self, study_id: str, annotator: str, item_code: str) -> ItemNotes:
        """Return what an annotator attached to an item."""
        with self._index_of(study_id) as index:
            return index.notes.get((annotator, item_code), ItemNotes())

    def has_consented(self, study_id: str, annotator: str, guideline_version: str) -> bool:
        """Tell whether somebody agreed to take part under these guidelines."""
        with self._index_of(study_id) as index:
            return (annotator, guideline_version) in index.consents

    def has_completed(self, study_id: str, annotator: str) -> bool:
        """Tell whether somebody was told to have done the whole share."""
        with self._index_of(study_id) as index:
            return annotator in index.completed

    def admitted_under(self, study_id: str) -> frozenset[tuple[str, str]]:
        """Return the seals and log entries that something of a study was stored under."""
        with self._index_of(study_id) as index:
            return frozenset(index.admitted)

    @contextmanager
    def standing(self, plan: StudyPlan, places: Places) -> Iterator[Standing]:
        """Give where everybody stands, unchanged until the block ends."""
        with self._index_of(plan.study_id) as index:
            yield index.standing(self._clock(), places, plan.abandoned_seconds)

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
        with PUBLISHING:
            for name, query in PUBLISHED.items():
                target = folder / f"{name}.parquet"
                copy_to(self._connection, self.path, query.format(study=literal), target)
                written.append(target)
        return written

    def studies_with_ratings(self) -> list[str]:
        """Return the studies that have any event."""
        return [s for (s,) in self._rows("SELECT DISTINCT study_id FROM rating_events ORDER BY 1")]

    @contextmanager
    def _index_of(self, study_id: str) -> Iterator[StudyIndex]:
        with self._looking:
            yield self._index[study_id]

    def _may_have(self, plan: StudyPlan, code: str, annotator: str) -> bool:
        with self.standing(plan, {}) as standing:
            return may_have(plan, standing, code, annotator=annotator)

    def _check(self, submission: Submission, plan: StudyPlan | None) -> None:
        with self._index_of(submission.study_id) as index:
            index.check_current(submission)
        if plan is None or submission.kind != "rating":
            return
        if not self._may_have(plan, submission.item_code, submission.annotator):
            raise ItemTakenError(
                "This item has been given to somebody else in the meantime and needs no further "
                "rating. Nothing was stored; go on with the next item."
            )

    def _stored_before(self, submission: Submission) -> bool:
        cursor = self._connection.cursor()
        try:
            stored = cursor.execute(
                "SELECT criterion, value, item_code, annotator, study_id FROM rating_events "
                "WHERE request_id = ?",
                [submission.request_id],
            ).fetchall()
        finally:
            cursor.close()
        if stored and set(stored) != answers_of(submission):
            raise StudyError(
                f"Request {submission.request_id!r} was stored with other answers, and stored "
                "events are never changed. Send a changed answer as a new request."
            )
        return bool(stored)

    def _insert(self, submission: Submission) -> None:
        now = self._clock()
        cursor = self._connection.cursor()
        try:
            cursor.execute("BEGIN")
            cursor.executemany(INSERT_EVENT, event_rows(submission, now))
            cursor.execute(
                "DELETE FROM leases WHERE study_id = ? AND item_code = ? AND annotator = ?",
                [submission.study_id, submission.item_code, submission.annotator],
            )
            cursor.execute("COMMIT")
        except BaseException:
            rollback(cursor)
            raise
        finally:
            cursor.close()
        values = {a.criterion: a.value for a in submission.answers if a.value is not None}
        with self._index_of(submission.study_id) as index:
            about = (submission.item_code, submission.annotator, submission.kind)
            index.answer(*about, values, now, submission.request_id)
            index.admitted.add((submission.seal, submission.log_entry))

    def _execute(self, sql: str, values: Parameters) -> None:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql, values)
        except duckdb.Error as error:
            raise DiskError(
                f"Nothing was stored in {self.path}: {error}. If the disk is full, free some "
                "room; then try again."
            ) from error
        finally:
            cursor.close()

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with readable(self.path):
            cursor = self._connection.cursor()
            try:
                return cursor.execute(sql, values).fetchall()
            finally:
                cursor.close()
