"""Several searches of one run: stored beside its own, nothing measured twice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from emorl.__main__ import main
from emorl.execution.context import NoProgress
from emorl.execution.pipeline import execute
from emorl.runs.folder import RunFolder, run_folder
from emorl.runs.schema import COLUMNS
from tests.support.tiny_runs import tiny_run

pytestmark = pytest.mark.slow

TIMES = {"seconds", "stored_at"}


def results(folder: RunFolder) -> dict[str, list[dict[str, Any]]]:
    """Return all published rows, without what differs between two runs of one seed."""
    return {
        name: [
            {key: value for key, value in row.items() if key not in TIMES}
            for row in pq.read_table(folder.published / f"{name}.parquet").to_pylist()
        ]
        for name in COLUMNS
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    root = tmp_path_factory.mktemp("runs")
    config = tiny_run(root)
    folder = run_folder(root, config.name)
    execute(config, folder, NoProgress())
    return folder


def copy_of(folder: RunFolder, artifacts: Path) -> RunFolder:
    copy = run_folder(artifacts, folder.run_id)
    shutil.copytree(folder.root, copy.root)
    return copy


@pytest.mark.parametrize(
    ("searcher", "changes"),
    [
        ("grid", ["search.intervals=4"]),
        ("random", ["search.max_evaluations=7", "search.directions_per_batch=2"]),
        ("bayesian", ["search.max_evaluations=12"]),
        ("tests.support.corners:KIND", []),
    ],
)
def test_another_search_of_a_run_is_stored_beside_its_own(
    searcher: str, changes: list[str], finished: RunFolder, tmp_path: Path
) -> None:
    folder = copy_of(finished, tmp_path)
    before = results(folder)
    words = ["search", folder.run_id, "--searcher", searcher, "--artifacts", str(tmp_path)]
    for change in changes:
        words += ["--set", change]
    assert main([*words, "--quiet"]) == 0
    after = results(folder)
    name = searcher.rpartition(":")[2]
    new = [row for row in after["evaluations"] if row["search"] == name]
    assert [row for row in after["evaluations"] if row["search"] != name] == before["evaluations"]
    assert len(new) == {"grid": 15, "random": 7, "bayesian": 12, "KIND": 3}[name]
    assert after["rounds"] == before["rounds"]
    own = {row["direction_key"]: row["means"] for row in before["evaluations"]}
    for row in new:  # what the run's own search had measured is taken from there
        assert own.get(row["direction_key"], row["means"]) == row["means"]
    keys = [(row["direction_key"], row["prompt_index"]) for row in after["responses"]]
    assert len(keys) == len(set(keys))
    assert main([*words, "--quiet"]) == 0  # again: nothing is left to do
    assert results(folder) == after


def test_the_name_of_a_search_stands_for_its_settings(
    finished: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(finished, tmp_path)
    words = ["search", folder.run_id, "--searcher", "random", "--artifacts", str(tmp_path)]
    few = [*words, "--set", "search.max_evaluations=2"]
    assert main(few) == 0
    assert "Search 'random': best weights" in capsys.readouterr().out
    assert main([*words, "--set", "search.max_evaluations=3"]) == 2
    assert "has a search 'random' with other settings" in capsys.readouterr().err
    assert main([*few[:2], "--as", "two", *few[2:]]) == 0
    names = {row["search"] for row in results(folder)["evaluations"]}
    assert names == {"hierarchical", "random", "two"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--searcher", "gird"], "no searcher of kind 'gird'. Did you mean 'grid'?"),
        (["--searcher", "nowhere:x"], "cannot be imported: ModuleNotFoundError"),
        (["--searcher", "random", "--set", "search.n=3"], "unknown key 'search.n'"),
        (["--searcher", "random", "--set", "training.max_steps=3"], "only search.* can be set"),
        (["--searcher", "random", "--as", "hierarchical"], "is the name of another search"),
        (["--searcher", "random", "--seed", "1"], "without --name and --seed"),
        (["--as", "mine"], "it needs --searcher KIND"),
        (["--searcher", "tests.support.corners:NOTHING"], "ended without asking for weights"),
        (
            ["--searcher", "tests.support.corners:KIND", "--set", "search.top=0"],
            "search: top must be above 0",
        ),
        (
            ["--searcher", "tests.support.corners:KIND", "--set", "search.top=much"],
            "search.top must be a whole number",
        ),
    ],
)
def test_a_wrong_search_is_refused_in_words(
    words: list[str],
    message: str,
    finished: RunFolder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = results(finished)
    artifacts = str(finished.root.parent.parent)
    assert main(["search", finished.run_id, *words, "--artifacts", artifacts]) == 2
    assert message in capsys.readouterr().err
    assert results(finished) == before


def test_the_runs_own_search_can_be_named_and_another_like_it_gets_a_name(
    finished: RunFolder, tmp_path: Path
) -> None:
    folder = copy_of(finished, tmp_path)
    before = results(folder)
    words = ["search", folder.run_id, "--searcher", "hierarchical", "--artifacts", str(tmp_path)]
    assert main([*words, "--quiet"]) == 0  # it is there already
    assert results(folder) == before
    more = [*words, "--as", "finer", "--set", "search.points_per_axis=4", "--quiet"]
    assert main([*more, "--set", "search.n_rounds=1"]) == 0
    found = [row for row in results(folder)["evaluations"] if row["search"] == "finer"]
    assert len(found) == 4**3
    assert results(folder)["rounds"] == before["rounds"]
