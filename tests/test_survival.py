"""A run survives being killed at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emorl.runs.folder import run_folder
from tests.conftest import ALL_TESTS
from tests.test_pipeline import results

pytestmark = pytest.mark.slow

N_KILLS = 20 if ALL_TESTS else 6


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("killed")
    process = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_runs", str(folder), str(N_KILLS), "0"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return folder, json.loads(process.stdout)


def test_kills_lose_no_acknowledged_row(killed: tuple[Path, dict[str, Any]]) -> None:
    _, found = killed
    assert found["kills"] >= N_KILLS
    assert found["lost"] == 0


def test_kills_hit_training_and_search(killed: tuple[Path, dict[str, Any]]) -> None:
    _, found = killed
    assert {"training", "searching"} <= set(found["phases"])


def test_killed_and_resumed_runs_equal_the_undisturbed_one(
    killed: tuple[Path, dict[str, Any]],
) -> None:
    folder, found = killed
    expected = results(run_folder(folder, "undisturbed"))
    for name in found["runs"]:
        assert results(run_folder(folder, name)) == expected
