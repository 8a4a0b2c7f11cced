"""Every page in a real browser, for every state of a run, on a screen and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage, wait_until_ready

pytestmark = pytest.mark.browser

PAGES = ("overview", "training", "weight-space", "live")
ADDRESSES = {"overview": ""}


def address(site: str, page: str, query: str = "") -> str:
    return f"{site}/{ADDRESSES.get(page, page)}{query}"


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("run", ["finished", "running", "died"])
def test_a_page_is_complete_and_without_complaints(
    watched: OpenPage, site: str, name: str, run: str
) -> None:
    seen = watched(site)
    page = seen.open(address(site, name, f"?run={run}"))
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 844})
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 390
    assert seen.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_without_runs_a_page_names_the_next_command(
    watched: OpenPage, empty_site: str, name: str
) -> None:
    seen = watched(empty_site)
    page = seen.open(address(empty_site, name))
    expect(page.get_by_text("make demo")).to_be_visible()
    assert seen.complaints == []


def test_the_run_and_the_selection_go_along_from_page_to_page(
    watched: OpenPage, site: str
) -> None:
    seen = watched(site)
    page = seen.open(address(site, "weight-space", "?run=finished&w=0.5,0.5,0.5"))
    page.get_by_role("link", name="Live ensemble").click()
    expect(page.locator("h1")).to_have_text("Live ensemble")
    wait_until_ready(page)
    expect(page.get_by_text("These weights are evaluated: 0.5,0.5,0.5")).to_be_visible()
    expect(page).to_have_url(f"{site}/live?run=finished&w=0.5%2C0.5%2C0.5")
    assert seen.complaints == []


def test_another_run_is_chosen_in_the_side_bar(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(address(site, "overview", "?run=finished&w=0.5,0.5,0.5"))
    page.get_by_role("combobox", name="Run").click()
    page.get_by_role("option", name="two-objectives").click()
    expect(page.locator("h3", has_text="two-objectives")).to_be_visible()
    expect(page).to_have_url(f"{site}/?run=two-objectives")


@pytest.mark.parametrize("name", ["training", "weight-space", "live"])
def test_generated_text_is_shown_as_text(watched: OpenPage, site: str, name: str) -> None:
    seen = watched(site)
    page = seen.open(address(site, name, "?run=finished"))
    if name != "training":
        expect(page.get_by_test_id("stText").first).to_contain_text("<script>document.title=")
        expect(page.get_by_test_id("stText").first).to_contain_text("**bold** $x$")
    assert page.title() != "owned"
    assert seen.complaints == []


@pytest.mark.parametrize("run", ["..%2F..%2Fetc", "%3Cscript%3E", "absent"])
def test_a_bad_run_in_the_url_is_answered_in_words(watched: OpenPage, site: str, run: str) -> None:
    seen = watched(site)
    page = seen.open(address(site, "overview", f"?run={run}"))
    expect(page.get_by_test_id("stAlert")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
