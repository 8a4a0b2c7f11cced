"""A study in a real browser: planned and sealed by its owner, begun by link, rated in pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from emorl_dashboard.study.custody.invites import invite
from emorl_dashboard.study.protocol.plan import StudyPlan, read_plan
from tests.dashboard.study.samples import sealed, system_sources, write_finished_run
from tests.e2e.annotating import (
    agree,
    chosen,
    published_events,
    question,
    save,
    save_and_wait,
    type_keys,
    until,
)
from tests.e2e.conftest import OpenPage, serve, wait_until_ready

pytestmark = pytest.mark.browser

SYSTEMS = ("base", "adapter:empathy", "best")
N_PROMPTS = 12
WORDS = ("so tired of it", "proud all the same", "torn in two", "glad to be heard")

# The best ensemble names itself once; two systems say the same once; one response is empty.
TEXTS = {
    system: [
        f"You feel {WORDS[(place + index) % 4]}, and day {index} {'went on ' * (place + 1)}again."
        for index in range(N_PROMPTS)
    ]
    for place, system in enumerate(SYSTEMS)
}
TEXTS["best"][0] = "You hoped for the best and it came otherwise."
TEXTS["base"][1] = TEXTS["adapter:empathy"][1]
TEXTS["base"][2] = ""


@dataclass(frozen=True)
class Site:
    """A served dashboard with one finished run, and one sealed study of pairs."""

    url: str
    artifacts: Path
    pairs: StudyPlan


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    artifacts = tmp_path_factory.mktemp("owned")
    write_finished_run(artifacts, TEXTS)
    pairs = sealed(
        artifacts,
        study_id="pairs",
        mode="pairwise",
        sources=system_sources("base", "best"),
        requires_invite=True,
        n_practice=1,
    )
    log = tmp_path_factory.mktemp("log") / "study.log"
    with serve(artifacts, log) as url:
        yield Site(url, artifacts, pairs)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def plan_it(page: Page, name: str) -> None:
    page.get_by_label("Name of the study").fill(name)
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_text("Draft: everything can still be changed.")).to_be_visible()
    expect(page.get_by_role("heading", name="Before sealing")).to_be_visible()
    wait_until_ready(page)


def metric(page: Page, label: str) -> str:
    found = page.get_by_test_id("stMetric").filter(has_text=label)
    return found.get_by_test_id("stMetricValue").inner_text()


def test_an_owner_plans_checks_and_seals_a_study_and_an_annotator_begins_by_link(
    watched: OpenPage, served: Site
) -> None:
    seen = watched(served.url)
    page = seen.open(f"{served.url}/study")
    page.get_by_label("Study").first.click()
    page.get_by_role("option", name="New study").click()
    wait_until_ready(page)
    plan_it(page, "pilot")

    # The checks: the power of the plan, leaks, empty and equal responses, balance, the shares.
    # 36 responses, of which two are one item.
    assert metric(page, "Items to rate") == "35"
    assert metric(page, "Systems") == "3"
    assert 0 < float(metric(page, "Smallest difference found")) < 2
    for finding in (
        "The name 'best' stands in 1 response (1 of best)",
        "1 response of base is empty.",
        "1 response the same as another system's to the same prompt",
        "Each annotator gets 43 items; all see every system equally often.",
    ):
        expect(page.get_by_text(finding)).to_be_visible()
    page.get_by_text("Who rates what").click()
    expect(page.get_by_text("Items per annotator and system")).to_be_visible()
    page.get_by_role("button", name="Discard this draft").click()
    expect(page.get_by_text("This cannot be undone.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("This cannot be undone.")).to_be_hidden()

    seal = page.get_by_role("button", name="Seal the study")
    expect(seal).to_be_disabled()
    page.get_by_text("I have read the checks above.").click()
    expect(seal).to_be_enabled()
    seal.click()
    expect(page.get_by_role("heading", name="Invites")).to_be_visible()
    plan = read_plan(served.artifacts, "pilot")
    expect(page.get_by_text(f"seal {plan.seal[:12]}…")).to_be_visible()
    assert any("The name 'best'" in finding for finding in plan.findings)

    page.get_by_label("Code names of annotators").fill("ada")
    page.get_by_role("button", name="Make links").click()
    link = page.get_by_text(re.compile(r"/annotate\?invite=")).inner_text().strip()
    assert link.startswith(f"{served.url}/annotate?invite=")
    assert seen.complaints == []
    _begin(watched, served, link)


def _begin(watched: OpenPage, served: Site, link: str) -> None:
    """Follow an invite in another browser: consent, guidelines, exercises, the first item."""
    page = watched(served.url).open(link)
    expect(page.get_by_role("heading", name="Before you start")).to_be_visible()
    expect(page.get_by_role("heading", name="Guidelines")).to_be_visible()
    expect(page.get_by_role("radio")).to_have_count(0)
    expect(page.get_by_role("button", name="Start")).to_be_disabled()
    agree(page)
    for place in (1, 2, 3):
        expect(page.get_by_text(f"Exercise {place} of 3")).to_be_visible()
        type_keys(page, "012")
        expect(chosen(page)).to_have_count(3)
        save_and_wait(page, "Exercise saved.", by_key=True)
        expect(chosen(page)).to_have_count(0)
    expect(page.get_by_text("Item 1 of 43")).to_be_visible()


def test_a_pair_is_compared_by_keyboard_and_another_by_mouse_each_stored_once(
    watched: OpenPage, served: Site
) -> None:
    seen = watched(served.url)
    token = invite(served.artifacts, "pairs", "pam")
    page = seen.open(f"{served.url}/annotate?invite={token}")
    agree(page)
    expect(page.get_by_text("Exercise 1 of 1")).to_be_visible()
    type_keys(page, "000")
    save_and_wait(page, "Exercise saved.", by_key=True)
    expect(page.get_by_text("Item 1 of 12")).to_be_visible()

    # By keyboard: the first is better, no difference, the second is better.
    shown = [_first_text(page)]
    for key, name in (("1", "Reflection"), ("0", "Empathy"), ("2", "Fluency")):
        page.keyboard.press(key)
        expect(question(page, name).locator('[aria-checked="true"]')).to_contain_text(key)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved item 1.").first).to_be_visible()
    expect(page.get_by_text("Item 2 of 12")).to_be_visible()
    wait_until_ready(page)

    # By mouse: no difference, the second, the first; Save is clicked twice.
    shown.append(_first_text(page))
    for name, side in (
        ("Reflection", "No difference"),
        ("Empathy", "Second"),
        ("Fluency", "First"),
    ):
        question(page, name).get_by_role("radio", name=side).click()
    expect(chosen(page)).to_have_count(3)
    save(page).dblclick()
    expect(page.get_by_text("2 of 12 of yours done")).to_be_visible()
    expect(page.get_by_text("Item 3 of 12")).to_be_visible()

    until(lambda: len(published_events(served.artifacts, "pairs", "pam")) >= 9)
    rows = published_events(served.artifacts, "pairs", "pam")[3:]
    assert [(row["criterion"], row["kind"]) for row in rows] == [
        (name, "rating") for name in ("reflection", "empathy", "fluency")
    ] * 2
    first_1, first_2 = _sides(served.pairs, rows, shown)
    second_1, second_2 = (_other(side) for side in (first_1, first_2))
    meant = [first_1, "tie", second_1, "tie", second_2, first_2]
    labels = {"a": (-1, "a is better"), "tie": (0, "tie"), "b": (1, "b is better")}
    assert [(row["value"], row["label"]) for row in rows] == [labels[side] for side in meant]
    assert seen.complaints == []


def _first_text(page: Page) -> str:
    wait_until_ready(page)
    texts = page.locator('[class*="st-key-annotate-item-"] [data-testid="stText"]')
    expect(texts).to_have_count(3)
    return texts.nth(1).inner_text()


def _sides(plan: StudyPlan, rows: list[dict[str, Any]], shown: list[str]) -> list[str]:
    """Return which response stood first on the page, as the plan names them; check the record."""
    sides = []
    for place, text in enumerate(shown):
        own = rows[3 * place : 3 * place + 3]
        (code,) = {row["item_code"] for row in own}
        item = plan.item(code)
        side = "a" if item.response == text else "b"
        assert text == (item.response if side == "a" else item.other_response)
        assert {row["shown_first"] for row in own} == {side}
        sides.append(side)
    return sides


def _other(side: str) -> str:
    return {"a": "b", "b": "a"}[side]
