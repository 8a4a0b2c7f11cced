"""Exports of a study: complete, under pseudonyms, and computed again by their own script."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from emorl.errors import StudyError
from emorl_dashboard.study.analysis import replicate
from emorl_dashboard.study.analysis.records import as_records, differences
from emorl_dashboard.study.analysis.report import study_tables
from emorl_dashboard.study.custody.invites import invite
from emorl_dashboard.study.custody.unblinding import unblind
from emorl_dashboard.study.protocol.guidelines import Criterion
from emorl_dashboard.study.protocol.plan import PlanSystem, write_plan
from emorl_dashboard.study.protocol.ratings import (
    Answer,
    Note,
    NoteKind,
    preferred,
    rated,
    skipped,
)
from emorl_dashboard.study.records.schema import PUBLISHED, SCHEMA
from emorl_dashboard.study.records.store import AnnotationStore
from emorl_dashboard.study.reporting import datasheet, export
from emorl_dashboard.study.reporting.export import bundle_bytes, export_study
from emorl_dashboard.study.reporting.material import ratings_path, read_material
from tests.dashboard.study.analysis.studies import plan_for, write_ratings, write_study
from tests.dashboard.study.samples import GUIDELINES, rating, shared_plan
from tests.support.simulated_studies import Truth, simulate_study

pytestmark = pytest.mark.slow

TRUTH = Truth(
    systems={"base": -0.4, "best": 0.4},
    criteria=("reflection",),
    n_prompts=10,
    n_gold=4,
    n_repeats=4,
)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    write_study(folder, TRUTH, study_id="done")
    write_study(folder, TRUTH, study_id="blind", is_unblinded=False)
    return folder


@pytest.fixture(scope="module")
def exported(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export")
    written = export_study(artifacts, "done", out)
    assert sorted(written) == sorted(path for path in out.rglob("*") if path.is_file())
    return out


def run_bundle(folder: Path) -> subprocess.CompletedProcess[str]:
    # -P: nothing of the working folder; PYTHONPATH is not inherited either.
    command = [sys.executable, "-P", "-B", str(folder / "replicate.py")]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", env={}, check=False)


def test_the_datasheet_of_a_pairwise_study_does_not_deny_its_ratings_per_item() -> None:
    plan = shared_plan(mode="pairwise", n_ratings_per_item=2)
    (power,) = (text for number, _, text in datasheet._sample(plan) if number == "3.1.3.1")
    assert power == (
        "simulated studies of this size, which no rating enters; 95 % interval of the difference "
        "of two systems' strengths."
    )
    (found,) = (text for number, _, text in datasheet._sample(plan) if number == "3.1.3.2")
    (code,) = (text for number, _, text in datasheet._sample(plan) if number == "3.1.3.3")
    assert "analysis/power_pairs.py" in code
    assert found.startswith("Smallest preference found with 80 % power at 5 %")
    assert "none: not even if one of two systems were always preferred" in found  # four prompts


def test_the_bundle_prints_every_number_of_the_page_again(artifacts: Path, exported: Path) -> None:
    ran = run_bundle(exported / "replication")
    assert ran.returncode == 0, ran.stderr
    assert "computed by emorl_dashboard/study/analysis/report.py of this bundle" in ran.stdout
    page = as_records(study_tables(read_material(artifacts, "done").data))
    names = {"ada": "A01", "ben": "A02"}
    told = json.dumps(page)
    for name, pseudonym in names.items():
        told = told.replace(f'"{name}', f'"{pseudonym}').replace(
            f"\\u00b7 {name}", f"\\u00b7 {pseudonym}"
        )
    stored = json.loads((exported / "replication" / "results.json").read_text("utf-8"))
    assert differences(json.loads(told), stored) == []
    for name, rows in page.items():
        assert f"== {name} ({len(rows)} rows)" in ran.stdout
    one = page["means"][0]["mean"]
    assert f"{one:.6f}" in ran.stdout


def test_the_bundle_tells_when_a_number_is_another(
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "replication"
    shutil.copytree(exported / "replication", folder)
    stored = json.loads((folder / "results.json").read_text("utf-8"))
    stored["means"][0]["mean"] += 0.001
    (folder / "results.json").write_text(json.dumps(stored), encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert replicate.main(folder) == 1
    told = capsys.readouterr().out
    assert told.count("DIFFERS:") == 1
    assert "DIFFERS: means, row 0, mean:" in told


def test_ratings_are_the_same_in_all_three_formats(exported: Path) -> None:
    parquet = pd.read_parquet(exported / "ratings.parquet")
    table = pd.read_csv(exported / "ratings.csv")
    rows = json.loads((exported / "ratings.json").read_text("utf-8"))
    # 2 systems x 20 prompts x 2 annotators, and 8 copies by both.
    assert len(parquet) == len(table) == len(rows) == 80 + 16
    assert parquet["value"].tolist() == table["value"].tolist() == [r["value"] for r in rows]


def test_no_annotators_name_is_in_any_file(exported: Path) -> None:
    for path in exported.rglob("*"):
        if path.is_file() and "code" not in path.parts and path.suffix != ".py":
            content = path.read_bytes()
            assert b'"ada"' not in content
            assert b"ada," not in content
    frame = pd.read_parquet(exported / "ratings.parquet")
    assert set(frame["annotator"]) == {"A01", "A02"}


def test_the_readme_says_what_was_left_out(exported: Path) -> None:
    readme = (exported / "README.md").read_text("utf-8")
    assert "no snapshot of it (`rating_events`)" in readme
    assert "Names of annotators and their invitations" in readme
    # 40 rated responses, one criterion, no run to score them.
    assert "Automatic scores of 40 rated responses and criteria" in readme
    for package in ("numpy", "pandas", "pyarrow", "scipy", "statsmodels"):
        assert f"{package} {metadata.version(package)}" in readme
        pins = (exported / "replication" / "requirements.txt").read_text("utf-8")
        assert f"{package}=={metadata.version(package)}\n" in pins


@pytest.fixture(scope="module", params=["rating", "pairwise"])
def used(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return artifacts with a study that people used in every way, exported into ``out``."""
    folder = tmp_path_factory.mktemp(f"used-{request.param}")
    plan = shared_plan(mode=request.param, study_id="used")
    plan = replace(plan, systems=tuple(PlanSystem(name=n, origin="x") for n in ("base", "best")))
    write_plan(folder, plan)
    invite(folder, "used", "Ada Lovelace")
    store = AnnotationStore(folder / "studies")
    first, second, third, *_ = (item.code for item in plan.items if item.kind == "rating")
    make: Callable[[Criterion, int], Answer] = preferred if request.param == "pairwise" else rated

    def click(code: str, value: int, **changes: Any) -> None:
        answer = rating(1, 1, 1, item_code=code, study_id="used", annotator="ada lovelace")
        answers = tuple(make(criterion, value) for criterion in GUIDELINES.criteria)
        store.record(replace(answer, **{"answers": answers} | changes), plan)

    for value in (1, 0, 0, 1):  # changed, saved again as it was, changed back
        click(first, value)
    click(second, 1)
    click(third, 0)
    empty = tuple(skipped(criterion) for criterion in GUIDELINES.criteria)
    for code in (second, third):
        click(code, 0, kind="withdrawn", answers=empty)
    click(second, 0)  # taken back, then given anew: another answer
    notes: tuple[NoteKind, ...] = ("consent", "flag", "unflag", "comment")
    for number, kind in enumerate(notes):
        store.note(Note(note_id=f"{number}", study_id="used", annotator="ada lovelace", kind=kind))
    store.publish("used")
    store.close()
    store.path.unlink()  # else the snapshots would be made anew, as they are today
    unblind(folder, "used", by="owner", reason="test")
    study = folder / "studies" / "used"
    (study / "sources").mkdir()
    (study / "sources" / "own-12345678.csv").write_text("system,prompt,response\n")
    # What a later version of this project might keep.
    (study / "moods.json").write_text("{}", encoding="utf-8")
    pd.DataFrame({"mood_word": ["calm"]}).to_parquet(study / "published" / "moods.parquet")
    path = ratings_path(folder, "used")
    pd.read_parquet(path).assign(pulse=60).to_parquet(path, index=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(export, "N_RESAMPLES", 20)
        export_study(folder, "used", folder / "out")
    return folder


def test_whatever_a_study_has_is_in_its_export_or_said_to_be_left_out(used: Path) -> None:
    study, out = used / "studies" / "used", used / "out"
    told = (out / "README.md").read_text("utf-8").split("## Left out")[1]
    for path in study.rglob("*"):
        assert path.is_dir() or f"`{path.relative_to(study).as_posix()}`" in told
    (table,) = [*out.glob("ratings.parquet"), *out.glob("preferences.parquet")]
    columns = set(pd.read_parquet(table).columns)
    for path in (study / "published").glob("*.parquet"):
        about = next(line for line in told.splitlines() if f"Columns of `{path.stem}`" in line)
        for name in pd.read_parquet(path).columns:
            has = columns if path.stem in ("rating_events", "current_ratings") else set()
            assert name in has or f"`{name}`" in about, (path.stem, name)
    assert {"label", "guideline_version", "shown_at", "shown_first"} <= columns
    for name in re.findall(r"CREATE TABLE (\w+)", SCHEMA):
        assert name in PUBLISHED or f"`{name}`" in told
    plan = json.loads((study / "plan.json").read_text("utf-8"))
    kept = json.loads((out / "study.json").read_text("utf-8"))
    assert {name for name in plan if name not in kept} == {
        "format",
        "seed",
        "guidelines",
        "items",
        "systems",
    }
    assert "(StudyPlan): `seed`" in told
    items = pd.read_parquet(out / "items.parquet")
    assert set(plan["items"][0]) - set(items.columns) == {"code"}
    assert "Ada" not in told
    assert plan["seed"] not in (out / "study.json").read_text("utf-8")


def test_the_history_and_the_notes_are_counted_by_what_happened(used: Path) -> None:
    told = (used / "out" / "README.md").read_text("utf-8")
    # Of each of the 3 questions: 1, 0, 0, 1; 1, back, 0; 0, back. 9 events, 2 of them current.
    assert "Of 27 stored events: 9 earlier answers that annotators changed later" in told
    assert "3 that they saved again as they were, 3 that they took back and did not" in told
    assert "6 records of taking back" in told
    assert "by kind: 1 comment, 1 consent, 1 flag, 1 unflag." in told


def test_guidelines_are_told_once_by_the_version_that_each_answer_names(used: Path) -> None:
    texts = json.loads((used / "out" / "guidelines.json").read_text("utf-8"))
    (path,) = [*(used / "out").glob("ratings.csv"), *(used / "out").glob("preferences.csv")]
    table = pd.read_csv(path, dtype={"guideline_version": str})
    assert set(table["guideline_version"]) == set(texts) == {GUIDELINES.version}
    assert texts[GUIDELINES.version]["text"] == GUIDELINES.text
    assert not any(GUIDELINES.text in str(value) for value in table.to_numpy().ravel())
    assert run_bundle(used / "out" / "replication").returncode == 0


def test_the_datasheet_holds_the_study_and_marks_what_it_cannot_know(exported: Path) -> None:
    sheet = (exported / "datasheet.md").read_text("utf-8")
    for section in ("1. Main reference", "2. Evaluated", "3.1", "3.2", "3.3", "4. ", "5. Ethics"):
        assert f"## {section}" in sheet
    assert "base 20, best 20" in sheet
    assert "4 damaged copies, 4 repeated" in sheet
    assert "alpha (ordinal): 0." in sheet
    assert "Guessed right: " in sheet
    assert sheet.count("To be filled in by the owner") > 10
    assert "**5.1 Approved by an ethics committee:** **To be filled in" in sheet
    numbers = re.findall(r"^\*\*([1-5](?:\.\d+)+) ", sheet, re.MULTILINE)
    # The questions of HEDS 3.0 by number; names, affiliations and addresses of 1.3 in one answer.
    assert len(numbers) == len(set(numbers)) == 5 + 5 + 5 + 8 + 10 + 21 + 4
    assert numbers == sorted(numbers, key=lambda number: [int(n) for n in number.split(".")])


def test_an_export_before_unblinding_is_refused_and_writes_nothing(
    artifacts: Path, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match="still blind"):
        export_study(artifacts, "blind", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_zip_holds_the_same_files(
    artifacts: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "N_RESAMPLES", 20)
    with zipfile.ZipFile(io.BytesIO(bundle_bytes(artifacts, "done"))) as archive:
        names = set(archive.namelist())
    files = {
        path.relative_to(exported).as_posix()
        for path in exported.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert names == {f"done/{name}" for name in files}


def test_skipped_and_unrated_items_are_exported_as_such(tmp_path: Path) -> None:
    answers = simulate_study(TRUTH, 0).answers
    plan = plan_for(answers, study_id="partly")
    write_plan(tmp_path, plan)
    few = answers[answers["item_code"].isin([item.code for item in plan.items[:3]])].copy()
    few["is_skipped"] = few["item_code"] == plan.items[0].code
    few.loc[few["is_skipped"], "value"] = float("nan")
    write_ratings(tmp_path, "partly", few)
    unblind(tmp_path, "partly", by="owner", reason="test")
    export_study(tmp_path, "partly", tmp_path / "out")
    rows = pd.read_csv(tmp_path / "out" / "ratings.csv")
    assert rows["value"].isna().sum() == 2
    assert rows["is_skipped"].sum() == 2
    readme = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert f"Answers to {len(plan.items) - 3} of {len(plan.items)} items" in readme
