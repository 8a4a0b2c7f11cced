"""Ratings that a killed dashboard left unpublished are counted all the same."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.study.material import ratings_path, read_material
from dashboard.study.plan import write_plan
from dashboard.study.refresh import refresh
from dashboard.study.status import status
from dashboard.study.store import AnnotationStore
from tests.dashboard.study.samples import plan_of, rating

KILLED = """
import os, sys
from pathlib import Path
from dashboard.study import publisher
from dashboard.study.store import AnnotationStore
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
        cwd=Path(__file__).resolve().parents[3],
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
    store.publish("demo")
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


def test_a_damaged_database_does_not_stop_who_reads_snapshots(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_plan(tmp_path, plan_of())
    (tmp_path / "studies" / "annotations.duckdb").write_text("no database" * 2000)
    with caplog.at_level(logging.WARNING):
        assert status(tmp_path, "demo").n_ratings == 0
    assert "those of the last snapshot" in caplog.text
