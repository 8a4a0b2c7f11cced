"""The Study page: from a name to a sealed study with links, and what a reader may not do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextInput

from dashboard.study import owner_draft
from dashboard.study.draft import (
    StudyDraft,
    create_draft,
    list_drafts,
    read_draft,
    write_draft,
)
from dashboard.study.invites import holder_of, invited
from dashboard.study.plan import list_studies, read_plan
from dashboard.study.unblinding import study_state
from tests.dashboard.study.samples import (
    SYSTEMS,
    draft_of,
    sealed,
    system_sources,
    write_finished_run,
)

TEXTS = {
    system: [f"Answer {n} has some words", f"Reply {n} has others"]
    for n, system in enumerate(SYSTEMS)
}


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    monkeypatch.delenv("EMORL_READ_ONLY", raising=False)
    yield tmp_path
    st.cache_resource.clear()
    st.cache_data.clear()


def page() -> None:
    from dashboard.views import study

    study.render()


def opened() -> AppTest:
    app = AppTest.from_function(page, default_timeout=30).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    kinds = (app.text, app.caption, app.markdown, app.error, app.warning, app.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def field(app: AppTest, label: str) -> TextInput:
    return next(one for one in app.text_input if label in one.label)


def test_without_a_run_the_page_says_how_to_make_one() -> None:
    assert "emorl demo" in texts(opened())


def test_from_a_name_to_a_sealed_study_with_links(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    app = opened()
    field(app, "Name of the study").set_value("pilot")
    press(app, "Plan it")
    assert list_drafts(artifacts) == ["pilot"]
    assert {source.system for source in read_draft(artifacts, "pilot").sources} == set(SYSTEMS)
    assert [metric.value for metric in app.metric][:3] == ["10", "5", "4 · 4"]
    assert next(b for b in app.button if b.label == "Seal the study").disabled
    next(box for box in app.checkbox if "I have read" in box.label).check().run()
    press(app, "Seal the study")
    assert list_studies(artifacts) == ["pilot"]
    assert study_state(artifacts, "pilot") == "sealed"
    field(app, "Code names").set_value("ada, Bob")
    press(app, "Make links")
    assert [one.annotator for one in invited(artifacts, "pilot")] == ["ada", "bob"]
    tokens = [re.sub(r".*invite=", "", code.value) for code in app.code]
    found = [holder_of(artifacts, token) for token in tokens]
    assert [one[1].annotator for one in found if one] == ["ada", "bob"]
    # Another session of the page cannot show the links again.
    assert opened().code.len == 0


def ticked(app: AppTest) -> list[bool]:
    return [box.value for box in app.checkbox if "I have read" in box.label]


def test_what_the_owner_has_not_read_is_not_sealed(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    create_draft(artifacts, draft_of(study_id="pilot", sources=system_sources()))
    app = opened()
    next(box for box in app.checkbox if "I have read" in box.label).check().run()
    assert ticked(app) == [True]
    # Another tab changes the design.
    write_draft(artifacts, replace(read_draft(artifacts, "pilot"), mode="pairwise"))
    press(app, "Seal the study")
    assert list_studies(artifacts) == []
    assert "have changed since you read the checks" in texts(app)
    assert ticked(app.run()) == [False]
    next(box for box in app.checkbox if "I have read" in box.label).check().run()
    press(app, "Seal the study")
    assert read_plan(artifacts, "pilot").mode == "pairwise"


def test_the_tick_goes_with_the_design_that_it_was_set_for(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    create_draft(artifacts, draft_of(study_id="pilot", sources=system_sources()))
    app = opened()
    next(box for box in app.checkbox if "I have read" in box.label).check().run()
    next(n for n in app.number_input if n.label == "Ratings per item").set_value(1)
    press(app, "Keep the design")
    assert ticked(app) == [False]


def test_a_file_that_is_chosen_again_is_taken_once(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Upload:
        name = "own.csv"

        def getvalue(self) -> bytes:
            return b"system,prompt,response\na,p,one two\nb,p,three\n"

    written: list[StudyDraft] = []

    def write(artifacts: Path, draft: StudyDraft) -> None:
        written.append(draft)
        assert len(written) < 5, "the page writes the draft without end"
        write_draft(artifacts, draft)

    create_draft(artifacts, draft_of(study_id="pilot"))
    monkeypatch.setattr(owner_draft, "write_draft", write)
    # A browser keeps the chosen file, whatever the page does.
    monkeypatch.setattr(st, "file_uploader", lambda *_, **__: Upload())
    app = opened()
    assert len(written) == 1
    assert "in the study already" in texts(app)


def test_a_changed_design_is_kept(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    app = opened()
    field(app, "Name of the study").set_value("pilot")
    press(app, "Plan it")
    next(n for n in app.number_input if n.label == "Annotators").set_value(5)
    next(radio for radio in app.radio if radio.label == "Annotators").set_value("pairwise")
    press(app, "Keep the design")
    draft = read_draft(artifacts, "pilot")
    assert (draft.n_annotators, draft.mode) == (5, "pairwise")
    next(n for n in app.number_input if n.label == "Ratings per item").set_value(9)
    press(app, "Keep the design")
    assert "9 ratings per item need as many annotators" in texts(app)
    assert read_draft(artifacts, "pilot") == draft


def test_a_bad_name_is_refused_with_a_sentence(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    app = opened()
    field(app, "Name of the study").set_value("../x")
    press(app, "Plan it")
    assert "no name of a study" in texts(app)
    assert not (artifacts / "studies").exists()


def test_closing_and_unblinding(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    sealed(artifacts, requires_invite=True)
    app = opened()
    press(app, "Open the study")
    assert study_state(artifacts, "demo") == "open"
    press(app, "Close the study")
    assert study_state(artifacts, "demo") == "closed"
    press(app, "Unblind")
    assert "give a name and a reason" in texts(app)
    assert study_state(artifacts, "demo") == "closed"
    field(app, "Your name").set_value("me")
    field(app, "Reason").set_value("done")
    press(app, "Unblind")
    assert study_state(artifacts, "demo") == "unblinded"


def test_a_read_only_dashboard_shows_studies_and_changes_none(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_finished_run(artifacts, TEXTS)
    sealed(artifacts, requires_invite=True)
    monkeypatch.setenv("EMORL_READ_ONLY", "1")
    app = opened()
    assert app.button.len == 0
    assert app.metric.len == 4
    assert not (artifacts / "studies" / "annotations.duckdb").exists()
