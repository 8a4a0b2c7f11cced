"""The whole run in one file: escaped, complete, and on its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emorl.__main__ import main as emorl
from emorl_dashboard.figures import palette
from emorl_dashboard.report.__main__ import main
from emorl_dashboard.report.page import Section, page_text, table_html

pytestmark = pytest.mark.slow

TITLES = [
    "Summary",
    "Base, single objectives and best ensemble",
    "Training",
    "What own reward costs the others",
    "Weights",
    "Trade-off",
    "Best region",
    "Sample responses",
    "What it cost",
    "Settings",
    "Versions",
]


@pytest.fixture
def written(artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(artifacts))
    return tmp_path / "report.html"


def report_of(run: str, artifacts: Path, target: Path) -> str:
    assert main([str(artifacts), run, str(target)]) == 0
    return target.read_text(encoding="utf-8")


def without_scripts(text: str) -> str:
    return re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


@pytest.fixture(scope="module")
def text(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a finished run with hostile texts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMORL_ARTIFACTS", str(artifacts))
        return report_of("finished", artifacts, tmp_path_factory.mktemp("report") / "r.html")


def test_a_report_has_every_part_and_asks_nobody(text: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", text) == TITLES
    assert text.count("<h1>EMORL Atlas: finished</h1>") == 1
    assert "default-src 'none'" in text
    assert "<!-- " not in without_scripts(text)
    assert re.findall(r'(?:src|href)="(?!#)', without_scripts(text)) == []
    assert text.count("plotly.js v") == 1


def test_texts_of_a_report_are_escaped(text: str) -> None:
    page = without_scripts(text)
    assert "&lt;script&gt;document.title" in page
    assert "<img" not in page


def test_figures_of_a_report_come_in_both_themes(text: str) -> None:
    [kept] = re.findall(r'id="figures">(.*?)</script>', text, flags=re.DOTALL)
    figures = json.loads(kept)
    assert len(figures) == text.count("<figcaption")
    assert {tuple(figure) for figure in figures} == {("light", "dark")}
    looks = [figures[0][theme]["layout"]["template"]["layout"] for theme in ("light", "dark")]
    inks = [look["font"]["color"] for look in looks]
    assert inks == [palette.LIGHT.text, palette.DARK.text]


@pytest.mark.parametrize("run", ["training", "two-objectives", "large"])
def test_a_report_of_an_unfinished_or_another_run_says_what_there_is(
    run: str, artifacts: Path, written: Path
) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", report_of(run, artifacts, written)) == TITLES


def test_the_colours_of_a_report_are_those_of_the_pages() -> None:
    style = page_text("x", [])
    for ink in (palette.LIGHT, palette.DARK):
        for colour in ink.objectives:
            assert colour.lower() in style


def test_a_text_cannot_pass_for_a_part_of_the_page() -> None:
    text = page_text("<!-- script -->", [Section("<b>x</b>", ["</script><!-- plotly -->"])])
    assert "&lt;!-- script --&gt;" in text
    assert "<b>x</b>" not in text
    assert text.count("plotly.js v") == 1


def test_a_table_writes_numbers_and_missing_ones() -> None:
    frame = pd.DataFrame({"n": [1234], "score": [0.5], "none": [np.nan], "text": ["<i>"]})
    text = table_html(frame)
    for cell in ("1,234", "0.500", "–", "&lt;i&gt;"):  # noqa: RUF001
        assert f">{cell}</td>" in text


def test_a_report_of_no_run_and_one_nowhere_are_refused(
    artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(artifacts), "../../etc", str(tmp_path / "x.html")]) == 2
    assert "is no name of a run" in capsys.readouterr().err
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main([str(artifacts), "finished", str(tmp_path / "file" / "x.html")]) == 1
    assert "Cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["finished", "died"], "Export one run at a time"),
        (["report", "absent"], "There is no run 'absent'"),
        (["report"], "There is no run 'report'"),
        (["report", "finished", "--format", "csv"], "is for tables"),
        (["report", "finished", "--out", "."], "must be a file"),
    ],
)
def test_the_command_line_of_a_report_is_checked(
    words: list[str], message: str, artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert emorl(["export", *words, "--artifacts", str(artifacts)]) == 2
    assert message in capsys.readouterr().err


def test_emorl_export_report_writes_the_page(artifacts: Path, written: Path) -> None:
    command = ["export", "report", "died", "--out", str(written), "--quiet"]
    assert emorl([*command, "--artifacts", str(artifacts)]) == 0
    assert "<h1>EMORL Atlas: died</h1>" in written.read_text(encoding="utf-8")
