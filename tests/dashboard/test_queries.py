from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from emorl.runs.schema import COLUMNS
from emorl_dashboard.data import queries
from emorl_dashboard.data import reward_field as landscape
from emorl_dashboard.server.access import READ_ONLY
from tests.support.synthetic import SPECS

pytestmark = pytest.mark.slow


@pytest.fixture
def run(artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> queries.Run:
    """A copy of the finished run, to be damaged."""
    copy = tmp_path / "runs" / "finished"
    shutil.copytree(artifacts / "runs" / "finished", copy)
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    return queries.runs()[0]


def snapshot(run: queries.Run, name: str) -> Path:
    return run.folder.published / f"{name}.parquet"


@pytest.mark.parametrize("name", COLUMNS)
def test_every_published_table_is_read_with_its_columns(run: queries.Run, name: str) -> None:
    table = queries.table(run, name)
    assert table.problem == ""
    assert list(table.frame.columns) == COLUMNS[name].names
    assert len(table.frame) > 0


@pytest.mark.parametrize("name", COLUMNS)
def test_a_table_not_published_yet_is_empty_and_no_problem(run: queries.Run, name: str) -> None:
    snapshot(run, name).unlink()
    table = queries.table(run, name)
    assert (len(table.frame), table.problem) == (0, "")
    assert list(table.frame.columns) == COLUMNS[name].names


def test_a_damaged_file_is_told_and_the_last_good_rows_stay(run: queries.Run) -> None:
    stored = time.time() - 3 * 3600
    os.utime(snapshot(run, "evaluations"), (stored, stored))
    before = queries.table(run, "evaluations").frame
    snapshot(run, "evaluations").write_bytes(b"PAR1 cut off")
    after = queries.table(run, "evaluations")
    assert "The table evaluations of the run finished is damaged" in after.problem
    assert "last good rows, written 3 h 0 min ago" in after.problem
    assert f"`{run.resume_command}`" in after.problem
    assert len(after.frame) == len(before)
    assert landscape.points(run).problem == after.problem


def test_what_is_wrong_with_a_run_names_no_folder_of_the_machine(
    run: queries.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READ_ONLY, "1")  # visitors: the owner's commands hold the folder
    folder = str(run.folder.root.parent.parent)
    for file in run.folder.published.iterdir():
        file.write_bytes(b"PAR1 cut off")
    run.folder.status.write_text("{", encoding="utf-8")
    run.folder.config.write_text("name = 3", encoding="utf-8")
    [damaged] = queries.runs()
    told = [damaged.problem, damaged.resume_command, damaged.seed_command()]
    told += [queries.table(run, name).problem for name in COLUMNS]
    assert all(told)
    assert [one for one in told if folder in one or "CONFIG.toml`" in one] == []


def test_a_damaged_file_seen_first_gives_no_rows(run: queries.Run) -> None:
    snapshot(run, "rounds").write_bytes(b"")
    table = queries.table(run, "rounds")
    assert "damaged" in table.problem
    assert table.frame.empty


def test_a_file_of_another_version_is_told(run: queries.Run) -> None:
    target = snapshot(run, "rounds")
    target.unlink()
    duckdb.sql(f"COPY (SELECT 1 AS round, 2 AS novelty) TO '{target}' (FORMAT parquet)")
    assert "written by another version" in queries.table(run, "rounds").problem


def test_columns_of_another_type_are_told(run: queries.Run) -> None:
    target = snapshot(run, "adapters")
    columns = ", ".join(f"'text' AS {name}" for name in COLUMNS["adapters"].names)
    target.unlink()
    duckdb.sql(f"COPY (SELECT {columns}) TO '{target}' (FORMAT parquet)")
    assert "written by another version" in queries.table(run, "adapters").problem


def test_a_new_snapshot_is_seen_at_once(run: queries.Run) -> None:
    assert len(queries.table(run, "rounds").frame) == 5
    target = snapshot(run, "rounds")
    beside = target.with_suffix(".tmp")
    duckdb.sql(f"COPY (FROM '{target}' LIMIT 2) TO '{beside}' (FORMAT parquet)")
    os.replace(beside, target)  # noqa: PTH105 - as the engine does
    assert len(queries.table(run, "rounds").frame) == 2


def test_threads_reading_at_once_each_get_their_own_rows(run: queries.Run) -> None:
    expected = {name: len(queries.table(run, name).frame) for name in COLUMNS}
    queries._read_parquet.clear()
    with ThreadPoolExecutor(8) as pool:
        names = list(COLUMNS) * 20
        counts = list(pool.map(lambda name: len(queries.table(run, name).frame), names))
    assert counts == [expected[name] for name in names]


def test_the_engines_database_is_never_opened(run: queries.Run) -> None:
    run.folder.database.write_bytes(b"not a database")
    assert queries.table(run, "evaluations").problem == ""


def test_a_run_with_bad_settings_is_listed_with_its_problem(run: queries.Run) -> None:
    run.folder.config.write_text("name = 3", encoding="utf-8")
    [damaged] = queries.runs()
    assert damaged.config is None
    assert "name must be a text" in damaged.problem


def test_a_run_with_a_bad_heartbeat_is_unknown_and_keeps_its_tables(run: queries.Run) -> None:
    run.folder.status.write_text("{", encoding="utf-8")
    [damaged] = queries.runs()
    assert damaged.state == "unknown"
    assert "status.json is damaged" in damaged.problem
    assert len(queries.table(damaged, "rounds").frame) == 5


def test_pages_poll_from_before_the_first_heartbeat_until_the_end(run: queries.Run) -> None:
    assert run.status is not None
    assert not run.has_news  # it is finished
    run.folder.status.unlink()
    [starting] = queries.runs()
    assert starting.state == "unknown"
    assert starting.has_news
    run.folder.write_status(replace(run.status, phase="training", updated_at=time.time()))
    [working] = queries.runs()
    assert working.has_news


def test_the_run_written_to_last_comes_first(served: Path) -> None:
    found = queries.runs()
    assert {run.run_id for run in found} == set(SPECS)
    assert found[0].run_id in ("running", "training")
    assert served == queries.artifacts_root()
