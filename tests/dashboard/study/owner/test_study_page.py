"""The Study page: from a name to a sealed study with links, and what a reader may not do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextInput

from emorl.errors import StudyError
from emorl_dashboard.study.custody.invites import holder_of, invited, token_digest
from emorl_dashboard.study.custody.unblinding import log_path, study_state
from emorl_dashboard.study.owner import steps
from emorl_dashboard.study.planning import source_changes
from emorl_dashboard.study.planning.draft import (
    StudyDraft,
    create_draft,
    list_drafts,
    read_draft,
    write_draft,
)
from emorl_dashboard.study.protocol.plan import list_studies, read_plan
from emorl_dashboard.study.rating import session
from emorl_dashboard.study.rating.desk import Desk
from emorl_dashboard.study.records.store import AnnotationStore
from tests.dashboard.study.samples import (
    SYSTEMS,
    draft_of,
    rating,
    sealed,
    system_sources,
    write_finished_run,
)
from tests.support.synthetic import SPECS, write_run

pytestmark = pytest.mark.slow

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
    from emorl_dashboard.views import study

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
    field(app, "Code names").set_value("ada, Bob, ADA")
    press(app, "Make links")
    assert [one.annotator for one in invited(artifacts, "pilot")] == ["ada", "bob"]
    seal, *links = [code.value for code in app.code]
    assert seal == read_plan(artifacts, "pilot").seal
    tokens = [re.sub(r".*invite=", "", link) for link in links]
    found = [holder_of(artifacts, token_digest(token)) for token in tokens]
    assert [one[1].annotator for one in found if one] == ["ada", "bob"]
    # Another session of the page cannot show the links again.
    assert [code.value for code in opened().code] == [seal]


def test_a_draft_is_discarded_only_when_that_was_asked_twice(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    create_draft(artifacts, draft_of(study_id="pilot", sources=system_sources()))
    app = opened()
    # The first step, which only opens the second, is the browser's: no button of that name acts.
    assert "Discard this draft" not in [button.label for button in app.button]
    assert "cannot be undone" in texts(app)
    assert list_drafts(artifacts) == ["pilot"]
    press(app, "Discard it for good")
    assert list_drafts(artifacts) == []


def test_a_changed_log_is_said_and_the_study_does_not_open(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    sealed(artifacts, requires_invite=True)
    app = press(opened(), "Open the study")
    log_path(artifacts, "demo").write_text("", encoding="utf-8")
    app.run()
    said = " ".join(str(error.value) for error in app.error)
    press(app, "Open it again")
    assert study_state(artifacts, "demo") == "closed"
    assert "The log of this study was changed by hand. It had 2 entries and has 0." in said
    assert "takes no more ratings" in texts(app)


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
    # Of pairs, a preference; two prompts are too few for any.
    assert {m.label: m.value for m in app.metric}["Smallest preference found"] == "none"
    assert "not even if one of two systems were always preferred" in texts(app)
    next(box for box in app.checkbox if "I have read" in box.label).check().run()
    press(app, "Seal the study")
    assert read_plan(artifacts, "pilot").mode == "pairwise"


def test_changes_of_a_draft_in_two_tabs_are_joined(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    create_draft(artifacts, draft_of(study_id="pilot", sources=system_sources()))
    tabs = opened(), opened()  # both show the draft as it was
    numbers = (("Ratings per item", 1), ("Repeated items", 3))
    for tab, (label, value) in zip(tabs, numbers, strict=True):
        next(field for field in tab.number_input if field.label == label).set_value(value)
        press(tab, "Keep the design")
    kept = read_draft(artifacts, "pilot")
    assert (kept.n_ratings_per_item, kept.n_repeats) == (1, 3)
    # A button of an earlier list of systems takes no other system out.
    stale, other = opened(), opened()
    press(other, "Take out")
    left = read_draft(artifacts, "pilot").sources
    assert len(left) == len(SYSTEMS) - 1
    press(stale, "Take out")
    assert read_draft(artifacts, "pilot").sources == left
    # Nor is what one tab has taken out brought back by another's settings.
    press(tabs[0], "Keep the design")
    assert read_draft(artifacts, "pilot").sources == left


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
    monkeypatch.setattr(source_changes, "write_draft", write)
    # A browser keeps the chosen file, whatever the page does.
    monkeypatch.setattr(st, "file_uploader", lambda *_, **__: Upload())
    app = opened()
    assert len(written) == 1
    assert "in the study already" in texts(app)


def test_a_system_is_renamed_and_taken_out_on_the_page(artifacts: Path) -> None:
    write_finished_run(artifacts, TEXTS)
    create_draft(artifacts, draft_of(study_id="pilot", sources=system_sources("base", "best")))
    app = opened()
    field(app, "best · run demo").set_value("Found")
    press(app, "Keep the names")
    assert [one.name for one in read_draft(artifacts, "pilot").sources] == ["base", "Found"]
    assert "Found · run demo, split inference" in texts(app)
    press(app, "Take out")  # the first
    assert [one.name for one in read_draft(artifacts, "pilot").sources] == ["Found"]


def test_a_method_of_the_run_is_added_with_the_weights_that_it_found(artifacts: Path) -> None:
    write_run(artifacts, SPECS["finished"])
    create_draft(artifacts, draft_of(study_id="pilot"))
    app = opened()
    methods = next(one for one in app.multiselect if one.label.startswith("Methods"))
    methods.set_value(["hierarchical search"])
    next(one for one in app.radio if one.label.startswith("Prompts of")).set_value("aggregation")
    press(app, "Add")
    (source,) = read_draft(artifacts, "pilot").sources
    assert (source.kind, source.name) == ("weights", "hierarchical search")
    # The same weights again, typed and twice as large: one system, which keeps its name.
    field(app, "Weights of an ensemble").set_value(
        ",".join(str(2 * w) for w in source.weights or ())
    )
    press(app, "Add")
    assert "is in the study already as 'hierarchical search', with the same" in texts(app)
    assert read_draft(artifacts, "pilot").sources == (source,)


def test_a_corrected_upload_replaces_the_earlier_file_by_a_button(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Upload:
        name = "own.csv"

        def getvalue(self) -> bytes:
            return b"system,prompt,response\na,p,corrected\n"

    draft = draft_of(study_id="pilot")
    create_draft(artifacts, draft)
    first = steps.with_upload(artifacts, draft, "own.csv", b"system,prompt,response\na,p,wrong\n")
    write_draft(artifacts, first)
    monkeypatch.setattr(st, "file_uploader", lambda *_, **__: Upload())
    app = opened()
    assert "with other content" in texts(app)
    assert read_draft(artifacts, "pilot") == first
    press(app, "Replace the earlier file")
    (file,) = (artifacts / "studies" / "pilot" / "sources").iterdir()
    assert "corrected" in file.read_text("utf-8")
    assert read_draft(artifacts, "pilot").sources[0].path == f"sources/{file.name}"


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


def test_leaving_a_dashboard_that_became_read_only_writes_nothing(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_finished_run(artifacts, TEXTS)
    store = AnnotationStore(artifacts / "studies")
    desk = Desk(plan=sealed(artifacts), annotator="ada", store=store)
    assert desk.show(desk.progress()) is not None
    monkeypatch.setattr(st, "session_state", {session._DESK: desk})
    monkeypatch.setattr(st, "query_params", {})
    monkeypatch.setenv("EMORL_READ_ONLY", "1")
    session.leave()
    assert session.desk_so_far() is None
    assert len(store._rows("SELECT * FROM leases")) == 1
    store.close()


def test_a_read_only_dashboard_leaves_the_ratings_to_the_one_that_writes(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_finished_run(artifacts, TEXTS)
    plan = sealed(artifacts)
    store = AnnotationStore(artifacts / "studies")
    store.record(rating(1, 1, 1, item_code=plan.items[0].code))
    store.close()
    shutil.rmtree(artifacts / "studies" / "demo" / "published")
    monkeypatch.setenv("EMORL_READ_ONLY", "1")
    assert opened().metric[0].value == "0"
    with pytest.raises(StudyError, match="read-only"):
        session.open_store(artifacts)
    with pytest.raises(StudyError, match="read-only"):
        session.desk(artifacts, session.Visitor(study_id="demo", annotator="ada"))
    assert not (artifacts / "studies" / "demo" / "published").exists()
