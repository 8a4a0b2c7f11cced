"""Tables of ``annotations.duckdb`` and of its published snapshots."""

from __future__ import annotations

SCHEMA_VERSION = 1
"""Raised whenever a table changes; a file of another version is refused."""

SCHEMA = """
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
CREATE SEQUENCE event_order;
CREATE TABLE rating_events (
    event_id VARCHAR PRIMARY KEY,           -- request_id/criterion
    request_id VARCHAR NOT NULL,            -- made before the click
    event_number BIGINT NOT NULL DEFAULT nextval('event_order'),
    study_id VARCHAR NOT NULL,
    item_code VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    criterion VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('rating', 'skip')),
    scale_minimum INTEGER NOT NULL,
    scale_maximum INTEGER NOT NULL,
    value INTEGER,
    label VARCHAR NOT NULL,                 -- what the value means
    position INTEGER NOT NULL,              -- of the item in the annotator's order, from 1
    guideline_version VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL,                -- from showing the item to the click
    stored_at TIMESTAMP NOT NULL,           -- UTC
    CHECK ((kind = 'skip' AND value IS NULL)
        OR (kind = 'rating' AND value BETWEEN scale_minimum AND scale_maximum))
);
CREATE VIEW current_ratings AS
    SELECT * FROM rating_events
    QUALIFY row_number() OVER (
        PARTITION BY study_id, item_code, annotator, criterion ORDER BY event_number DESC
    ) = 1;
"""
"""SQL that makes an empty store. Rows of ``rating_events`` are added, never changed."""

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
)
"""Columns that the writer gives; the database numbers the events itself."""

PUBLISHED = {
    "rating_events": "SELECT * FROM rating_events WHERE study_id = {study} ORDER BY event_number",
    "current_ratings": "SELECT * FROM current_ratings WHERE study_id = {study} "
    "ORDER BY annotator, position, criterion",
}
"""Snapshot name -> the query it holds."""
