"""Every page in a real browser, for every state of a run, on a screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError, expect

from emorl_dashboard.app import RUN_PAGES, STUDY_PAGES
from tests.e2e.conftest import OpenPage, Watched, serve, wait_until_ready
from tests.support.states import write_states

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


def test_every_state_of_a_run_holds_on_every_page_of_a_phone(
    watched: OpenPage, states: tuple[str, list[str]]
) -> None:
    site, runs = states
    faults: list[str] = []
    for run in runs:
        seen = watched(site, width=390, height=844)
        faults += _faults_of_all_pages(seen, f"{site}/?run={run}", run)
        seen.page.context.close()
    assert faults == []


def test_an_empty_store_holds_on_every_page_of_a_phone(watched: OpenPage, empty_site: str) -> None:
    seen = watched(empty_site, width=390, height=844)
    assert _faults_of_all_pages(seen, empty_site, "no run") == []


def _faults_of_all_pages(seen: Watched, start: str, run: str) -> list[str]:
    """Open the app, go through its pages, and return what is wrong."""
    seen.page.goto(start)
    faults = []
    for title in (RUN_PAGES | STUDY_PAGES).values():
        faults += [f"{run}, {title}: {fault}" for fault in _faults(seen, title)]
    return faults


def _faults(seen: Watched, title: str) -> list[str]:
    page, found = seen.page, []
    try:
        # The side bar of a phone is folded away; its links work all the same.
        link = page.get_by_test_id("stSidebarNavLink").filter(has_text=title)
        link.first.dispatch_event("click")
        expect(page.locator("h1")).to_have_text(title)
        wait_until_ready(page)
    except (TimeoutError, AssertionError) as error:
        found.append(f"not ready in time: {error}")
    found += page.get_by_test_id("stException").all_inner_texts()
    try:
        page.wait_for_function(FITS_A_PHONE)
    except TimeoutError:
        found.append("wider than a phone")
    found += seen.complaints
    seen.complaints.clear()
    return found


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
