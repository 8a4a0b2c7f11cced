"""The command line as a user meets it: processes, signals, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from emorl.__main__ import main
from emorl.config.files import PRESETS, config_text
from emorl.execution.context import NoProgress
from emorl.execution.pipeline import execute
from emorl.runs.folder import RunFolder, Status, run_folder
from tests.support.tiny_runs import OBJECTIVES, tiny_run
from tests.test_pipeline import results

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts")
    config = tiny_run(folder, name="done")
    execute(config, run_folder(folder, "done"), NoProgress())
    return folder


@contextmanager
def emorl(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start ``emorl`` in a process group of its own; kill what is left of it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "emorl", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "default"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_steps(folder: RunFolder) -> None:
    """Wait until the run has published a training step."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = folder.read_status()
        if status is not None and status.counts.get("training_steps"):
            return
        time.sleep(0.05)
    raise AssertionError("the run did not start to train")


def long_run(folder: Path, name: str) -> Path:
    """Write settings of a run that is still training when a test interrupts it."""
    path = folder / f"{name}.toml"
    path.write_text(config_text(tiny_run(folder, name=name)), encoding="utf-8")
    return path


def test_ctrl_c_keeps_what_is_there_and_the_same_command_goes_on(artifacts: Path) -> None:
    settings = long_run(artifacts, "stopped")
    folder = run_folder(artifacts, "stopped")
    command = ["run", str(settings), "--quiet", "--artifacts", str(artifacts)]
    with emorl(*command) as process:
        wait_for_steps(folder)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    status = folder.read_status()
    assert status is not None
    assert status.state() == "interrupted"
    assert main(command) == 0
    assert results(folder) == results(run_folder(artifacts, "done"))


def test_a_second_engine_on_the_same_run_is_refused(artifacts: Path) -> None:
    settings = long_run(artifacts, "busy")
    folder = run_folder(artifacts, "busy")
    command = ["run", str(settings), "--quiet", "--artifacts", str(artifacts)]
    with emorl(*command, "--set", "training.max_steps=500") as first:
        wait_for_steps(folder)
        with emorl("run", "busy", "--quiet", "--artifacts", str(artifacts)) as second:
            _, told = second.communicate(timeout=PATIENCE_SECONDS)
        assert second.returncode == 1
        assert "Another process works on" in told
        assert "Traceback" not in told
        assert first.poll() is None


def test_the_dashboard_answers_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with emorl("dashboard", "--artifacts", str(tmp_path)) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        assert url.startswith("http://127.0.0.1:")
        assert _answers(url, PATIENCE_SECONDS)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert "Traceback" not in told
    assert not _answers(url, 0.0)


def _answers(url: str, patience_seconds: float) -> bool:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
                return True
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_export_writes_all_rows_with_a_column_per_objective(
    artifacts: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out"
    command = ["export", "done", "--format", kind, "--out", str(out), "--quiet"]
    assert main([*command, "--artifacts", str(artifacts)]) == 0
    path = out / f"evaluations.{kind}"
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
        "json": pd.read_json,
    }
    frame = readers[kind](path)
    assert len(frame) == 54
    assert {*OBJECTIVES, *(f"w_{name}" for name in OBJECTIVES), "letters_se"} <= set(frame)
    expected = results(run_folder(artifacts, "done"))["evaluations"]
    assert frame["w_letters"].tolist() == [row["weights"][0] for row in expected]


def test_the_summary_reads_well(artifacts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "done", "--artifacts", str(artifacts)]) == 0
    told = capsys.readouterr().out
    assert "54 grid points" in told
    assert "best ensemble" in told
    assert main(["summary", "done", "--json", "--artifacts", str(artifacts)]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == "done"


def test_a_summary_of_a_run_that_only_trained_says_what_is_missing(
    artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_run(artifacts, name="half")
    execute(config, run_folder(artifacts, "half"), NoProgress(), ("train",))
    assert main(["summary", "half", "--artifacts", str(artifacts)]) == 0
    assert "not scored yet" in capsys.readouterr().out


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_printed_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preset", name]) == 0
    assert capsys.readouterr().out.startswith("#")


def test_doctor_says_what_is_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--artifacts", str(tmp_path / "new")]) == 0
    told = capsys.readouterr().out
    assert "torch" in told
    assert "Everything a run needs is here" in told


def test_doctor_says_which_back_end_runs_took_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mine", "broken", "new"):
        run = run_folder(tmp_path, name)
        run.root.mkdir(parents=True)
        run.config.write_text("", encoding="utf-8")
        if name != "new":
            status = Status(run_id=name, phase="finished", backend="stacked: knows t5 models")
            run.write_status(status)
    (tmp_path / "runs" / "broken" / "status.json").write_text("{", encoding="utf-8")
    assert main(["doctor", "--artifacts", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "mine          was decoded by the back end stacked: knows t5 models" in told
    assert "status.json is damaged" in told


def test_doctor_names_a_folder_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder", encoding="utf-8")
    assert main(["doctor", "--artifacts", str(file)]) == 1
    assert "choose one with --artifacts" in capsys.readouterr().out


def test_a_port_in_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dashboard", "--port", "99999", "--artifacts", str(tmp_path)]
    assert main(arguments) == 2
    assert "Choose another --port" in capsys.readouterr().err
