from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import emorl_dashboard
from emorl.errors import StoreError
from emorl_dashboard.views import overview
from emorl_dashboard.widgets import controls

pytestmark = pytest.mark.slow


def test_the_dashboard_starts_without_a_deep_learning_library() -> None:
    program = (
        "import sys; from importlib import import_module; from emorl_dashboard import app; "
        "views = app.RUN_PAGES | app.STUDY_PAGES; "
        "[import_module(f'emorl_dashboard.views.{view}') for view in views]; "
        "heavy = {'torch', 'transformers', 'peft', 'emorl.inference'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


APP = str(Path(str(emorl_dashboard.__path__[0]), "app.py"))


def test_the_app_opens_on_an_overview_that_names_the_first_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    app = AppTest.from_file(APP, default_timeout=30)
    app.run()
    assert not app.exception
    # First of all: Streamlit would draw loose values of the entry script above it.
    assert app.main.children[0].type == "title"
    assert app.title[0].value == "Overview"
    assert app.code[0].value == "make demo"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("no /srv/lab/runs/secret.toml"), "Something went wrong"),
        (StoreError("The file /srv/lab/runs/a.json is no *heartbeat*."), r"a.json is no \*heart"),
    ],
)
def test_an_error_in_a_page_is_told_without_folders_and_logged(
    error: Exception,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    monkeypatch.setattr(overview, "render", _failing(error))
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    assert told in app.error[0].value
    assert "/srv" not in app.error[0].value
    assert "/srv/lab" in caplog.text


def test_an_error_outside_a_page_shows_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    monkeypatch.setattr(controls, "run_picker", _failing(RuntimeError("no /srv/lab")))
    app = AppTest.from_file(APP, default_timeout=30).run()
    [shown] = app.exception
    assert "/srv" not in shown.message
    assert not list(shown.stack_trace)


def _failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail
