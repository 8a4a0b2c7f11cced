"""``emorl study``: a whole study by commands, while another process holds the ratings."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emorl.__main__ import main as emorl
from emorl.errors import StudyError
from emorl_dashboard.study.custody.invites import holder_of, invited, token_digest
from emorl_dashboard.study.custody.unblinding import unblinded_at
from emorl_dashboard.study.owner import cli_actions
from emorl_dashboard.study.owner.cli import main
from emorl_dashboard.study.owner.steps import with_file, with_upload
from emorl_dashboard.study.planning.draft import read_draft, write_draft
from emorl_dashboard.study.planning.offers import offers
from emorl_dashboard.study.protocol.guidelines import (
    criteria_of,
    guidelines_for,
    level_rows,
    versioned,
)
from emorl_dashboard.study.protocol.plan import read_plan
from emorl_dashboard.study.records.store import AnnotationStore
from emorl_dashboard.study.reporting.material import system_weights
from tests.dashboard.study.samples import SYSTEMS, rating, write_finished_run
from tests.support.synthetic import SPECS, write_run

pytestmark = pytest.mark.slow

TEXTS = {
    system: [f"Answer {n} has some words", f"Reply {n} has others"]
    for n, system in enumerate(SYSTEMS)
}


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    write_finished_run(tmp_path, TEXTS)
    return tmp_path


def say(artifacts: Path, *words: str) -> int:
    return main([f"--artifacts={artifacts}", *words])


def test_a_study_from_plan_to_unblinding(
    artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert say(artifacts, "create", "pilot", "--run", "demo", "--annotators", "3") == 0
    assert say(artifacts, "seal", "pilot", "--check") == 0
    assert "10 items from 2 prompts, 5 systems; 4 gold, 4 repeated" in capsys.readouterr().out
    assert say(artifacts, "status") == 0
    assert capsys.readouterr().out == "pilot: draft\n"
    assert say(artifacts, "seal", "pilot", "--accept") == 0
    plan = read_plan(artifacts, "pilot")
    assert plan.seal in capsys.readouterr().out
    assert say(artifacts, "invite", "pilot", "ada", "--url", "https://lab.example/") == 0
    link = re.search(r"https://lab\.example/annotate\?invite=(\S+)", capsys.readouterr().out)
    assert link is not None
    assert holder_of(artifacts, token_digest(link[1])) is not None
    store = AnnotationStore(artifacts / "studies")  # as the dashboard does
    code = next(item.code for item in plan.items if item.kind == "rating" and 1 in item.places)
    store.record(rating(1, 1, 1, item_code=code, study_id="pilot"), plan)
    store.publish("pilot")
    assert say(artifacts, "status", "pilot", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["state"], status["n_ratings"], status["n_items"]) == ("open", 1, 18)
    (ada,) = status["annotators"]
    assert (ada["annotator"], ada["n_rated"], ada["is_active"]) == ("ada", 1, True)
    assert say(artifacts, "invite", "pilot", "ada", "--end") == 0
    assert holder_of(artifacts, token_digest(link[1])) is None
    assert say(artifacts, "unblind", "pilot", "--reason", "all in", "--by", "me") == 0
    assert unblinded_at(artifacts, "pilot") is not None
    assert say(artifacts, "status", "pilot") == 0
    assert "pilot: unblinded" in capsys.readouterr().out
    out = artifacts / "out"
    assert say(artifacts, "export", "pilot", "--out", str(out)) == 0
    told = capsys.readouterr().out
    assert f"files to {out}:" in told
    assert "\n  datasheet.md\n" in told
    assert (out / "replication" / "replicate.py").is_file()
    store.close()


def test_a_second_link_for_one_annotator_ends_the_first(
    artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(artifacts, "create", "pilot", "--run", "demo")
    say(artifacts, "seal", "pilot", "--accept")
    say(artifacts, "invite", "pilot", "ada")
    first = re.search(r"invite=(\S+)", capsys.readouterr().out)
    assert first is not None
    say(artifacts, "invite", "pilot", "Ada")
    told = capsys.readouterr().out
    assert "The earlier link of ada has ended; all ratings are kept." in told
    assert "Put the dashboard's address before it" in told
    assert holder_of(artifacts, token_digest(first[1])) is None


def test_one_person_gets_one_link_however_often_the_name_is_given(
    artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(artifacts, "create", "pilot", "--run", "demo")
    say(artifacts, "seal", "pilot", "--accept")
    capsys.readouterr()
    assert say(artifacts, "invite", "pilot", "x", "X", "bob", "x") == 0
    told = capsys.readouterr().out
    assert "differ only in case or blanks are one annotator" in told
    assert re.findall(r"^(\S+): /annotate", told, re.MULTILINE) == ["x", "bob"]
    assert "has ended" not in told
    # One bad name among several: nobody is invited.
    assert say(artifacts, "invite", "pilot", "cy", "ALL") == 2
    assert "Nobody can be called 'all'" in capsys.readouterr().err
    assert [one.annotator for one in invited(artifacts, "pilot")] == ["x", "bob"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "x", "--run", "other"], "no finished run 'other'"),
        (
            ["create", "x", "--run", "demo", "--system", "gpt"],
            "no stored system gpt; it has adapter:empathy",
        ),
        (["create", "x", "--run", "demo", "--weights", "1,a,0"], "Weights are numbers"),
        (["create", "x", "--run", "demo", "--weights", "1,0"], "one weight per objective"),
        (["create", "x", "--run", "demo", "--weights", "1,0,0"], "emorl atlas demo --split inf"),
        (["create", "../x", "--run", "demo"], "no name of a study"),
        (["create", "x", "--run", "demo", "--ratings", "3"], "need as many annotators"),
        (["seal", "x"], "no draft 'x'"),
        (["invite", "x", "ada"], "no sealed study 'x'"),
        (["unblind", "x", "--reason", "y"], "no sealed study 'x'"),
        (["status", "x"], "no sealed study 'x'"),
        (["import", "x", "file.csv"], "no draft 'x'"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence_and_writes_nothing(
    artifacts: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert say(artifacts, *words) == 2
    assert said in capsys.readouterr().err
    assert not (artifacts / "studies").exists()


def test_a_file_of_responses_is_copied_into_the_study(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.csv"
    file.write_text("system,prompt,response\ngpt,p,one two\nllama,p,three\n", encoding="utf-8")
    assert say(artifacts, "create", "own") == 0
    assert say(artifacts, "import", "own", str(file)) == 0
    assert "Read 2 responses of 2 systems: gpt, llama." in capsys.readouterr().out
    file.unlink()
    assert say(artifacts, "seal", "own", "--accept") == 0
    plan = read_plan(artifacts, "own")
    (origin,) = {system.origin for system in plan.systems}
    assert re.fullmatch(r"file sources/own-[0-9a-f]{8}\.csv", origin)
    assert {item.data_set for item in plan.items if item.kind == "rating"} == {"own"}


def write_answers(path: Path, system: str, response: str) -> str:
    path.write_text(f"system,prompt,response\n{system},p,{response}\n", encoding="utf-8")
    return str(path)


def test_a_corrected_file_replaces_the_earlier_one_only_when_asked(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(artifacts, "create", "own")
    file = tmp_path / "answers.csv"
    say(artifacts, "import", "own", write_answers(file, "gpt", "I am heer"))
    assert say(artifacts, "rename", "own", "gpt", "First") == 0
    before = read_draft(artifacts, "own")
    assert say(artifacts, "import", "own", str(file)) == 0
    assert "in the study already" in capsys.readouterr().out
    assert read_draft(artifacts, "own") == before
    write_answers(file, "gpt", "I am here")
    assert say(artifacts, "import", "own", str(file)) == 2
    told = capsys.readouterr().err
    assert "has a file answers.csv already, with other content" in told
    assert "emorl study import own answers.csv --replace" in told
    assert read_draft(artifacts, "own") == before
    assert say(artifacts, "import", "own", str(file), "--replace") == 0
    (source,) = read_draft(artifacts, "own").sources
    (kept,) = (artifacts / "studies" / "own" / "sources").iterdir()
    assert source.path == f"sources/{kept.name}"
    assert "I am here" in kept.read_text("utf-8")
    # The corrected file keeps the name that the owner gave.
    assert source.called("gpt") == "First"


def test_a_system_is_renamed_and_taken_out_before_the_seal(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(artifacts, "create", "own", "--run", "demo", "--system", "base", "--system", "best")
    say(artifacts, "import", "own", write_answers(tmp_path / "a.csv", "gpt", "I am gpt"))
    say(artifacts, "seal", "own", "--check")
    assert "The name 'gpt' stands in 1 response" in capsys.readouterr().out
    assert say(artifacts, "rename", "own", "gpt", " Sea ") == 0
    assert say(artifacts, "rename", "own", "best", "Found", "--from", "demo") == 0
    say(artifacts, "seal", "own", "--check")
    told = capsys.readouterr().out
    # One system's own signature: another name for it in the plan takes it out of no text.
    (leak,) = (line for line in told.splitlines() if "'gpt', which the study calls 'Sea'" in line)
    assert leak.startswith("warning: 'gpt', which the study calls 'Sea', stands in 1 response")
    assert "rename" not in leak
    assert say(artifacts, "seal", "own") == 2
    capsys.readouterr()
    assert "Systems: Found, Sea, base." in told
    before = read_draft(artifacts, "own")
    for words in (
        ["nobody", "x"],
        ["base", ""],
        ["base", "all"],
        ["base", "x", "--from", "other"],
    ):
        assert say(artifacts, "rename", "own", *words) == 2
    assert "it has base (run demo, split inference), Found" in capsys.readouterr().err
    assert read_draft(artifacts, "own") == before
    assert say(artifacts, "remove", "own", "nothing") == 2
    assert say(artifacts, "remove", "own", "a.csv") == 0
    assert list((artifacts / "studies" / "own" / "sources").iterdir()) == []
    assert say(artifacts, "seal", "own", "--accept") == 0
    assert [one.name for one in read_plan(artifacts, "own").systems] == ["base", "Found"]
    for words in (["rename", "own", "base", "x"], ["remove", "own", "base"]):
        assert say(artifacts, *words) == 2
        assert "is sealed" in capsys.readouterr().err


def test_two_systems_of_one_file_never_get_one_name(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answers.csv"
    rows = ["system,prompt,response", *(f"{name},p{n},{name} {n}" for name in "ab" for n in "12")]
    file.write_text("\n".join(rows), encoding="utf-8")
    say(artifacts, "create", "own")
    say(artifacts, "import", "own", str(file))
    draft = read_draft(artifacts, "own")
    assert say(artifacts, "rename", "own", "b", "a") == 2
    assert "'a' and 'b' of answers.csv would both be called 'a'" in capsys.readouterr().err
    assert read_draft(artifacts, "own") == draft
    # Nor by a corrected file, in which somebody has the name that another was given.
    say(artifacts, "rename", "own", "b", "c")
    draft = read_draft(artifacts, "own")
    file.write_text("\n".join([*rows, "c,p1,c 1"]), encoding="utf-8")
    assert say(artifacts, "import", "own", str(file), "--replace") == 2
    assert "'b' and 'c' of answers.csv would both be called 'c'" in capsys.readouterr().err
    assert read_draft(artifacts, "own") == draft
    # A draft of an earlier version that has come so far is mended by the stored names.
    (source,) = draft.sources
    labels = (("a", "same"), ("b", "same"))
    write_draft(artifacts, replace(draft, sources=(replace(source, labels=labels),)))
    assert say(artifacts, "seal", "own", "--check") == 2
    assert "emorl study rename" in capsys.readouterr().err
    assert say(artifacts, "rename", "own", "b", "other") == 0
    assert say(artifacts, "seal", "own", "--check") == 0
    assert "Systems: other, same." in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["create", "new", "--run", "demo\udcff"],
        ["invite", "pilot", "ada", "b\udcff"],
        ["unblind", "pilot", "--reason", "bad \udcff"],
        ["export", "pilot\udcff"],
        ["rename", "draft", "base", "\udcff"],
    ],
)
def test_a_text_that_no_file_can_store_is_refused_before_anything_is_written(
    artifacts: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    say(artifacts, "create", "pilot", "--run", "demo")
    say(artifacts, "seal", "pilot", "--accept")
    say(artifacts, "create", "draft", "--run", "demo")
    studies = artifacts / "studies"
    before = {path: path.read_bytes() for path in studies.rglob("*") if path.is_file()}
    assert say(artifacts, *words) == 2
    assert "half of a character ('\\udcff' after" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in studies.rglob("*") if path.is_file()} == before


def test_guidelines_and_file_names_that_no_file_can_store_leave_the_draft_as_it_was(
    artifacts: Path,
) -> None:
    say(artifacts, "create", "own", "--run", "demo")
    draft = read_draft(artifacts, "own")
    text = replace(draft.guidelines, text="half \ud83d")
    with pytest.raises(StudyError, match="half of a character"):
        write_draft(artifacts, replace(draft, guidelines=text))
    rows = b"system,prompt,response,data_set\ngpt,p,one,talks\n"
    file = artifacts / "a\udcff.csv"
    file.write_bytes(rows)
    with pytest.raises(StudyError, match="half of a character"):
        with_file(artifacts, draft, file)
    assert read_draft(artifacts, "own") == draft
    assert not list((artifacts / "studies" / "own").glob("sources/*"))


def test_what_a_terminal_cannot_show_stops_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    cli_actions.say("Wrote 3 files to \u0436\udcff:")
    shown.flush()
    assert shown.buffer.getvalue() == b"Wrote 3 files to \\u0436\\udcff:\n"


def test_a_system_that_is_named_twice_is_one_under_its_first_name_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, SPECS["finished"])
    (offer,) = offers(tmp_path)
    found = next(one.weights for one in offer.methods if one.name == "hierarchical search")
    typed = ",".join(str(2 * weight) for weight in found)
    words = ["--run", "finished", "--split", "aggregation", "--weights", typed]
    assert say(tmp_path, "create", "own", *words, "--method", "hierarchical") == 0
    told = capsys.readouterr().out
    assert "'hierarchical search' (run finished, split aggregation) is in the study" in told
    assert "already as 'w=" in told
    assert "with 1 system." in told
    before = read_draft(tmp_path, "own").sources
    say(tmp_path, "import", "own", write_answers(tmp_path / "a.csv", "gpt", "I am gpt"))
    assert read_draft(tmp_path, "own").sources[:-1] == before


def test_a_draft_of_an_earlier_version_with_a_system_twice_loses_none_and_counts_it_once(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(artifacts, "create", "own", "--run", "demo", "--system", "base", "--system", "best")
    say(artifacts, "seal", "own", "--check")
    once = capsys.readouterr().out
    draft = read_draft(artifacts, "own")
    write_draft(artifacts, replace(draft, sources=(*draft.sources, *draft.sources)))
    say(artifacts, "seal", "own", "--check")
    assert once.endswith(capsys.readouterr().out)
    say(artifacts, "import", "own", write_answers(tmp_path / "a.csv", "gpt", "I am gpt"))
    names = [one.name for one in read_draft(artifacts, "own").sources[:-1]]
    assert names == ["base", "best"] * 2


def test_a_renamed_system_keeps_its_place_among_the_weights(artifacts: Path) -> None:
    say(artifacts, "create", "own", "--run", "demo", "--system", "base", "--system", "best")
    say(artifacts, "rename", "own", "best", "Found")
    say(artifacts, "seal", "own", "--accept")
    placed = system_weights(artifacts, read_plan(artifacts, "own"))
    # The weights of "best" in samples.write_finished_run; the base has none.
    assert placed.to_dict("list") == {
        "system": ["Found"],
        "reflection": [0.9375],
        "empathy": [0.59375],
        "fluency": [0.09375],
    }


def test_an_import_into_a_sealed_study_is_refused_and_its_files_stay(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.csv"
    file.write_text("system,prompt,response\na,p,one\nb,p,two\n", encoding="utf-8")
    say(artifacts, "create", "own")
    say(artifacts, "import", "own", str(file))
    draft = read_draft(artifacts, "own")
    say(artifacts, "seal", "own", "--accept")
    folder = artifacts / "studies" / "own" / "sources"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    file.write_text("system,prompt,response\nz,p,other\n", encoding="utf-8")
    assert say(artifacts, "import", "own", str(file)) == 2
    assert "is sealed" in capsys.readouterr().err
    with pytest.raises(StudyError, match="is sealed"):
        with_upload(artifacts, draft, file.name, file.read_bytes())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_own_guidelines_have_a_version_of_their_own(artifacts: Path, tmp_path: Path) -> None:
    text = tmp_path / "mine.md"
    text.write_text("# Mine\n\nJudge ![x](http://elsewhere/x.png) kindly.", encoding="utf-8")
    for name in ("one", "two"):
        say(artifacts, "create", name, "--run", "demo", "--guidelines", str(text))
        say(artifacts, "seal", name, "--accept")
    versions = {read_plan(artifacts, name).guidelines.version for name in ("one", "two")}
    assert len(versions) == 1
    assert re.fullmatch(r"1\+[0-9a-f]{8}", versions.pop())
    assert read_draft(artifacts, "one").guidelines.text.startswith("# Mine")
    shipped = guidelines_for(["reflection"])
    assert versioned(shipped).version == "1"


def test_questions_can_be_edited_as_a_table() -> None:
    guidelines = guidelines_for(["reflection", "empathy"])
    rows = level_rows(guidelines)
    assert criteria_of(rows) == guidelines.criteria
    five: list[dict[str, Any]] = [
        {"criterion": "overall", "question": "How good?", "value": value, "label": f"{value}"}
        for value in (5, 4, 3, 2, 1)
    ]
    (overall,) = criteria_of(five)
    assert (overall.minimum, overall.maximum, overall.label(4)) == (1, 5, "4")
    bad_tables: list[list[dict[str, Any]]] = [
        [],
        [{}],
        [five[0] | {"value": 1.5}],
        [five[0]],
        [*five, five[0]],
    ]
    for bad in bad_tables:
        with pytest.raises(StudyError):
            criteria_of(bad)


def test_emorl_hands_the_action_on(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def call(command: list[str]) -> int:
        called.append(command)
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    words = ["study", "create", "x", "--run", "demo", "--weights", "1,0,0"]
    assert emorl([*words[:1], "--artifacts", str(artifacts), *words[1:]]) == 0
    assert called == [
        [
            sys.executable,
            "-m",
            "emorl_dashboard.study.owner.cli",
            f"--artifacts={artifacts}",
            *words[1:],
        ]
    ]


def test_the_command_runs_as_a_process_of_its_own(artifacts: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emorl", "study", "status", "--artifacts", str(artifacts)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
