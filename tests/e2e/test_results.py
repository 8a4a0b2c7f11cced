"""The Results page in a browser: nothing overflows, nothing is fetched, nothing complains."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.dashboard.study.analysis.studies import SMALL, write_study
from tests.e2e.conftest import OpenPage, serve

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    artifacts = tmp_path_factory.mktemp("results")
    write_study(artifacts, SMALL, study_id="done")
    log = tmp_path_factory.mktemp("log") / "results.log"
    with serve(artifacts, log) as url:
        yield url
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_page_fits_draws_its_charts_and_fetches_nothing(
    width: int, scheme: str, studies: str, watched: OpenPage
) -> None:
    browser = watched(studies, width=width, scheme=scheme)
    page = browser.open(f"{studies}/results?study=done")
    expect(page.locator(".st-key-results-means .js-plotly-plot")).to_be_visible()
    expect(page.locator(".st-key-results-agreement .js-plotly-plot")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    assert browser.complaints == []
