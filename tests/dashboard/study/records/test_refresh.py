"""Ratings that a killed dashboard left unpublished are counted all the same."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emorl.errors import DiskError
from emorl_dashboard.study.protocol.plan import write_plan
from emorl_dashboard.study.records import publisher
from emorl_dashboard.study.records.refresh import refresh
from emorl_dashboard.study.records.store import AnnotationStore
from emorl_dashboard.study.reporting.material import ratings_path, read_material
from emorl_dashboard.study.reporting.status import status
from tests.dashboard.study.samples import plan_of, rating

KILLED = """
import os, sys
from pathlib import Path
from emorl_dashboard.study.records import publisher
from emorl_dashboard.study.records.store import AnnotationStore
from tests.dashboard.study.samples import rating

publisher.Publisher.request = lambda *_: None
store = AnnotationStore(Path(sys.argv[1]))
store.record(rating(1, 1, 1, item_code=sys.argv[2]))
print("committed", flush=True)
input()
os._exit(9)
"""


def killed(tmp_path: Path, code: str) -> subprocess.Popen[str]:
    """Start a dashboard that stores a rating, and dies at a word before publishing it."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "studies"), code],
        cwd=Path(__file__).resolve().parents[4],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "committed\n"
    return process


def test_a_rating_that_was_never_published_is_counted_once_its_dashboard_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = plan_of()
    write_plan(tmp_path, plan)
    with killed(tmp_path, plan.items[0].code) as process:
        with caplog.at_level(logging.WARNING):
            assert status(tmp_path, "demo").n_ratings == 0  # the database is left alone
        assert "may be missing" in caplog.text
        process.communicate("die\n", timeout=60)
    assert status(tmp_path, "demo").n_ratings == 1
    assert len(read_material(tmp_path, "demo").current) == 3


def test_a_fresh_snapshot_and_an_open_store_are_left_alone(tmp_path: Path) -> None:
    plan = plan_of()
    write_plan(tmp_path, plan)
    store = AnnotationStore(tmp_path / "studies")
    store.record(rating(1, 1, 1, item_code=plan.items[0].code))
    refresh(tmp_path, "demo")
    path = ratings_path(tmp_path, "demo")
    store.lease(plan, plan.items[1].code, "bob")  # the database is newer; its store is open here
    stamp = path.stat()
    refresh(tmp_path, "demo")
    assert path.stat().st_ino == stamp.st_ino
    store.close()
    refresh(tmp_path, "demo")
    stamp = path.stat()
    refresh(tmp_path, "demo")
    assert path.stat().st_ino == stamp.st_ino
    assert path.stat().st_mtime_ns == stamp.st_mtime_ns


def test_a_snapshot_that_failed_is_tried_again_and_by_whoever_reads_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = threading.Semaphore(0)

    def refuse(*_: object) -> None:
        tries.release()
        raise DiskError("no room")

    monkeypatch.setattr(publisher.Publisher.__init__, "__kwdefaults__", {"pause_seconds": 0.01})
    plan = plan_of()
    write_plan(tmp_path, plan)
    store = AnnotationStore(tmp_path / "studies")
    with monkeypatch.context() as context:
        context.setattr("emorl_dashboard.study.records.store.copy_to", refuse)
        store.record(rating(1, 1, 1, item_code=plan.items[0].code))
        for _ in range(3):  # by itself
            assert tries.acquire(timeout=30)
        with caplog.at_level(logging.WARNING):
            assert status(tmp_path, "demo").n_ratings == 0
        assert "Ratings of demo may be missing here. no room" in caplog.text
    assert status(tmp_path, "demo").n_ratings == 1
    store.close()


def test_what_was_just_stored_here_is_counted_at_once(tmp_path: Path) -> None:
    plan = plan_of()
    write_plan(tmp_path, plan)
    store = AnnotationStore(tmp_path / "studies")
    # The second is stored while the thread pauses between two snapshots.
    for number, item in enumerate(plan.items, start=1):
        store.record(rating(1, 1, 1, item_code=item.code))
        assert status(tmp_path, "demo").n_ratings == number
    store.close()


def test_a_dashboard_ends_although_its_last_snapshot_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise DiskError("no room")

    store = AnnotationStore(tmp_path)
    monkeypatch.setattr("emorl_dashboard.study.records.store.copy_to", refuse)
    store.record(rating(1, 1, 1))
    store.close()
    again = AnnotationStore(tmp_path)  # the file was let go, and the rating is there
    assert again.states("demo", "ada")
    again.close()


def test_a_damaged_database_does_not_stop_who_reads_snapshots(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_plan(tmp_path, plan_of())
    (tmp_path / "studies" / "annotations.duckdb").write_text("no database" * 2000)
    with caplog.at_level(logging.WARNING):
        assert status(tmp_path, "demo").n_ratings == 0
    assert "those of the last snapshot" in caplog.text
