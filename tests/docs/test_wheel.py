"""A built wheel holds all that the commands need, and runs from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the files that git knows, built without a network."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.exists() and not name.startswith(("tests/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, source / name, follow_symlinks=False)
    # Whatever a user keeps beside the project's own settings must not travel.
    (source / ".streamlit" / "secrets.toml").write_text('[access]\npassword = "not for others"\n')
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--quiet", "-w", str(out), "."],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_a_wheel_claims_two_import_names_and_carries_their_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if not re.match(r"emorl_atlas-[^/]+/", name)}
    assert tops == {"emorl", "emorl_dashboard"}
    for needed in (
        "emorl/py.typed",
        "emorl/config/presets/embedded.toml",
        "emorl/embedded/base/model.safetensors",
        "emorl_dashboard/.streamlit/config.toml",
        "emorl_dashboard/app.py",
        "emorl_dashboard/components/theme.css",
        "emorl_dashboard/report/report.html",
        "emorl_dashboard/study/protocol/guidelines.toml",
    ):
        assert needed in names
    assert not [name for name in names if "secrets" in name]


@pytest.fixture
def elsewhere(installed: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that finds the wheel and nothing of the checkout."""
    return os.environ | {"PYTHONPATH": str(installed), "EMORL_ARTIFACTS": str(tmp_path)}


def test_commands_run_from_a_wheel(
    elsewhere: dict[str, str], installed: Path, tmp_path: Path
) -> None:
    where = subprocess.run(
        [sys.executable, "-c", "import emorl; print(emorl.__file__)"],
        cwd=tmp_path,
        env=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(installed))
    settings = tmp_path / "small.toml"
    preset = [sys.executable, "-m", "emorl", "preset", "embedded"]
    text = subprocess.run(
        preset, cwd=tmp_path, env=elsewhere, capture_output=True, text=True, check=True
    ).stdout
    settings.write_text(text, encoding="utf-8")
    changes = ("training.max_steps=2", "data.n_prompts=40", "search.n_rounds=1")
    words = [word for change in changes for word in ("--set", change)]
    done = subprocess.run(
        [sys.executable, "-m", "emorl", "run", str(settings), "--quiet", *words],
        cwd=tmp_path,
        env=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "runs" / "embedded" / "published" / "evaluations.parquet").is_file()


def test_the_dashboard_of_a_wheel_answers_and_finds_its_settings(
    elsewhere: dict[str, str], installed: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "emorl", "dashboard"],
        cwd=tmp_path,
        env=elsewhere,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = ""
        while not url:
            line = process.stdout.readline()
            assert line, "the dashboard ended"
            url = (re.findall(r"http://[\d.:]+", line) or [""])[0]
        answer = ""
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as response:
                    answer = response.read().decode()
                break
            except OSError:
                time.sleep(0.1)
        assert answer == "ok"
        # Streamlit reads its settings in the folder that the process was started in.
        [server] = (
            Path(f"/proc/{pid}/cwd").resolve()
            for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        )
        assert server == installed / "emorl_dashboard"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
