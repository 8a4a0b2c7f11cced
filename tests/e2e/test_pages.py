"""Every page in a real browser, for every state of a run, on a screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import TimeoutError, expect

from tests.e2e.conftest import OpenPage, Watched, serve, wait_until_ready
from tests.states import write_states

pytestmark = pytest.mark.browser

FITS_A_PHONE = """() => Math.max(
    document.documentElement.scrollWidth,
    document.querySelector('[data-testid=stMain]').scrollWidth,
) <= 390"""
PAGES = ("overview", "training", "weight-space", "live")
ADDRESSES = {"overview": ""}


def address(site: str, page: str, query: str = "") -> str:
    return f"{site}/{ADDRESSES.get(page, page)}{query}"


@pytest.fixture(scope="module")
def states(
    store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, list[str]]]:
    """A site with a run in every state, and the names of the runs."""
    artifacts = tmp_path_factory.mktemp("states")
    runs = write_states(artifacts, store)
    log = tmp_path_factory.mktemp("log") / "states.log"
    with serve(artifacts, log) as url:
        yield url, list(runs)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_every_state_of_a_run_and_every_page_hold_in_a_browser(
    watched: OpenPage, states: tuple[str, list[str]], empty_site: str
) -> None:
    """Open every state once and every page at least once, on a screen narrowed to a phone.

    ``tests/dashboard/test_states.py`` has the product of all states and all pages.
    """
    site, runs = states
    wide = watched(site)
    page = wide.open(f"{site}/?run={runs[0]}")
    links = page.get_by_test_id("stSidebarNavLink")
    expect(links.first).to_be_visible()
    pages = [str(link.get_attribute("href")) for link in links.all()]
    assert len(pages) >= len(PAGES)
    faults = _faults(watched(empty_site), pages[0], "")
    seen = watched(site)
    for place in range(max(len(runs), len(pages))):
        faults += _faults(seen, pages[place % len(pages)], runs[place % len(runs)])
    assert faults == []


def _faults(seen: Watched, address: str, run: str) -> list[str]:
    """Open a page on a screen, narrow it to a phone, and return what is wrong."""
    seen.page.set_viewport_size({"width": 1440, "height": 1000})
    page, found = seen.page, []
    try:
        seen.open(f"{seen.site}{urlsplit(address).path}" + (f"?run={run}" if run else ""))
    except TimeoutError:
        found.append("not ready in time")
    found += page.get_by_test_id("stException").all_inner_texts()
    page.set_viewport_size({"width": 390, "height": 844})
    try:
        page.wait_for_function(FITS_A_PHONE, timeout=5000)
    except TimeoutError:
        found.append("wider than a phone")
    found += seen.complaints
    seen.complaints.clear()
    return [f"{run or 'no run'}, {address}: {fault}" for fault in found]


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
    page.get_by_role("combobox", name="Run", exact=True).click()
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
