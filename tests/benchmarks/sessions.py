"""Many people at once: how long a page takes, and whether selections stay their own.

``python -m tests.benchmarks.sessions --artifacts DIR`` serves the runs of a folder (its models are
loaded only where a page generates). Twenty sessions go through the pages at the same time, each
with weights of its own. All but one speak the app's WebSocket protocol, as twenty browsers would
measure how fast two cores draw twenty windows; the last is a Chromium, for what a visitor waits
for. Every session compares all weights that its pages send with its own.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from emorl_dashboard.app import RUN_PAGES, STUDY_PAGES
from tests.benchmarks.streamlit_client import Tab
from tests.e2e.conftest import APP, FLAGS, NAMES, serve

PATIENCE_MS = 120_000
PAGES = {
    view.replace("_", "-") if place else "": title
    for place, (view, title) in enumerate((RUN_PAGES | STUDY_PAGES).items())
}
_READY = (
    "title => document.querySelector('h1')?.innerText.includes(title)"
    " && document.querySelector('.st-key-page-ready')"
    " && document.querySelector('[data-testid=stApp]')"
    ".getAttribute('data-test-script-state') === 'notRunning'"
)
_WEIGHTS = re.compile(rb"[?&\x00-\x1f\"]w(?:=|\"?: ?\")([0-9][0-9.]*(?:(?:,|%2C)[0-9.]+)+)")


@dataclass
class Taken:
    """What one session took and saw."""

    weights: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    n_checked: int = 0
    mixed_up: list[str] = field(default_factory=list)

    def took(self, title: str, seconds: float) -> None:
        """Keep the time of a page."""
        self.seconds.setdefault(title, []).append(seconds)

    def check(self, title: str, found: str) -> None:
        """Compare weights that came with a page with the session's own."""
        self.n_checked += 1
        if found != self.weights:
            self.mixed_up.append(f"{title}: {found} in place of {self.weights}")


@dataclass(frozen=True)
class Visit:
    """How a session goes through the pages."""

    site: str
    run: str
    number: int
    rounds: int
    pause_seconds: tuple[float, float]

    @property
    def weights(self) -> str:
        """Weights that no other session has."""
        return f"{(self.number + 1) / 32:.5g},0.5,1"

    @property
    def query(self) -> str:
        """What the URL says."""
        return f"run={self.run}&w={self.weights}"

    def pages(self) -> list[tuple[str, str]]:
        """Return address and title of each page to visit; each session starts at another one."""
        names = list(PAGES.items())
        start = self.number % len(names)
        return (names[start:] + names[:start]) * self.rounds

    def pauses(self) -> random.Random:
        """Return this visitor's own pace."""
        return random.Random(self.number)


def visit_by_socket(visit: Visit, taken: Taken) -> None:
    """Go through the pages without a browser: until the server has sent all of each."""
    draw = visit.pauses()
    started = time.perf_counter()
    tab = Tab(visit.site, visit.query, page="", timeout_seconds=PATIENCE_MS / 1000)
    taken.took("first load", time.perf_counter() - started)
    for address, title in visit.pages():
        time.sleep(draw.uniform(*visit.pause_seconds))
        taken.took(title, tab.open(address))
        for found in _WEIGHTS.findall(tab.received):
            taken.check(title, found.decode().replace("%2C", ","))
    tab.close()


def visit_by_browser(visit: Visit, taken: Taken) -> None:
    """Go through the pages in Chromium, by the links of the side bar."""
    found = os.environ.get("EMORL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    draw = visit.pauses()
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found, args=FLAGS) as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        started = time.perf_counter()
        page.goto(f"{visit.site}/?{visit.query}")
        page.wait_for_function(_READY, arg="")
        taken.took("first load", time.perf_counter() - started)
        for _, title in visit.pages():
            page.wait_for_timeout(1000 * draw.uniform(*visit.pause_seconds))
            started = time.perf_counter()
            page.get_by_test_id("stSidebarNavLink").filter(has_text=title).first.click()
            page.wait_for_function(_READY, arg=title)
            taken.took(title, time.perf_counter() - started)
            _check_address(page, title, taken)


def _check_address(page: Page, title: str, taken: Taken) -> None:
    # Pages for raters have no weights in their URL: ratings are blind.
    found = page.evaluate("() => new URL(location.href).searchParams.get('w')")
    if found:
        taken.check(title, found)


def measure(site: str, run: str, options: argparse.Namespace) -> list[Taken]:
    """Send all visitors through the pages at once; the last of them has a browser."""
    pauses = (0.5 * options.pause, 1.5 * options.pause)
    visits = [
        Visit(site, run, number, options.rounds, pauses) for number in range(options.sessions)
    ]
    all_taken = [Taken(visit.weights) for visit in visits]
    threads = [
        threading.Thread(target=visit_by_socket, args=(visit, taken), daemon=True)
        for visit, taken in zip(visits[:-1], all_taken, strict=False)
    ]
    for thread in threads:
        thread.start()
    visit_by_browser(visits[-1], all_taken[-1])
    for thread in threads:
        thread.join()
    return all_taken


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that a share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _table(heading: str, sessions: list[Taken]) -> str:
    lines = [f"{heading:<34}{'n':>5}{'median s':>10}{'p95 s':>8}{'longest':>9}"]
    every: list[float] = []
    for title in ("first load", *PAGES.values()):
        values = [second for one in sessions for second in one.seconds.get(title, [])]
        every += values
        lines.append(_line(title, values))
    return "\n".join([*lines, _line("all", every)])


def _line(title: str, values: list[float]) -> str:
    return (
        f"{title:<34}{len(values):>5}{percentile(values, 0.5):>10.2f}"
        f"{percentile(values, 0.95):>8.2f}{max(values):>9.2f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifacts", type=Path, required=True, help="folder with a finished run")
    parser.add_argument("--run", default="demo", help="name of the run; default: demo")
    parser.add_argument("--sessions", type=int, default=20, help="default: 20")
    parser.add_argument("--rounds", type=int, default=2, help="times through all pages")
    parser.add_argument(
        "--pause", type=float, default=5.0, help="mean seconds that a visitor looks at a page"
    )
    options = parser.parse_args()
    with (
        TemporaryDirectory() as folder,
        serve(options.artifacts, Path(folder) / "log", app=APP) as site,
    ):
        # One visitor first: imports and caches are the first's to wait for.
        first = Visit(site, options.run, 0, 1, (0.0, 0.0))
        visit_by_socket(first, Taken(first.weights))
        taken = measure(site, options.run, options)
    print(
        f"{options.sessions} sessions at once, a page every {options.pause:g} s, "
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
    )
    print(_table("server, until all is sent", taken[:-1]))
    print(_table("Chromium, until the page is ready", taken[-1:]))
    mixed_up = [case for one in taken for case in one.mixed_up]
    n_checked = sum(one.n_checked for one in taken)
    print(f"weights of others seen: {len(mixed_up)} of {n_checked}", *mixed_up[:10], sep="\n")


if __name__ == "__main__":
    main()
