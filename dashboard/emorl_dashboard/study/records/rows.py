"""Submissions and notes as rows of the store's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from emorl_dashboard.study.protocol.ratings import Note, Submission
from emorl_dashboard.study.records.schema import EVENT_COLUMNS, NOTE_COLUMNS

INSERT_EVENT = (
    f"INSERT INTO rating_events ({', '.join(EVENT_COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(EVENT_COLUMNS))})"
)

INSERT_NOTE = (
    f"INSERT INTO notes ({', '.join(NOTE_COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(NOTE_COLUMNS))}) ON CONFLICT DO NOTHING"
)


def note_row(note: Note, now: datetime) -> list[Any]:
    """Return the row of ``NOTE_COLUMNS``."""
    return [
        note.note_id,
        note.study_id,
        note.annotator,
        note.kind,
        note.item_code,
        note.text,
        note.guideline_version,
        now,
        note.seal,
        note.log_entry,
    ]


def event_rows(submission: Submission, now: datetime) -> list[tuple[Any, ...]]:
    """Return one row of ``EVENT_COLUMNS`` per answer."""
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
            submission.shown_at,
            submission.shown_first,
            submission.seal,
            submission.log_entry,
        )
        for answer in submission.answers
    ]


def answers_of(submission: Submission) -> set[tuple[Any, ...]]:
    """Return what two submissions of one request must share."""
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
