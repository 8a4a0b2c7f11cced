"""What ``import emorl`` offers: what is listed, typed, light, and used by the notebook."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import emorl
from emorl.errors import ConfigError, RunNotFoundError

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(emorl.__all__) == emorl.__all__
    assert set(emorl._HOMES) == set(emorl.__all__)
    for name in emorl.__all__:
        assert getattr(emorl, name).__doc__, name
    assert dir(emorl) == emorl.__all__


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no public name 'everything'"):
        _ = emorl.everything


def test_the_package_says_that_it_is_typed() -> None:
    assert files("emorl").joinpath("py.typed").is_file()


def test_importing_it_loads_no_library() -> None:
    code = (
        "import sys, emorl; emorl.RunConfig, emorl.EmorlError, emorl.preset; "
        "print(*{'torch', 'transformers', 'peft', 'pandas', 'duckdb', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_wrong_names_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="no run 'nowhere'"):
        emorl.results("nowhere", "evaluations", tmp_path)
    with pytest.raises(ConfigError, match="table must be one of"):
        emorl.results("nowhere", "everything", tmp_path)
    with pytest.raises(ConfigError, match="stages must be some of"):
        emorl.run(emorl.preset("embedded"), tmp_path, stages=["test"])


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells)  # results are not kept in git
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "artifacts/runs/notebook" in done.stdout
    assert (tmp_path / "artifacts/runs/notebook/run.duckdb").is_file()
