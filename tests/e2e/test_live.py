"""The live page in a real browser, answered by a formula."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage, wait_until_ready

pytestmark = pytest.mark.browser


def test_moving_a_slider_changes_the_answer_and_the_link(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/live?run=finished&w=0,1,0&prompt=2")
    answer = page.locator(".st-key-ensemble-response")
    before = answer.inner_text()
    page.get_by_role("slider").first.press("End")
    expect(page).to_have_url(f"{site}/live?run=finished&w=1%2C1%2C0&prompt=2")
    expect(answer).not_to_have_text(before, use_inner_text=True)
    assert seen.complaints == []


def test_a_link_opens_the_same_view_for_somebody_else(watched: OpenPage, site: str) -> None:
    first = watched(site).open(f"{site}/live?run=finished&w=0.5,1,0.25")
    first.get_by_role("radio", name="your own").or_(
        first.get_by_role("button", name="your own")
    ).first.click()
    field = first.get_by_label("Your own prompt")
    field.fill("I miss my brother 😀 <b>so</b> much")
    field.press("Control+Enter")
    answer = first.locator(".st-key-ensemble-response")
    expect(answer).to_contain_text("I miss my brother 😀 <b>so</b> much")
    wait_until_ready(first)
    second = watched(site).open(first.url)
    expect(second.get_by_label("Your own prompt")).to_have_value(
        "I miss my brother 😀 <b>so</b> much"
    )
    assert second.locator(".st-key-ensemble-response").inner_text() == answer.inner_text()


def test_the_members_stand_beside_the_ensemble(watched: OpenPage, site: str) -> None:
    page = watched(site).open(f"{site}/live?run=finished")
    for name in ("Ensemble", "Base", "Only reflection", "Only empathy", "Only fluency"):
        expect(page.get_by_text(name, exact=True)).to_be_visible()


def test_a_run_in_training_says_which_adapters_are_missing(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/live?run=training")
    expect(page.get_by_text("not trained yet: empathy, fluency")).to_be_visible()
    assert seen.complaints == []
