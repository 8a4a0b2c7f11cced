"""Ratings are append-only events; whatever happens, one current answer per question."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from emorl.errors import DiskError, SchemaVersionError, StoreError, StudyError
from emorl_dashboard.study.protocol.ratings import ItemState, Note, Submission
from emorl_dashboard.study.records.store import AnnotationStore
from tests.dashboard.study.samples import rating, skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnnotationStore]:
    opened = AnnotationStore(tmp_path / "studies")
    yield opened
    opened.close()


def history(store: AnnotationStore, item: str = "item", annotator: str = "ada") -> list[Any]:
    return store.history("demo", annotator, item)


def test_one_submission_is_one_row_per_criterion_with_its_meaning(store: AnnotationStore) -> None:
    assert store.record(rating(0, 1, 2, request_id="click"))
    rows = history(store)
    assert [(row["criterion"], row["value"], row["label"]) for row in rows] == [
        ("reflection", 0, "None"),
        ("empathy", 1, "Basic"),
        ("fluency", 2, "Natural"),
    ]
    assert {(row["scale_minimum"], row["scale_maximum"]) for row in rows} == {(0, 2)}
    assert {row["request_id"] for row in rows} == {"click"}
    assert {(row["position"], row["guideline_version"], row["seconds"]) for row in rows} == {
        (1, "1", 2.5)
    }


def test_a_replayed_request_is_stored_once(store: AnnotationStore) -> None:
    assert store.record(rating(2, 2, 2, request_id="click"))
    assert not store.record(rating(2, 2, 2, request_id="click"))
    assert len(history(store)) == 3


def test_a_request_id_with_other_answers_is_refused_and_changes_nothing(
    store: AnnotationStore,
) -> None:
    store.record(rating(2, 2, 2, request_id="click"))
    before = history(store)
    with pytest.raises(StudyError, match="stored with other answers"):
        store.record(rating(0, 0, 0, request_id="click"))
    with pytest.raises(StudyError, match="stored with other answers"):
        store.record(rating(2, 2, 2, request_id="click", annotator="bob"))
    assert history(store) == before
    assert history(store, annotator="bob") == []


def test_2_then_1_then_2_is_the_value_2_with_a_history_of_three(store: AnnotationStore) -> None:
    for value in (2, 1, 2):
        store.record(rating(value, value, value))
    assert store.states("demo", "ada")["item"].values == {
        "reflection": 2,
        "empathy": 2,
        "fluency": 2,
    }
    values = [row["value"] for row in history(store) if row["criterion"] == "empathy"]
    assert values == [2, 1, 2]


def test_a_skip_is_a_state_of_its_own_and_a_later_rating_replaces_it(
    store: AnnotationStore,
) -> None:
    store.record(skip())
    assert store.states("demo", "ada") == {"item": ItemState(kind="skip", values={})}
    store.record(rating(1, 1, 1))
    assert store.states("demo", "ada")["item"].kind == "rating"
    assert [row["kind"] for row in history(store)] == ["skip"] * 3 + ["rating"] * 3


def test_annotators_studies_and_items_are_kept_apart(store: AnnotationStore) -> None:
    store.record(rating(0, 0, 0))
    store.record(rating(1, 1, 1, annotator="bob"))
    store.record(rating(2, 2, 2, item_code="other"))
    store.record(rating(2, 1, 0, study_id="second"))
    assert set(store.states("demo", "ada")) == {"item", "other"}
    assert store.states("demo", "ada")["item"].values["reflection"] == 0
    assert store.states("demo", "bob")["item"].values["reflection"] == 1
    assert store.states("second", "ada")["item"].values["fluency"] == 0
    assert store.studies_with_ratings() == ["demo", "second"]


def test_eight_threads_that_send_one_click_store_it_once(store: AnnotationStore) -> None:
    for click in range(20):
        submission = rating(2, 1, 0, request_id=f"click {click}", item_code=f"item{click}")
        with ThreadPoolExecutor(8) as pool:
            stored_now = list(pool.map(store.record, [submission] * 8))
        assert stored_now.count(True) == 1
        assert len(history(store, f"item{click}")) == 3


def test_eight_threads_with_clicks_of_their_own_lose_none(store: AnnotationStore) -> None:
    def annotate(person: int) -> list[int]:
        read_back = []
        for item in range(15):
            value = (person + item) % 3
            code = f"item{item}"
            store.record(rating(value, value, value, item_code=code, annotator=f"person{person}"))
            seen = store.states("demo", f"person{person}")[code]
            read_back.append(seen.values["empathy"] - value)
        return read_back

    with ThreadPoolExecutor(8) as pool:
        differences = [d for person in pool.map(annotate, range(8)) for d in person]
    assert differences == [0] * 120
    assert sum(len(store.states("demo", f"person{p}")) for p in range(8)) == 120


def test_two_tabs_leave_one_current_answer_and_both_events(store: AnnotationStore) -> None:
    for item in range(20):
        code = f"item{item}"
        answers = [rating(2, 2, 2, item_code=code), rating(1, 1, 1, item_code=code)]
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(store.record, answers)) == [True, True]
        rows = history(store, code)
        assert len(rows) == 6
        newest = max(rows, key=lambda row: row["event_number"])
        assert set(store.states("demo", "ada")[code].values.values()) == {newest["value"]}


def test_a_failed_submission_leaves_no_row_of_any_criterion(store: AnnotationStore) -> None:
    submission = rating(1, 1, 1)
    # The last answer breaks the table's own check: the first two were inserted before it.
    broken = replace(submission.answers[2])
    object.__setattr__(broken, "value", 7)
    with pytest.raises(DiskError, match="Nothing of this answer was stored"):
        store.record(replace(submission, answers=(*submission.answers[:2], broken)))
    assert history(store) == []


def test_what_was_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    first = AnnotationStore(tmp_path)
    first.record(rating(2, 2, 2))
    first.close()
    second = AnnotationStore(tmp_path)
    second.record(rating(1, 1, 1))
    assert second.states("demo", "ada")["item"].values["reflection"] == 1
    assert [row["value"] for row in history(second)] == [2, 2, 2, 1, 1, 1]
    second.close()


def test_snapshots_hold_the_events_and_current_ratings_of_one_study(
    store: AnnotationStore,
) -> None:
    for value in (2, 1):
        store.record(rating(value, value, value))
    store.record(rating(0, 0, 0, study_id="second"))
    events, current, _ = store.publish("demo")
    assert pq.read_table(events).column("value").to_pylist() == [2, 2, 2, 1, 1, 1]
    assert pq.read_table(current).column("value").to_pylist() == [1, 1, 1]
    assert sorted(file.name for file in events.parent.iterdir()) == [
        "current_ratings.parquet",
        "notes.parquet",
        "rating_events.parquet",
    ]


def test_a_snapshot_that_cannot_be_written_says_that_the_ratings_are_safe(
    store: AnnotationStore,
) -> None:
    (store.studies / "demo").write_text("a file where the folder should be", encoding="utf-8")
    store.record(rating(1, 1, 1))
    with pytest.raises(DiskError, match="All ratings are safe"):
        store.publish("demo")


VERSION_1 = """
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
CREATE SEQUENCE event_order;
CREATE TABLE rating_events (
    event_id VARCHAR PRIMARY KEY, request_id VARCHAR NOT NULL,
    event_number BIGINT NOT NULL DEFAULT nextval('event_order'),
    study_id VARCHAR NOT NULL, item_code VARCHAR NOT NULL, annotator VARCHAR NOT NULL,
    criterion VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('rating', 'skip')),
    scale_minimum INTEGER NOT NULL, scale_maximum INTEGER NOT NULL, value INTEGER,
    label VARCHAR NOT NULL, position INTEGER NOT NULL, guideline_version VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL, stored_at TIMESTAMP NOT NULL,
    CHECK ((kind = 'skip' AND value IS NULL)
        OR (kind = 'rating' AND value BETWEEN scale_minimum AND scale_maximum))
);
CREATE VIEW current_ratings AS
    SELECT * FROM rating_events
    QUALIFY row_number() OVER (
        PARTITION BY study_id, item_code, annotator, criterion ORDER BY event_number DESC
    ) = 1;
INSERT INTO meta VALUES ('content', 'ratings'), ('schema_version', '1');
INSERT INTO rating_events SELECT
    'r' || n || '/' || c, 'r' || n, nextval('event_order'), 'demo', 'item' || (n % 5), 'ada', c,
    'rating', 0, 2, n % 3, 'x', n, '1', 1.5, TIMESTAMP '2030-01-01'
    FROM range(12) t(n), (VALUES ('reflection'), ('empathy'), ('fluency')) k(c) ORDER BY n;
INSERT INTO rating_events SELECT
    's/' || c, 's', nextval('event_order'), 'demo', 'item9', 'bob', c,
    'skip', 0, 2, NULL, '', 1, '1', 1.5, TIMESTAMP '2030-01-01'
    FROM (VALUES ('reflection'), ('empathy'), ('fluency')) k(c);
"""
"""A file as the first version wrote it: 12 ratings of 5 items, and a skip."""


def test_a_file_of_version_1_is_upgraded_and_no_rating_lost(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "annotations.duckdb")) as connection:
        connection.execute(VERSION_1)
        query = "SELECT event_id, event_number, value, stored_at FROM rating_events ORDER BY 2"
        before = connection.execute(query).fetchall()
    for _ in range(2):  # the second opening finds an upgraded file
        store = AnnotationStore(tmp_path)
        assert store._rows(query) == before
        states = store.states("demo", "ada")
        # The newest of n % 5 == 1 is n = 11, with value 11 % 3.
        assert states["item1"].values == dict.fromkeys(("reflection", "empathy", "fluency"), 2)
        assert len(states) == 5
        assert store.states("demo", "bob")["item9"].kind == "skip"
        store.close()
    store = AnnotationStore(tmp_path)
    store.record(rating(0, 0, 0, item_code="item1"))
    assert store.states("demo", "ada")["item1"].values["fluency"] == 0
    assert len(store.history("demo", "ada", "item1")) == 3 * 4
    store.close()


VERSION_2 = """
DROP VIEW current_ratings;
ALTER TABLE rating_events DROP COLUMN seal; ALTER TABLE rating_events DROP COLUMN log_entry;
ALTER TABLE notes DROP COLUMN seal; ALTER TABLE notes DROP COLUMN log_entry;
UPDATE meta SET value = '2' WHERE key = 'schema_version';
CREATE VIEW current_ratings AS SELECT * FROM rating_events;
"""


def test_a_file_of_version_2_is_upgraded_and_its_seals_are_unknown(tmp_path: Path) -> None:
    first = AnnotationStore(tmp_path)
    first.record(rating(2, 2, 2))
    first.note(Note(note_id="n", study_id="demo", annotator="ada", kind="flag", item_code="item"))
    first.close()
    with duckdb.connect(str(tmp_path / "annotations.duckdb")) as connection:
        connection.execute(VERSION_2)
    for n_events in (3, 6):  # the second opening finds an upgraded file
        store = AnnotationStore(tmp_path)
        assert store.notes("demo", "ada", "item").is_flagged
        assert len(history(store)) == n_events
        store.record(replace(rating(1, 1, 1), seal="s", log_entry="e"))
        assert store.admitted_under("demo") == {("", ""), ("s", "e")}
        store.publish("demo")
        store.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    AnnotationStore(tmp_path).close()
    with duckdb.connect(str(tmp_path / "annotations.duckdb")) as connection:
        connection.execute("UPDATE meta SET value = '4' WHERE key = 'schema_version'")
    with pytest.raises(
        SchemaVersionError, match="schema version 4, this version of emorl reads 3"
    ):
        AnnotationStore(tmp_path)


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE t (i INTEGER)", "CREATE TABLE meta (key VARCHAR, value VARCHAR)"]
)
def test_a_database_of_something_else_is_refused(tmp_path: Path, sql: str) -> None:
    with duckdb.connect(str(tmp_path / "annotations.duckdb")) as connection:
        connection.execute(sql)
    with pytest.raises(StoreError, match="not one of ratings"):
        AnnotationStore(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "annotations.duckdb").write_text("no database " * 2000, encoding="utf-8")
    with pytest.raises(StoreError, match=r"Cannot open .*annotations\.duckdb"):
        AnnotationStore(tmp_path)


def test_a_rating_without_all_values_is_no_submission() -> None:
    complete = rating(1, 1, 1)
    open_ = replace(complete.answers[1], value=None, label="")
    with pytest.raises(StudyError, match="Rate empathy too"):
        replace(complete, answers=(complete.answers[0], open_, complete.answers[2]))


@pytest.mark.parametrize("value", [-1, 3])
def test_a_value_off_the_scale_is_refused(value: int) -> None:
    with pytest.raises(StudyError, match="reflection must be 0 to 2"):
        rating(value, 1, 1)


def test_a_skip_has_no_values_and_a_submission_no_criterion_twice() -> None:
    with pytest.raises(StudyError, match="skipped item has no values"):
        replace(rating(1, 1, 1), kind="skip")
    complete = rating(1, 1, 1)
    with pytest.raises(StudyError, match="one answer per criterion"):
        Submission(**_fields(complete) | {"answers": complete.answers[:1] * 2})


def _fields(submission: Submission) -> dict[str, Any]:
    return {name: getattr(submission, name) for name in Submission.__slots__}
