"""A plan is written once, whole, and shows any later change."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from emorl.errors import SchemaVersionError, StoreError, StudyError
from emorl_dashboard.study.protocol.plan import (
    PlanSystem,
    list_studies,
    plan_path,
    read_plan,
    write_plan,
)
from tests.dashboard.study.samples import plan_of, shared_plan


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
        ("Answer number 1 ", "Answer number 9 "),
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


def test_a_plan_of_format_1_is_read_as_before(tmp_path: Path) -> None:
    table = asdict(plan_of()) | {"format": 1}
    new = set(table) - {
        *("study_id", "run_id", "created_at", "seed", "guidelines", "items", "format")
    }
    for name in new:
        del table[name]
    del table["guidelines"]["text"]
    old = ("code", "prompt_index", "prompt", "response", "response_sha256", "systems")
    table["items"] = [{name: item[name] for name in old} for item in table["items"]]
    canonical = json.dumps(table, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    seal = hashlib.sha256(canonical.encode()).hexdigest()
    path = plan_path(tmp_path, "demo")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(table | {"seal": seal}), encoding="utf-8")
    plan = read_plan(tmp_path, "demo")
    assert (plan.seal, plan.mode, plan.requires_invite) == (seal, "rating", False)
    assert [item.code for item in plan.items] == [item.code for item in plan_of().items]
    assert [system.name for system in plan.systems] == ["base"]
    assert plan.n_ratings_per_item is None
    path.write_text(json.dumps(table | {"seal": seal, "seed": "x"}), encoding="utf-8")
    with pytest.raises(StoreError, match="no longer matches its seal"):
        read_plan(tmp_path, "demo")


def test_a_plan_with_all_that_the_format_knows_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = shared_plan(6, mode="pairwise", n_gold=1, n_repeats=1, n_practice=2, n_annotators=3)
    plan = replace(
        plan,
        systems=(PlanSystem(name="w", origin="run x", run_ids=("x", "y"), weights=(1.0, 0.5)),),
        findings=("one", "two"),
    )
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path, "demo") == plan
    assert read_plan(tmp_path, "demo").seal == plan.seal


def test_a_plan_of_format_2_keeps_its_seal_and_the_run_of_each_system(tmp_path: Path) -> None:
    systems = tuple(PlanSystem(name=name, origin="?", weights=(1.0, 0.5)) for name in "ab")
    table = asdict(replace(plan_of(), systems=systems)) | {"format": 2}
    for system, run_id in zip(table["systems"], ("x", ""), strict=True):
        del system["run_ids"]
        system["run_id"] = run_id
    canonical = json.dumps(table, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    seal = hashlib.sha256(canonical.encode()).hexdigest()
    path = plan_path(tmp_path, "demo")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(table | {"seal": seal}), encoding="utf-8")
    plan = read_plan(tmp_path, "demo")
    assert plan.seal == seal
    assert [(one.run_ids, one.weights) for one in plan.systems] == [
        (("x",), (1.0, 0.5)),
        ((), (1.0, 0.5)),
    ]


def test_a_plan_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = write_plan(tmp_path, plan_of())
    table = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(table | {"format": 4}), encoding="utf-8")
    with pytest.raises(SchemaVersionError, match="format 4, this version of emorl reads 1 to 3"):
        read_plan(tmp_path, "demo")


def test_an_unknown_study_names_those_that_are_there(tmp_path: Path) -> None:
    write_plan(tmp_path, plan_of())
    with pytest.raises(StudyError, match="no sealed study 'other'; there are: demo"):
        read_plan(tmp_path, "other")


@pytest.mark.parametrize("name", ["../runs", "a/b", "", ".hidden", "x" * 65, "a\nb"])
def test_a_study_cannot_lie_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError, match="no name of a study"):
        write_plan(tmp_path, replace(plan_of(), study_id=name))
    assert list(tmp_path.iterdir()) == []
