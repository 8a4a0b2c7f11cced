from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboard


def test_the_dashboard_starts_without_a_deep_learning_library() -> None:
    program = (
        "import sys; from importlib import import_module; from dashboard import app; "
        "[import_module(f'dashboard.views.{view}') for view in app.RUN_PAGES | app.STUDY_PAGES]; "
        "heavy = {'torch', 'transformers', 'peft', 'engine.inference'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_the_app_opens_on_an_overview_that_names_the_first_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    app = AppTest.from_file(str(Path(str(dashboard.__path__[0]), "app.py")), default_timeout=30)
    app.run()
    assert not app.exception
    # First of all: Streamlit would draw loose values of the entry script above it.
    assert app.main.children[0].type == "title"
    assert app.title[0].value == "Overview"
    assert app.code[0].value == "make demo"
