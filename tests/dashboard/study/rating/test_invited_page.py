"""An annotator who came by an invite: consent, exercises, one page only, nobody else's answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from emorl_dashboard.study.custody.invites import deactivate, invite
from emorl_dashboard.study.custody.unblinding import close_study, open_study
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.rating import session
from emorl_dashboard.study.rating.progress import COMPLETE_RULE
from emorl_dashboard.study.reporting.status import status
from tests.dashboard.study.samples import SYSTEMS, sealed, write_finished_run

pytestmark = pytest.mark.slow

APP = str(Path(__file__).resolve().parents[4] / "dashboard" / "emorl_dashboard" / "app.py")
TEXTS = {
    system: [f"Answer {n} has some words", f"Reply {n} has others"]
    for n, system in enumerate(SYSTEMS)
}


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    monkeypatch.delenv("EMORL_READ_ONLY", raising=False)
    monkeypatch.setattr("emorl_dashboard.study.rating.desk.DOUBLE_CLICK_SECONDS", 0.0)
    yield tmp_path
    st.cache_resource.clear()
    session._throttle.cache_clear()


@pytest.fixture
def plan(artifacts: Path) -> StudyPlan:
    write_finished_run(artifacts, TEXTS)
    return sealed(artifacts, requires_invite=True, n_practice=1, n_annotators=2)


def opened(token: str | None = None, *, page: str = "annotate", **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30)
    if token is not None:
        app.query_params["invite"] = token
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, page
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception
    return app


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def agree(app: AppTest) -> AppTest:
    app.checkbox[0].check().run()
    return press(app, "Start")


def rate(app: AppTest, *values: int) -> AppTest:
    for question, value in zip(app.button_group, values, strict=True):
        question.set_value(value)
    return press(app, "Save and go on")


def texts(app: AppTest) -> str:
    kinds = (app.text, app.caption, app.markdown, app.error, app.warning, app.info, app.title)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def stored(artifacts: Path) -> tuple[Any, ...]:
    """Return everything that the store holds."""
    store = session.open_store(artifacts)
    return tuple(
        store._rows(f"SELECT * FROM {table} ORDER BY ALL") for table in ("rating_events", "notes")
    )


def test_by_invite_one_agrees_practises_and_rates(artifacts: Path, plan: StudyPlan) -> None:
    app = opened(invite(artifacts, "demo", "ada"))
    assert "Before you start" in [heading.value for heading in app.subheader]
    assert app.button_group.len == 0
    assert COMPLETE_RULE in texts(app)
    assert f"Its seal begins with {plan.seal[:12]}" in texts(app)
    agree(app)
    assert "Exercise 1 of 1" in texts(app)
    rate(app, 0, 1, 2)
    assert "Exercise saved." in texts(app)
    assert "Item 1 of 10" in texts(app)
    rate(app, 0, 1, 2)
    store = session.open_store(artifacts)
    kinds = [plan.item(code).kind for code in store.states("demo", "ada")]
    assert kinds == ["practice", "rating"]
    assert store.has_consented("demo", "ada", plan.guidelines.version)
    assert {seal for seal, _ in store.admitted_under("demo")} == {plan.seal}


@pytest.mark.usefixtures("plan")
def test_the_whole_app_is_one_page_for_an_annotator(artifacts: Path) -> None:
    token = invite(artifacts, "demo", "ada")
    # AppTest opens the app's default page: without invite that is the Overview with its runs.
    assert opened().title[0].value == "Overview"
    assert len(opened().sidebar.selectbox) == 1
    for bad in (token, "wrong", ""):
        app = opened(bad, run="demo", w="0.9375,0.59375,0.09375")
        assert [title.value for title in app.title] == ["Annotate"]
        assert len(app.sidebar.children) == 0
        assert "adapter" not in texts(app)
        assert "w" not in app.query_params


@pytest.mark.usefixtures("plan")
def test_a_tab_that_came_by_invite_stays_an_annotators_tab(artifacts: Path) -> None:
    app = agree(opened(invite(artifacts, "demo", "ada")))
    press(app, "Leave")
    assert "Open your invite link" in texts(app)
    app.run()
    assert [title.value for title in app.title] == ["Annotate"]
    assert "demo" not in texts(app)


ACTIONS = ("Save and go on", "Skip", "Flag", "Undo", "Start")


def at(action: str, token: str) -> AppTest:
    """Bring an annotator to the point where the action can be done."""
    app = opened(token)
    if action == "Start":
        app.checkbox[0].check().run()
        return app
    agree(app)
    if action == "Undo":
        rate(app, 1, 1, 1)
    for question in app.button_group:
        question.set_value(1)
    return app


# That the desk refuses every action when it may not write is in test_desk.
@pytest.mark.usefixtures("plan")
@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_allowed_to_its_annotator(artifacts: Path, action: str) -> None:
    app = at(action, invite(artifacts, "demo", "ada"))
    before = stored(artifacts)
    press(app, action)
    assert stored(artifacts) != before


@pytest.mark.usefixtures("plan")
@pytest.mark.parametrize(
    ("why", "action"),
    [
        ("link ended", "Save and go on"),
        ("another link", "Undo"),
        ("closed", "Skip"),
        ("read-only", "Start"),
    ],
)
def test_every_action_is_refused_and_changes_nothing_without_a_right_to_it(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, action: str, why: str
) -> None:
    app = at(action, invite(artifacts, "demo", "ada"))
    before = stored(artifacts)
    if why == "link ended":
        deactivate(artifacts, "demo", "ada")
    elif why == "another link":
        invite(artifacts, "demo", "ada")  # ends the earlier one
    elif why == "closed":
        close_study(artifacts, "demo", by="owner")
    else:
        monkeypatch.setenv("EMORL_READ_ONLY", "1")
    press(app, action)
    assert app.button_group.len == 0
    monkeypatch.delenv("EMORL_READ_ONLY", raising=False)
    assert stored(artifacts) == before
    # "Start" has a form of its own, and in a tab that was read-only before nothing was chosen.
    assert ("Not saved: what you chose last is not stored." in texts(app)) == (action != "Start")


@pytest.mark.usefixtures("plan")
def test_answers_that_came_too_late_are_there_when_the_study_opens_again(artifacts: Path) -> None:
    app = agree(opened(invite(artifacts, "demo", "ada")))
    app.text_area[0].set_value("typed in vain")
    close_study(artifacts, "demo", by="owner")
    rate(app, 2, 0, 1)
    assert "Not saved" in texts(app)
    assert "This study is closed" in texts(app)
    app.run()
    assert "Not saved" in texts(app)
    open_study(artifacts, "demo", by="owner")
    app.run()
    assert "Your answers are still here" in texts(app)
    assert [question.value for question in app.button_group] == [2, 0, 1]
    assert app.text_area[0].value == "typed in vain"
    press(app, "Try again")
    (state,) = session.open_store(artifacts).states("demo", "ada").values()
    assert list(state.values.values()) == [2, 0, 1]
    assert "Not saved" not in texts(app)


@pytest.mark.usefixtures("plan")
def test_a_failed_skip_claims_no_answers(artifacts: Path) -> None:
    app = agree(opened(invite(artifacts, "demo", "ada")))
    close_study(artifacts, "demo", by="owner")
    press(app, "Skip")
    open_study(artifacts, "demo", by="owner")
    app.run()
    assert "Not saved. Try again." in texts(app)
    assert "still here" not in texts(app)


@pytest.mark.usefixtures("plan")
def test_damaged_invites_of_one_study_stop_no_annotator_of_another(artifacts: Path) -> None:
    token = invite(artifacts, "demo", "ada")
    other = sealed(artifacts, study_id="secret", requires_invite=True, n_annotators=2)
    theirs = invite(artifacts, other.study_id, "bob")
    with (artifacts / "studies" / "secret" / "invites.jsonl").open("ab") as file:
        file.write(b"rubbish\n")
    app = rate(agree(opened(token)), 1, 1, 1)
    assert "Exercise saved." in texts(app)
    # Who may be of the damaged study learns no name and no path either.
    for unknown in (theirs, "wrong"):
        said = texts(opened(unknown))
        assert "tell the study's owner" in said
        assert "secret" not in said
        assert str(artifacts) not in said


@pytest.mark.usefixtures("plan")
def test_another_annotators_tab_writes_and_sees_nothing_of_ones_own(artifacts: Path) -> None:
    ada = agree(opened(invite(artifacts, "demo", "ada")))
    rate(ada, 2, 2, 2)
    rate(ada, 2, 0, 2)
    store = session.open_store(artifacts)
    before = store.states("demo", "ada")
    # Bob claims to be ada in the URL: the token decides.
    bob = agree(opened(invite(artifacts, "demo", "bob"), annotator="ada", study="demo"))
    assert "rating as bob" in texts(bob)
    for _ in range(3):
        rate(bob, 0, 0, 0)
        assert "ada" not in texts(bob)
    assert store.states("demo", "ada") == before
    assert len(store.states("demo", "bob")) == 3


@pytest.mark.usefixtures("plan")
@pytest.mark.parametrize("token", ["wrong", "a" * 5000, "\x00"])
def test_a_wrong_token_opens_nothing(artifacts: Path, token: str) -> None:
    invite(artifacts, "demo", "ada")
    app = opened(token)
    assert app.button_group.len == 0
    assert "demo" not in texts(app)
    assert stored(artifacts) == ([], [])


@pytest.mark.usefixtures("plan")
def test_a_name_is_not_enough_where_an_invite_is_required(artifacts: Path) -> None:
    invite(artifacts, "demo", "ada")
    app = AppTest.from_function(_annotate, default_timeout=30)
    app.query_params["study"], app.query_params["annotator"] = "demo", "ada"
    app.run()
    assert "is entered by an invite link" in texts(app)
    assert app.button_group.len == 0
    assert stored(artifacts) == ([], [])


def _annotate() -> None:
    from emorl_dashboard.views import annotate

    annotate.render()


@pytest.mark.usefixtures("plan")
def test_many_wrong_tokens_are_slowed_and_who_works_already_is_not(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AppTest makes up another address for every session.
    monkeypatch.setattr(session, "_address", lambda: "192.0.2.1")
    monkeypatch.setattr("emorl_dashboard.study.rating.throttle.BURST", 2)
    monkeypatch.setattr("emorl_dashboard.study.rating.throttle.SECONDS_PER_TRY", 600.0)
    token = invite(artifacts, "demo", "ada")
    working = agree(opened(token))
    for n in range(2):
        assert "not, or no longer, valid" in texts(opened(f"guess {n}"))
    assert "Too many wrong invite links" in texts(opened("guess"))
    assert "Too many wrong invite links" in texts(opened(token))
    rate(working, 1, 1, 1)
    assert "Exercise saved." in texts(working)


@pytest.mark.usefixtures("plan")
def test_a_study_that_is_closed_or_not_open_says_so(artifacts: Path) -> None:
    token = invite(artifacts, "demo", "ada")
    close_study(artifacts, "demo", by="owner")
    assert "This study is closed" in texts(opened(token))
    open_study(artifacts, "demo", by="owner")
    assert "Before you start" in [heading.value for heading in opened(token).subheader]


def test_the_completion_code_comes_at_the_end_and_is_the_same_again(
    artifacts: Path, plan: StudyPlan
) -> None:
    token = invite(artifacts, "demo", "ada")
    app = agree(opened(token))
    for _ in range(1 + 10):
        rate(app, 1, 1, 1)
    (code,) = [element.value for element in app.code]
    assert [element.value for element in opened(token).code] == [code]
    assert plan.seed not in code
    assert f"The study's seal is {plan.seal[:12]}" in texts(app)
    session.open_store(artifacts).publish("demo")
    assert f"ada: 10 of 10 rated, 0 skipped, completion code {code}" in "\n".join(
        status(artifacts, "demo").lines()
    )


@pytest.mark.usefixtures("plan")
def test_who_skipped_more_than_half_gets_no_code_before_rating_some(artifacts: Path) -> None:
    app = agree(opened(invite(artifacts, "demo", "ada")))
    rate(app, 1, 1, 1)  # the exercise counts for nothing
    for _ in range(4):
        rate(app, 1, 1, 1)
    for _ in range(6):
        press(app, "Skip")
    assert "You rated 4 of 10 items" in texts(app)
    assert COMPLETE_RULE in texts(app)
    assert app.code.len == 0
    press(app, "Go to the first skipped item")
    for question in app.button_group:
        question.set_value(2)
    press(app, "Save the change")
    assert app.code.len == 1
    notes = session.open_store(artifacts)._rows("SELECT kind FROM notes")
    assert notes.count(("completed",)) == 1
