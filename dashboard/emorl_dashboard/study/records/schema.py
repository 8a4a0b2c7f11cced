"""Tables of ``annotations.duckdb`` and of its published snapshots."""

from __future__ import annotations

SCHEMA_VERSION = 3
"""Raised whenever a table changes. Earlier files are brought up to date, later ones refused."""

_EVENTS = """
CREATE TABLE rating_events (
    event_id VARCHAR PRIMARY KEY,           -- request_id/criterion
    request_id VARCHAR NOT NULL,            -- made before the click
    event_number BIGINT NOT NULL DEFAULT nextval('event_order'),
    study_id VARCHAR NOT NULL,
    item_code VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    criterion VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('rating', 'skip', 'withdrawn')),
    scale_minimum INTEGER NOT NULL,
    scale_maximum INTEGER NOT NULL,
    value INTEGER,
    label VARCHAR NOT NULL,                 -- what the value means
    position INTEGER NOT NULL,              -- of the item in the annotator's order, from 1
    guideline_version VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL,                -- from showing the item to the click
    stored_at TIMESTAMP NOT NULL,           -- UTC
    shown_at TIMESTAMP,                     -- UTC; NULL in files of version 1
    shown_first VARCHAR NOT NULL DEFAULT '',  -- of a pair: a or b
    seal VARCHAR DEFAULT '',                -- of the plan; '' in files of versions 1 and 2
    log_entry VARCHAR DEFAULT '',           -- hash of the study's log when it was admitted
    CHECK ((kind <> 'rating' AND value IS NULL)
        OR (kind = 'rating' AND value BETWEEN scale_minimum AND scale_maximum))
);
"""

_VIEW = """
CREATE VIEW current_ratings AS
    SELECT * FROM (
        SELECT * FROM rating_events
        QUALIFY row_number() OVER (
            PARTITION BY study_id, item_code, annotator, criterion ORDER BY event_number DESC
        ) = 1
    ) WHERE kind <> 'withdrawn';
"""

_SINCE_2 = """
CREATE TABLE notes (
    note_id VARCHAR PRIMARY KEY,            -- made before the click
    note_number BIGINT NOT NULL DEFAULT nextval('event_order'),
    study_id VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    kind VARCHAR NOT NULL
        CHECK (kind IN ('consent', 'flag', 'unflag', 'comment', 'completed')),
    item_code VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    guideline_version VARCHAR NOT NULL,
    stored_at TIMESTAMP NOT NULL,           -- UTC
    seal VARCHAR DEFAULT '',
    log_entry VARCHAR DEFAULT ''
);
CREATE TABLE leases (
    study_id VARCHAR NOT NULL,
    item_code VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    granted_at TIMESTAMP NOT NULL,          -- UTC
    expires_at TIMESTAMP NOT NULL,          -- UTC
    PRIMARY KEY (study_id, item_code, annotator)
);
"""

SCHEMA = (
    "CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);"
    "CREATE SEQUENCE event_order;" + _EVENTS + _VIEW + _SINCE_2
)
"""SQL that makes an empty store. Rows of events and notes are added, never changed."""

EVENT_COLUMNS = (
    "event_id",
    "request_id",
    "study_id",
    "item_code",
    "annotator",
    "criterion",
    "kind",
    "scale_minimum",
    "scale_maximum",
    "value",
    "label",
    "position",
    "guideline_version",
    "seconds",
    "stored_at",
    "shown_at",
    "shown_first",
    "seal",
    "log_entry",
)
"""Columns that the writer gives; the database numbers the events itself."""

_OF_VERSION_1 = ", ".join((*EVENT_COLUMNS[:15], "event_number"))

UPGRADES = {
    "1": "DROP VIEW current_ratings; ALTER TABLE rating_events RENAME TO old_events;"
    + _EVENTS
    + f"INSERT INTO rating_events ({_OF_VERSION_1}) "
    f"SELECT {_OF_VERSION_1} FROM old_events ORDER BY event_number;"
    "DROP TABLE old_events;" + _VIEW + _SINCE_2,
    "2": "DROP VIEW current_ratings;"
    + "".join(
        f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR DEFAULT '';"
        for table in ("rating_events", "notes")
        for column in ("seal", "log_entry")
    )
    + _VIEW,
}
"""Version of a file -> SQL that brings it up to date, with every event and its number."""

NOTE_COLUMNS = (
    "note_id",
    "study_id",
    "annotator",
    "kind",
    "item_code",
    "text",
    "guideline_version",
    "stored_at",
    "seal",
    "log_entry",
)
"""Columns that the writer gives."""

PUBLISHED = {
    "rating_events": "SELECT * FROM rating_events WHERE study_id = {study} ORDER BY event_number",
    "current_ratings": "SELECT * FROM current_ratings WHERE study_id = {study} "
    "ORDER BY annotator, position, criterion",
    "notes": "SELECT * FROM notes WHERE study_id = {study} ORDER BY note_number",
}
"""Snapshot name -> the query it holds."""
