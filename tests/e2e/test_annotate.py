"""Rating in a real browser: keys, mouse, double click, reload, phone, hostile text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocket, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from emorl_dashboard.study.custody.invites import invite
from emorl_dashboard.study.protocol.blinding import presentation_order
from emorl_dashboard.study.protocol.plan import StudyPlan, read_plan
from emorl_dashboard.study.rating.desk import DOUBLE_CLICK_SECONDS
from tests.benchmarks.streamlit_client import Tab
from tests.dashboard.study.samples import sealed, system_sources
from tests.e2e.annotating import (
    agree,
    answer_by_mouse,
    chosen,
    published_events,
    question,
    save,
    save_and_wait,
    type_keys,
    until,
    wait_for_keys,
)
from tests.e2e.conftest import OpenPage, Watched, serve, wait_until_ready
from tests.e2e.wire import Wire, wired
from tests.support.synthetic import HOSTILE, write_artifacts

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Study:
    """A served dashboard with one sealed study."""

    url: str
    artifacts: Path
    plan: StudyPlan

    def link(self, annotator: str) -> str:
        return f"{self.url}/annotate?study={self.plan.study_id}&annotator={annotator}"

    def events(self, annotator: str, n_events: int, study_id: str = "") -> list[dict[str, Any]]:
        """Read what was stored from the snapshot: the dashboard holds the database.

        Snapshots follow two seconds behind: look until there are as many as expected.
        """
        until(lambda: len(self.rows(annotator, study_id)) >= n_events)
        return self.rows(annotator, study_id)

    def rows(self, annotator: str, study_id: str = "") -> list[dict[str, Any]]:
        """Return the published events of an annotator."""
        return published_events(self.artifacts, study_id or self.plan.study_id, annotator)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    artifacts = write_artifacts(tmp_path_factory.mktemp("studied"), ["finished"])
    names = ("base", "adapter:reflection", "adapter:empathy", "adapter:fluency", "best")
    sources = system_sources(*names, run_id="finished")
    plan = sealed(artifacts, "finished", seed="browser tests", sources=sources)
    sealed(
        artifacts,
        study_id="invited",
        sources=sources,
        requires_invite=True,
        n_annotators=4,
        n_practice=1,
    )
    log = tmp_path_factory.mktemp("log") / "annotate.log"
    with serve(artifacts, log) as url:
        yield Study(url, artifacts, plan)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def enter(watched: OpenPage, study: Study, annotator: str, **size: int) -> Watched:
    seen = watched(study.url, **size)
    seen.open(study.link(annotator))
    wait_for_keys(seen.page)
    return seen


def complaints(seen: Watched) -> list[str]:
    # Opened below the root, Streamlit looks for its server at /annotate/_stcore first: a 404.
    return [complaint for complaint in seen.complaints if "404 (Not Found)" not in complaint]


def test_two_items_are_rated_by_keyboard_and_mouse(watched: OpenPage, study: Study) -> None:
    seen = enter(watched, study, "ada")
    page = seen.page
    expect(chosen(page)).to_have_count(0)
    for key, name in (("2", "Reflection"), ("0", "Empathy"), ("1", "Fluency")):
        page.keyboard.press(key)
        expect(question(page, name).locator('[aria-checked="true"]')).to_contain_text(key)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved item 1.").first).to_be_visible()
    expect(page.get_by_text("1 of 36 of yours done")).to_be_visible()
    expect(chosen(page)).to_have_count(0)
    answer_by_mouse(page)
    save(page).click()
    expect(page.get_by_text("2 of 36 of yours done")).to_be_visible()
    order = presentation_order(study.plan.seed, "ada", (item.code for item in study.plan.items))
    assert [
        (row["item_code"], row["criterion"], row["value"]) for row in study.events("ada", 6)
    ] == [
        (order[0], "reflection", 2),
        (order[0], "empathy", 0),
        (order[0], "fluency", 1),
        (order[1], "reflection", 1),
        (order[1], "empathy", 2),
        (order[1], "fluency", 0),
    ]
    assert complaints(seen) == []


def test_a_double_click_on_save_stores_one_answer(watched: OpenPage, study: Study) -> None:
    page = enter(watched, study, "dora").page
    answer_by_mouse(page)
    save(page).dblclick()
    expect(page.get_by_text("1 of 36 of yours done")).to_be_visible()
    wait_until_ready(page)
    assert len(study.events("dora", 3)) == 3
    expect(page.get_by_text("Item 2 of 36")).to_be_visible()


def test_a_double_click_on_skip_skips_one_item(watched: OpenPage, study: Study) -> None:
    page = enter(watched, study, "sue").page
    page.get_by_role("button", name="Skip").dblclick()
    expect(page.get_by_text("0 of 36 of yours done, 1 skipped")).to_be_visible()
    wait_until_ready(page)
    assert [row["kind"] for row in study.events("sue", 3)] == ["skip"] * 3


def test_reloading_resumes_and_back_shows_the_earlier_answer(
    watched: OpenPage, study: Study
) -> None:
    page = enter(watched, study, "rae").page
    answer_by_mouse(page)
    save(page).click()
    expect(page.get_by_text("Item 2 of 36")).to_be_visible()
    page.reload()
    wait_until_ready(page)
    expect(page.get_by_text("Item 2 of 36")).to_be_visible()
    expect(chosen(page)).to_have_count(0)
    page.keyboard.press("b")
    expect(page.get_by_text("Item 1 of 36")).to_be_visible()
    expect(chosen(page)).to_have_text(["1 · Simple", "2 · Advanced", "0 · Poor"])


def test_an_open_question_is_named_and_keeps_the_other_answers(
    watched: OpenPage, study: Study
) -> None:
    page = enter(watched, study, "ole").page
    question(page, "Empathy").get_by_role("radio", name="Basic").click()
    save(page).click()
    expect(
        page.get_by_text("Not saved yet: rate reflection and fluency too.").first
    ).to_be_visible()
    expect(chosen(page)).to_have_text(["1 · Basic"])


def test_a_key_answers_the_question_that_holds_the_keyboard_focus(
    watched: OpenPage, study: Study
) -> None:
    page = enter(watched, study, "tab").page
    type_keys(page, "222")
    expect(chosen(page)).to_have_count(3)
    save(page).focus()
    page.keyboard.press("Shift+Tab")  # back into the last question
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    focused = page.evaluate(
        "document.activeElement.closest('[role=radiogroup]')?.getAttribute('aria-label')"
    )
    assert focused is not None
    page.keyboard.press("0")
    group = page.get_by_role("radiogroup", name=focused)
    expect(group.locator('[aria-checked="true"]')).to_contain_text("0")
    expect(chosen(page).filter(has_text="2")).to_have_count(2)


def test_a_phone_shows_the_form_without_sideways_scrolling(
    watched: OpenPage, study: Study
) -> None:
    seen = enter(watched, study, "pia", width=390, height=844)
    page = seen.page
    expect(chosen(page)).to_have_count(0)
    wide = page.evaluate(
        "[...document.querySelectorAll('[data-testid=stMain] *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1 && e.offsetWidth > 1)"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    assert wide == []
    for choice in page.get_by_role("radio").all():
        box = choice.bounding_box()
        assert box is not None
        assert box["height"] >= 24  # WCAG 2.2, target size (minimum)
    answer_by_mouse(page)
    save(page).click()
    expect(page.get_by_text("Item 2 of 36")).to_be_in_viewport()
    assert complaints(seen) == []


def test_hostile_text_is_shown_literally_and_runs_nothing(watched: OpenPage, study: Study) -> None:
    codes = [item.code for item in study.plan.items]
    hostile = {item.code for item in study.plan.items if item.prompt == HOSTILE}
    annotator = next(
        name
        for name in (f"person{n}" for n in range(500))
        if presentation_order(study.plan.seed, name, codes)[0] in hostile
    )
    seen = enter(watched, study, annotator)
    shown = seen.page.locator('[class*="st-key-annotate-item-"] [data-testid="stText"]')
    expect(shown.first).to_contain_text("<script>document.title='owned'</script> **bold** $x$")
    expect(shown.nth(1)).to_contain_text('<img src=x onerror="document.title=')
    assert "owned" not in seen.page.title()
    assert complaints(seen) == []


def invited(watched: OpenPage, study: Study, annotator: str, **size: int) -> Watched:
    """Open the link of a new invite and agree."""
    token = invite(study.artifacts, "invited", annotator)
    seen = watched(study.url, **size)
    page = seen.open(f"{study.url}/annotate?invite={token}&run=finished&w=0.9375,0.59375,0.09375")
    agree(page)
    return seen


def test_nothing_that_reaches_an_annotator_names_a_system_weights_or_scores(
    watched: OpenPage, study: Study
) -> None:
    """Every byte counts: HTML, URLs, all messages of the WebSocket, and what is fetched."""
    token = invite(study.artifacts, "invited", "eve")
    seen = watched(study.url)
    page, received, fetched = seen.page, bytearray(), bytearray()

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: received.extend(_bytes(frame)))

    page.on("websocket", listen)
    page.on("request", lambda request: fetched.extend(request.url.encode()))
    seen.open(f"{study.url}/annotate?invite={token}")
    page.get_by_text("I have read this").click()
    page.get_by_role("button", name="Start").click()
    for word in ("Exercise saved.", "Saved item 1.", "Saved item 2."):
        wait_for_keys(page)
        answer_by_mouse(page)
        save_and_wait(page, word)  # until then the old item's form is still there to be clicked
    # Other pages do not exist for this tab, whatever its address says.
    for path in ("weight-space", "results", "study", ""):
        page.goto(f"{study.url}/{path}?invite={token}&run=finished")
        wait_until_ready(page)
        expect(page.get_by_role("heading", name="Annotate")).to_be_visible()
    everything = (bytes(received) + bytes(fetched) + page.content().encode()).lower()
    plan = read_plan(study.artifacts, "invited")
    shown = [item for item in plan.items if item.code.encode() in everything]
    assert len(shown) >= 3  # the guard sees what is sent
    weights = next(system.weights for system in plan.systems if system.name == "base")
    assert weights is None
    secrets = [
        *(b"adapter:", b"adapters", b"weight space", b"0.9375", b"0.59375"),
        *(b"mean reward", b"run picker", b"two-objectives"),
        plan.seed.encode(),
    ]
    assert [secret for secret in secrets if secret in everything] == []
    assert not re.search(rb'"(base|best)"|system[^a-z]{1,4}(base|best)', everything)


def _bytes(frame: str | bytes) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode()


def test_keyboard_alone_leads_from_the_first_answer_through_undo_to_a_comment(
    watched: OpenPage, study: Study
) -> None:
    page = invited(watched, study, "kim").page
    for _ in range(2):
        type_keys(page, "120")
        expect(chosen(page)).to_have_count(3)
        save_and_wait(page, "aved ", by_key=True)  # an exercise, then an item
        expect(chosen(page)).to_have_count(0)
    expect(page.get_by_text("Item 2 of")).to_be_visible()
    form = wait_for_keys(page)
    page.keyboard.press("u")
    expect(page.get_by_text("Your answer was taken back.").first).to_be_visible()
    wait_for_keys(page, after=form)
    expect(page.get_by_text("Item 1 of")).to_be_visible()
    wait_until_ready(page)
    page.keyboard.press("c")
    field = page.get_by_label("Comment on this item")
    expect(field).to_be_focused()
    page.keyboard.type("200 words, cut off")
    expect(chosen(page)).to_have_count(0)  # digits in the comment answer no question
    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.blur()")
    type_keys(page, "222")
    expect(chosen(page)).to_have_count(3)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved item 1.").first).to_be_visible()
    # An exercise, an answer, its withdrawal, and the new answer: three criteria each.
    rows = study.events("kim", 12, "invited")
    assert [row["kind"] for row in rows[3::3]] == ["rating", "withdrawn", "rating"]
    published = study.artifacts / "studies" / "invited" / "published" / "notes.parquet"
    assert until(published.is_file)


def test_a_cut_network_loses_and_doubles_nothing_and_the_page_claims_nothing(
    watched: OpenPage, study: Study
) -> None:
    with wired(study.url) as wire:
        page = enter(watched, replace(study, url=wire.site), "net").page
        answer_by_mouse(page)
        # The click arrives, the answer to it does not: stored, and not called saved.
        wire.loses_answers = True
        save(page).click()
        assert len(study.events("net", 3)) == 3
        expect(page.get_by_text("Saved item 1.")).to_have_count(0)
        wire.cut()
        expect(save(page)).to_be_disabled()
        wire.mend()
        expect(page.get_by_text("1 of 36 of yours done")).to_be_visible()
        wait_until_ready(page)
        # Cut before the click: nothing can be clicked, and nothing that was chosen is lost.
        answer_by_mouse(page)
        wire.cut()
        expect(save(page)).to_be_disabled()
        save(page).click(force=True)
        wire.mend()
        expect(save(page)).to_be_enabled()
        expect(chosen(page)).to_have_count(3)
        expect(page.get_by_text("Saved item 2.")).to_have_count(0)
        save_and_wait(page, "Saved item 2.")
        expect(page.get_by_text("2 of 36 of yours done")).to_be_visible()
        _type_ahead(page, wire)
    rows = study.events("net", 12)
    assert [row["value"] for row in rows] == [*[1, 2, 0] * 2, *[0, 1, 2] * 2]
    assert len({row["item_code"] for row in rows}) == 4


# In the page, as a busy machine would make pauses between keys that come from outside of it.
TYPE_UNTIL = """words => {
    let more = 10;
    const type = () => {
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "1", bubbles: true }));
        if (!document.body.textContent.includes(words) || more-- > 0) requestAnimationFrame(type);
    };
    type();
}"""


def _type_ahead(page: Page, wire: Wire) -> None:
    """Type for an item before it is there: neither it nor the one before gets any of it.

    Of digits that came while the form changed the first was lost, and the second was taken as the
    answer to the first question.
    """
    form = wait_for_keys(page)
    type_keys(page, "01")
    # Sooner after a save it would count as the second half of a double click.
    page.wait_for_timeout(1000 * DOUBLE_CLICK_SECONDS)
    with wire.held_up():  # a question is open: Save is refused, but nobody knows that so far
        type_keys(page, ["Enter", "0"])
    expect(page.get_by_text("Not saved yet: rate fluency too.").first).to_be_visible()
    wait_for_keys(page)
    assert [text[0] for text in chosen(page).all_inner_texts()] == ["0", "1"]
    type_keys(page, "2")
    with wire.held_up():
        page.keyboard.press("Enter")
        page.evaluate(TYPE_UNTIL, "Item 4 of 36")
    expect(page.get_by_text("Item 4 of 36")).to_be_visible()
    wait_for_keys(page, after=form)
    expect(chosen(page)).to_have_count(0)
    type_keys(page, "012")
    save_and_wait(page, "Saved item 4.", by_key=True)


def test_a_click_that_arrives_twice_or_comes_again_from_elsewhere_is_one_answer(
    watched: OpenPage, study: Study
) -> None:
    clicks: list[bytes] = []
    with wired(study.url) as wire:
        seen = watched(wire.site)
        seen.page.on(
            "websocket",
            lambda one: one.on("framesent", lambda frame: clicks.append(_bytes(frame))),
        )
        page = seen.open(replace(study, url=wire.site).link("rep"))
        wait_for_keys(page)
        answer_by_mouse(page)
        wait_until_ready(page)
        wire.stutters = True
        del clicks[:]
        save(page).click()
        expect(page.get_by_text("Saved item 1.").first).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="Saved item 1.")).to_have_count(1)
        wait_until_ready(page)
        wire.mend()
        expect(page.get_by_text("Item 2 of 36")).to_be_visible()
    click = next(one for one in map(_rerun, clicks) if any(map(_is_click, one.values())))
    # Somebody sends the recorded message from a session of their own, twice.
    other = Tab(study.url, f"study={study.plan.study_id}&annotator=rep")
    other.rerun(click, times=2)
    assert other.seen.says("1 of 36 of yours done")
    other.close()
    rows = study.events("rep", 3)
    assert [row["value"] for row in rows] == [1, 2, 0]


def _is_click(state: list[str] | bool | None) -> bool:
    return state is None


def _rerun(frame: bytes) -> dict[str, list[str] | bool | None]:
    """Return the widget states of a recorded message; None is a click."""
    states: dict[str, list[str] | bool | None] = {}
    for widget in BackMsg.FromString(frame).rerun_script.widget_states.widgets:
        kind = widget.WhichOneof("value")
        if kind == "trigger_value":
            states[widget.id] = None
        elif kind == "string_array_value":
            states[widget.id] = list(widget.string_array_value.data)
    return states


def test_a_stale_tab_leaves_one_answer(watched: OpenPage, study: Study) -> None:
    page = enter(watched, study, "two").page
    second = enter(watched, study, "two").page  # the same item in another tab
    answer_by_mouse(page)
    save(page).click()
    expect(page.get_by_text("Saved item 1.").first).to_be_visible()
    # The other tab is stale: it still shows item 1. Its answer is a change of the same item.
    answer_by_mouse(second)
    question(second, "Fluency").get_by_role("radio", name="Natural").click()
    save(second).click()
    expect(second.get_by_text("Item 2 of 36")).to_be_visible()
    expect(second.get_by_text("1 of 36 of yours done")).to_be_visible()
    rows = study.events("two", 6)
    assert len({row["item_code"] for row in rows}) == 1
    assert [row["value"] for row in rows if row["criterion"] == "fluency"] == [0, 2]


def test_the_entrance_takes_a_name_and_says_it_is_no_password(
    watched: OpenPage, study: Study
) -> None:
    seen = watched(study.url)
    page = seen.open(f"{study.url}/annotate")
    expect(page.get_by_text("This is a name, not a password")).to_be_visible()
    page.get_by_label("Your name").fill("No/Name")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("A name has 1 to 40 letters")).to_be_visible()
    page.get_by_label("Your name").fill("Grace Hopper")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Item 1 of 36")).to_be_visible()
    assert "annotator=grace-hopper" in page.url
    assert complaints(seen) == []
