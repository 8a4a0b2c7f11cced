"""A plan is written once, whole, and shows any later change."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.study.plan import list_studies, plan_path, read_plan, write_plan
from engine.errors import SchemaVersionError, StoreError, StudyError
from tests.dashboard.study.samples import plan_of


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_plan(tmp_path, plan_of())
    assert read_plan(tmp_path, "demo") == plan_of()
    assert list_studies(tmp_path) == ["demo"]


def test_a_sealed_study_is_never_replaced(tmp_path: Path) -> None:
    path = write_plan(tmp_path, plan_of())
    before = path.read_bytes()
    with pytest.raises(StudyError, match="exists already"):
        write_plan(tmp_path, plan_of(seed="another"))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["plan.json"]


def test_of_eight_that_seal_at_once_one_wins_whole(tmp_path: Path) -> None:
    plans = [plan_of(seed=f"seed {n}") for n in range(8)]

    def seal(n: int) -> bool:
        try:
            write_plan(tmp_path, plans[n])
        except StudyError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(seal, range(8)))
    assert won.count(True) == 1
    assert read_plan(tmp_path, "demo") == plans[won.index(True)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Answer number 1.", "Answer number 9."),
        ('"base"', '"best"'),
        ('"version": "1"', '"version": "2"'),
    ],
)
def test_a_plan_that_was_changed_after_sealing_is_refused(
    tmp_path: Path, old: str, new: str
) -> None:
    path = write_plan(tmp_path, plan_of())
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(StoreError, match="no longer matches its seal"):
        read_plan(tmp_path, "demo")


@pytest.mark.parametrize("content", ["", "[]", "{}", "\x00", '{"format": 1}'])
def test_a_damaged_plan_is_refused_with_its_path(tmp_path: Path, content: str) -> None:
    path = plan_path(tmp_path, "demo")
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match=r"plan\.json is damaged"):
        read_plan(tmp_path, "demo")


def test_a_plan_that_was_copied_to_another_study_is_refused(tmp_path: Path) -> None:
    path = write_plan(tmp_path, plan_of())
    copied = plan_path(tmp_path, "copy")
    copied.parent.mkdir()
    copied.write_bytes(path.read_bytes())
    with pytest.raises(StoreError, match="belongs to study 'demo'"):
        read_plan(tmp_path, "copy")


def test_a_plan_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = write_plan(tmp_path, plan_of())
    table = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(table | {"format": 2}), encoding="utf-8")
    with pytest.raises(SchemaVersionError, match="format 2, this version of emorl reads 1"):
        read_plan(tmp_path, "demo")


def test_an_unknown_study_names_those_that_are_there(tmp_path: Path) -> None:
    write_plan(tmp_path, plan_of())
    with pytest.raises(StudyError, match="no study 'other'; there are: demo"):
        read_plan(tmp_path, "other")


@pytest.mark.parametrize("name", ["../runs", "a/b", "", ".hidden", "x" * 65, "a\nb"])
def test_a_study_cannot_lie_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError, match="no name of a study"):
        write_plan(tmp_path, replace(plan_of(), study_id=name))
    assert list(tmp_path.iterdir()) == []
