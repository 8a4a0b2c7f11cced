"""Rating in a real browser: keys, mouse, double click, reload, phone, hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.study.blinding import presentation_order
from dashboard.study.creation import create_study
from dashboard.study.plan import StudyPlan
from tests.e2e.conftest import OpenPage, Watched, serve, wait_until_ready
from tests.synthetic import HOSTILE, write_artifacts

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Study:
    """A served dashboard with one sealed study."""

    url: str
    artifacts: Path
    plan: StudyPlan

    def link(self, annotator: str) -> str:
        return f"{self.url}/annotate?study={self.plan.study_id}&annotator={annotator}"

    def events(self, annotator: str) -> list[dict[str, Any]]:
        """Read what was stored from the snapshot: the dashboard holds the database."""
        published = self.artifacts / "studies" / self.plan.study_id / "published"
        rows: list[dict[str, Any]] = pq.read_table(published / "rating_events.parquet").to_pylist()
        return [row for row in rows if row["annotator"] == annotator]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    artifacts = write_artifacts(tmp_path_factory.mktemp("studied"), ["finished"])
    plan = create_study(artifacts, "finished", seed="browser tests")
    log = tmp_path_factory.mktemp("log") / "annotate.log"
    with serve(artifacts, log) as url:
        yield Study(url, artifacts, plan)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def enter(watched: OpenPage, study: Study, annotator: str, **size: int) -> Watched:
    seen = watched(study.url, **size)
    seen.open(study.link(annotator))
    seen.page.wait_for_selector("[data-keys=ready]")
    return seen


def question(page: Page, name: str) -> Locator:
    return page.get_by_role("radiogroup", name=name)


def chosen(page: Page) -> Locator:
    return page.locator('[role="radio"][aria-checked="true"]')


def answer_by_mouse(page: Page) -> None:
    for name, level in (("Reflection", "Simple"), ("Empathy", "Advanced"), ("Fluency", "Poor")):
        question(page, name).get_by_role("radio", name=level).click()
    expect(chosen(page)).to_have_count(3)


def save(page: Page) -> Locator:
    return page.get_by_role("button", name="Save and go on")


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
    expect(page.get_by_text("1 of 36 done")).to_be_visible()
    expect(chosen(page)).to_have_count(0)
    answer_by_mouse(page)
    save(page).click()
    expect(page.get_by_text("2 of 36 done")).to_be_visible()
    order = presentation_order(study.plan.seed, "ada", (item.code for item in study.plan.items))
    assert [(row["item_code"], row["criterion"], row["value"]) for row in study.events("ada")] == [
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
    expect(page.get_by_text("1 of 36 done")).to_be_visible()
    wait_until_ready(page)
    assert len(study.events("dora")) == 3
    expect(page.get_by_text("Item 2 of 36")).to_be_visible()


def test_a_double_click_on_skip_skips_one_item(watched: OpenPage, study: Study) -> None:
    page = enter(watched, study, "sue").page
    page.get_by_role("button", name="Skip").dblclick()
    expect(page.get_by_text("0 of 36 done, 1 skipped")).to_be_visible()
    wait_until_ready(page)
    assert [row["kind"] for row in study.events("sue")] == ["skip"] * 3


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
    for key in "222":
        page.keyboard.press(key)
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


def test_the_page_and_its_url_name_no_system(watched: OpenPage, study: Study) -> None:
    seen = watched(study.url)
    page = seen.open(f"{study.link('eve')}&run=finished&w=0.9375,0.59375,0.09375")
    answer_by_mouse(page)
    save(page).click()
    expect(page.get_by_text("Item 2 of 36")).to_be_visible()
    html = page.content()
    for item in study.plan.items:
        for system in item.systems:
            if system.startswith("adapter:"):
                assert system not in html
    assert "0.9375" not in html
    assert "0.9375" not in page.url
    assert study.plan.seed not in html


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
