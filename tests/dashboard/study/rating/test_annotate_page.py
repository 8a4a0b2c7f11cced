"""The Annotate page: blind, one row per question, an honest word about every click."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from emorl.errors import DiskError
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.rating import session
from emorl_dashboard.study.records.store import AnnotationStore
from tests.dashboard.study.samples import SYSTEMS, sealed, system_sources, write_finished_run
from tests.support.synthetic import HOSTILE

pytestmark = pytest.mark.slow

TEXTS = {system: [f"Answer {n}", f"Reply {n}"] for n, system in enumerate(SYSTEMS)}
WORDS_OF_SYSTEMS = re.compile(r"adapter|\bbase\b|\bbest\b|0\.9375|0\.59375|0\.1234|greedy")


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    monkeypatch.setattr("emorl_dashboard.study.rating.desk.DOUBLE_CLICK_SECONDS", 0.0)
    yield tmp_path
    st.cache_resource.clear()


@pytest.fixture
def plan(artifacts: Path) -> StudyPlan:
    write_finished_run(artifacts, TEXTS)
    return sealed(artifacts)


def page() -> None:
    from emorl_dashboard.views import annotate

    annotate.render()


def opened(**query: str) -> AppTest:
    app = AppTest.from_function(page, default_timeout=20)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def work(annotator: str = "ada") -> AppTest:
    return opened(study="demo", annotator=annotator)


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception
    return app


def rate(app: AppTest, *values: int, save: str = "Save and go on") -> AppTest:
    for question, value in zip(app.button_group, values, strict=True):
        question.set_value(value)
    return press(app, save)


def texts(app: AppTest) -> str:
    kinds = (app.text, app.caption, app.markdown, app.error, app.warning, app.info, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def done(app: AppTest) -> str:
    (bar,) = app.get("progress")
    return str(bar.proto.text)


def rows(artifacts: Path, annotator: str = "ada") -> list[dict[str, Any]]:
    store = session.open_store(artifacts)
    return [
        row
        for code in store.states("demo", annotator)
        for row in store.history("demo", annotator, code)
    ]


def emitted(app: AppTest) -> str:
    """Return all that the page sends to a browser: every element with its id, and the URL."""
    protos = [str(getattr(element, "proto", "")) for element in app.main] + [
        str(getattr(block, "proto", "")) for block in _blocks(app.main)
    ]
    assert protos
    return "\n".join([*protos, str(app.query_params)])


def _blocks(block: Any) -> Iterator[Any]:
    for child in getattr(block, "children", {}).values():
        yield child
        yield from _blocks(child)


def test_without_a_study_the_page_says_where_they_come_from() -> None:
    assert "start on the Study page" in texts(opened())


@pytest.mark.usefixtures("plan")
def test_a_name_is_enough_where_the_study_needs_no_invite() -> None:
    app = opened()
    app.text_input[0].set_value(" Ada ")
    press(app, "Start")
    assert done(app) == "0 of 10 of yours done"
    assert app.query_params["annotator"] == "ada"
    assert app.query_params["study"] == "demo"


@pytest.mark.usefixtures("plan")
def test_nothing_is_preselected() -> None:
    assert [question.value for question in work().button_group] == [None, None, None]


def test_one_annotation_is_one_row_per_question(artifacts: Path, plan: StudyPlan) -> None:
    app = rate(work(), 2, 0, 1)
    stored = rows(artifacts)
    assert [(row["criterion"], row["value"], row["label"]) for row in stored] == [
        ("reflection", 2, "Complex"),
        ("empathy", 0, "None"),
        ("fluency", 1, "Awkward"),
    ]
    assert {row["item_code"] for row in stored} < {item.code for item in plan.items}
    assert done(app).startswith("1 of 10 of yours done")
    assert "Saved item 1." in texts(app)
    assert [question.value for question in app.button_group] == [None, None, None]


@pytest.mark.usefixtures("plan")
def test_an_open_question_is_named_and_nothing_is_stored(artifacts: Path) -> None:
    app = work()
    app.button_group[0].set_value(2)
    press(app, "Save and go on")
    assert "Not saved yet: rate empathy and fluency too." in texts(app)
    assert rows(artifacts) == []
    assert app.button_group[0].value == 2


@pytest.mark.usefixtures("plan")
def test_a_failed_save_keeps_the_answers_and_offers_to_try_again(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise DiskError("No room left.")

    app = work()
    with monkeypatch.context() as patch:
        patch.setattr(AnnotationStore, "record", refuse)
        rate(app, 2, 1, 0)
    assert app.error[0].value == "Not saved. Your answers are still here: try again."
    assert "No room left." in [text.value for text in app.text]
    assert "Saved" not in done(app)
    assert [question.value for question in app.button_group] == [2, 1, 0]
    press(app, "Try again")
    assert [row["value"] for row in rows(artifacts)] == [2, 1, 0]


@pytest.mark.usefixtures("plan")
def test_back_shows_the_earlier_answer_and_saves_the_change(artifacts: Path) -> None:
    app = press(rate(work(), 2, 1, 0), "Back")
    assert [question.value for question in app.button_group] == [2, 1, 0]
    rate(app, 2, 1, 1, save="Save the change")
    assert [row["value"] for row in rows(artifacts)] == [2, 1, 0, 2, 1, 1]
    assert done(app).startswith("1 of 10 of yours done")


@pytest.mark.usefixtures("plan")
def test_reloading_resumes_at_the_first_item_without_an_answer() -> None:
    app = rate(rate(work(), 2, 2, 2), 1, 1, 1)
    again = work()
    assert done(again) == "2 of 10 of yours done"
    assert [text.value for text in again.text] == [text.value for text in app.text]
    assert "Item 3 of 10" in texts(again)


@pytest.mark.usefixtures("plan")
def test_another_annotator_begins_at_nothing_with_the_same_items() -> None:
    rate(work(), 2, 2, 2)
    assert done(work("bob")) == "0 of 10 of yours done"


@pytest.mark.usefixtures("plan")
def test_the_end_thanks_counts_the_skipped_and_leads_back_to_them(artifacts: Path) -> None:
    app = press(work(), "Skip")
    for _ in range(9):
        rate(app, 1, 1, 1)
    assert "You rated 9 of 10 items" in texts(app)
    assert "9 of 10 of yours done, 1 skipped" in done(app)
    press(app, "Go to the first skipped item")
    rate(app, 0, 0, 0, save="Save the change")
    assert "You rated 10 of 10 items" in texts(app)
    assert len(rows(artifacts)) == 33


def test_nothing_the_page_emits_names_a_system_weights_or_scores(plan: StudyPlan) -> None:
    app = opened(study="demo", annotator="ada", w="0.9375,0.59375,0.09375")
    pages = [emitted(app)]
    for _ in plan.items:
        rate(app, 1, 1, 1)
        pages.append(emitted(app))
    press(app, "Back to the last item")
    pages.append(emitted(app))
    everything = "\n".join(pages)
    # The pages hold texts, and widget ids with their keys: the search below sees both.
    assert all(item.response in everything and item.code in everything for item in plan.items)
    assert WORDS_OF_SYSTEMS.findall(everything) == []
    assert plan.seed not in everything


def test_the_guard_above_would_see_a_system(plan: StudyPlan) -> None:
    leaks = ["adapter:empathy", "base", "best", "0.9375"]
    assert [bool(WORDS_OF_SYSTEMS.search(f'key: "x-{leak}-y"')) for leak in leaks] == [True] * 4
    assert WORDS_OF_SYSTEMS.search(str(plan.items))


def test_hostile_text_is_shown_as_it_is(artifacts: Path) -> None:
    write_finished_run(artifacts, {"base": [HOSTILE]}, prompts=[HOSTILE])
    sealed(artifacts, sources=system_sources("base"))
    app = work()
    assert [text.value for text in app.text][1:3] == [HOSTILE, HOSTILE]
    assert HOSTILE not in "\n".join(str(element.value) for element in app.markdown)


def test_an_empty_response_says_so(artifacts: Path) -> None:
    write_finished_run(artifacts, {"base": [" \n"]})
    sealed(artifacts, sources=system_sources("base"))
    assert "The response is empty." in texts(work())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"study": "other", "annotator": "ada"}, "no sealed study 'other'; there are: demo"),
        ({"study": "../x", "annotator": "ada"}, "'../x' is no name of a study"),
        ({"study": "demo", "annotator": "<b>x</b>"}, "A name has 1 to 40 letters"),
        ({"study": "demo", "annotator": "a" * 500}, "A name has 1 to 40 letters"),
        ({"study": "demo", "annotator": "x\x00"}, "A name has 1 to 40 letters"),
    ],
)
@pytest.mark.usefixtures("plan")
def test_a_wrong_link_says_what_is_wrong_and_leads_to_the_entrance(
    query: dict[str, str], said: str
) -> None:
    app = opened(**query)
    assert said in app.text[0].value
    assert "Start" in [button.label for button in app.button]


@pytest.mark.usefixtures("plan")
def test_a_changed_plan_stops_the_study_with_a_message(artifacts: Path) -> None:
    path = artifacts / "studies" / "demo" / "plan.json"
    path.write_text(path.read_text(encoding="utf-8").replace("Answer 0", "Answer 9"), "utf-8")
    assert "no longer matches its seal" in texts(work())


@pytest.mark.usefixtures("plan")
def test_beside_another_dashboard_the_page_says_so(artifacts: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from emorl_dashboard.study.records.store import AnnotationStore\n"
        "store = AnnotationStore(Path(sys.argv[1])); print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(artifacts / "studies")],
        cwd=Path(__file__).resolve().parents[4],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        assert "Another dashboard has" in texts(work())
        other.communicate("done\n", timeout=60)
    assert done(work()) == "0 of 10 of yours done"


@pytest.mark.usefixtures("plan")
def test_leaving_asks_for_a_name_again_and_keeps_the_answers(artifacts: Path) -> None:
    app = press(rate(work(), 2, 2, 2), "Leave")
    assert "Start" in [button.label for button in app.button]
    assert "annotator" not in app.query_params
    assert len(rows(artifacts)) == 3
