"""The atlas in a real browser: clicks between points, words marked, rows picked by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenPage, wait_until_ready

pytestmark = pytest.mark.browser


def click_place(page: Page, x: float, y: float) -> None:
    """Click a place of the cell map, in the units of its axes."""
    page.wait_for_selector(".st-key-cell-map .js-plotly-plot[data-clickable=yes]")
    chart = page.locator(".st-key-cell-map .js-plotly-plot")
    chart.scroll_into_view_if_needed()
    left, top = page.evaluate(
        """([x, y]) => {
          const chart = document.querySelector('.st-key-cell-map .js-plotly-plot');
          const {xaxis, yaxis} = chart._fullLayout;
          const frame = chart.getBoundingClientRect();
          return [frame.left + xaxis._offset + xaxis.l2p(x),
                  frame.top + yaxis._offset + yaxis.l2p(y)];
        }""",
        [x, y],
    )
    page.mouse.click(left, top)


def test_a_click_between_points_and_a_row_move_the_weights(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/atlas?run=finished&w=1,0,0")
    response = page.locator(".st-key-selected-response")
    expect(response).to_contain_text("Response 5.")
    # At x = 0.75 on the lower side the second weight has three quarters.
    click_place(page, 0.75, 0.01)
    expect(response).to_contain_text("Response 6.")
    weights = page.evaluate("() => new URL(location).searchParams.get('w').split(',').map(Number)")
    assert weights[1] == pytest.approx(0.745, abs=0.02)
    assert sum(weights) == pytest.approx(1.0, abs=1e-4)
    wait_until_ready(page)
    table = page.locator(".st-key-responses-of-prompt")
    expect(table.locator("mark").first).to_have_text("5.")
    row = table.get_by_role("button", name="Move the weights into the area of response: 1")
    row.focus()
    row.press("Enter")
    expect(response).to_contain_text("Response 5.")
    expect(table.locator("mark").first).to_have_text("6.")
    assert seen.complaints == []


def test_both_pages_show_texts_as_text_and_fit_a_phone(watched: OpenPage, site: str) -> None:
    seen = watched(site, width=390, height=844)
    page = seen.open(f"{site}/atlas?run=finished")
    expect(page.get_by_test_id("stText").first).to_contain_text("<script>document.title=")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page = seen.open(f"{site}/compare?run=finished&reference=Only+empathy")
    samples = page.locator(".st-key-samples")
    expect(samples).to_contain_text("<script>document.title=")
    expect(samples.get_by_role("row").nth(2)).to_contain_text("**bold** $x$")
    expect(page.get_by_text("Differences from Only empathy")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert page.title() != "owned"
    assert seen.complaints == []
