"""The real dashboard beside a real engine: nobody blocks or breaks the other."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from emorl.config.files import config_text
from emorl.runs.folder import run_folder
from emorl.search import hierarchical
from tests.e2e.conftest import APP, ROOT, OpenPage, serve, wait_until_ready
from tests.support.tiny_runs import tiny_run

pytestmark = pytest.mark.browser

PAGES = ("", "training", "weight-space", "live", "annotate")


def start_engine(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a run that takes some tens of seconds."""
    config = tiny_run(folder, name="watched")
    config = replace(
        config,
        training=replace(config.training, max_steps=40, validate_every=5),
        search=hierarchical.Config(n_rounds=5, directions_per_batch=1),
    )
    settings = folder / "watched.toml"
    settings.write_text(config_text(config), encoding="utf-8")
    command = [sys.executable, "-m", "emorl", "run", str(settings), "--quiet"]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*command, "--artifacts", str(folder)], cwd=ROOT, stdout=output, stderr=output
        )


@pytest.mark.slow
def test_a_dashboard_that_polls_a_whole_run_disturbs_nothing(
    watched: OpenPage, tmp_path: Path
) -> None:
    served, engine_log = tmp_path / "dashboard.log", tmp_path / "engine.log"
    with serve(tmp_path, served, app=APP) as site:
        resting = watched(site)  # stays on one page and refreshes by itself
        engine = start_engine(tmp_path, engine_log)
        folder = run_folder(tmp_path, "watched")
        browsing = watched(site)
        resting.page.goto(f"{site}/weight-space?run=watched")
        visits = 0
        while engine.poll() is None:
            browsing.open(f"{site}/{PAGES[visits % len(PAGES)]}?run=watched")
            expect(browsing.page.get_by_test_id("stException")).to_have_count(0)
            visits += 1
        assert engine.returncode == 0, engine_log.read_text(encoding="utf-8")
        assert visits > len(PAGES)
        page = resting.page
        expect(page.get_by_text("The same 135 points as a table")).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
        answer = watched(site)
        page = answer.open(f"{site}/live?run=watched")
        expect(page.get_by_text("Only brevity").first).to_be_visible()
        wait_until_ready(page)
    status = folder.read_status()
    assert status is not None
    assert status.state() == "finished"
    assert engine_log.read_text(encoding="utf-8") == ""
    assert "Traceback" not in served.read_text(encoding="utf-8")
    assert resting.complaints + browsing.complaints + answer.complaints == []
