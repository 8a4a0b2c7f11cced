"""Many people at once: how long a page takes, and whether selections stay their own.

``python -m tests.benchmarks.sessions --artifacts DIR`` serves the runs of a folder (its models are
loaded only where a page generates) and lets 20 browser sessions go through the pages at the same
time. Every session selects its own weights; what its pages and its URL say is compared with that.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Browser, Page, async_playwright

from tests.e2e.conftest import FLAGS, NAMES, serve

PATIENCE_MS = 120_000
READY = "[data-testid=stApp][data-test-script-state=notRunning] .st-key-page-ready"


@dataclass
class Taken:
    """What the sessions took and got wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    mixed_up: list[str] = field(default_factory=list)


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that a share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def _session(
    browser: Browser, site: str, run: str, number: int, rounds: int, taken: Taken
) -> None:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    weights = f"{(number + 1) / 32:.5g},0.5,1"
    started = time.perf_counter()
    await page.goto(f"{site}/?run={run}&w={weights}")
    await page.wait_for_selector(READY, state="attached")
    taken.seconds.setdefault("first load", []).append(time.perf_counter() - started)
    names = await page.get_by_test_id("stSidebarNavLink").all_inner_texts()
    for turn in range(rounds * len(names)):
        # Sessions start at different pages, so that all pages are asked for at any time.
        name = names[(number + turn) % len(names)]
        started = time.perf_counter()
        await page.get_by_test_id("stSidebarNavLink").filter(has_text=name).first.click()
        await page.locator("h1", has_text=name).wait_for()
        await page.wait_for_selector(READY, state="attached")
        taken.seconds.setdefault(name, []).append(time.perf_counter() - started)
        await _check(page, weights, f"session {number}, {name}", taken)
    await context.close()


async def _check(page: Page, weights: str, where: str, taken: Taken) -> None:
    found = parse_qs(urlsplit(page.url).query).get("w")
    # Pages for raters have no weights in their URL: ratings are blind.
    if found and found != [weights]:
        taken.mixed_up.append(f"{where}: {found[0]} in place of {weights}")


async def _measure(site: str, run: str, n_sessions: int, rounds: int) -> Taken:
    taken = Taken()
    found = os.environ.get("EMORL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        await asyncio.gather(
            *(_session(browser, site, run, number, rounds, taken) for number in range(n_sessions))
        )
        await browser.close()
    return taken


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifacts", type=Path, required=True, help="folder with a finished run")
    parser.add_argument("--run", default="demo", help="name of the run; default: demo")
    parser.add_argument("--sessions", type=int, default=20, help="default: 20")
    parser.add_argument(
        "--rounds", type=int, default=1, help="times through all pages; default: 1"
    )
    options = parser.parse_args()
    with (
        TemporaryDirectory() as folder,
        serve(options.artifacts, Path(folder) / "log", app="dashboard/app.py") as site,
    ):
        # One visitor first: imports and caches are the first's to wait for.
        asyncio.run(_measure(site, options.run, 1, 1))
        taken = asyncio.run(_measure(site, options.run, options.sessions, options.rounds))
    print(f"{options.sessions} sessions at once, {os.cpu_count()} cores, browser included")
    print(f"{'page':<18}{'n':>5}{'median s':>10}{'p95 s':>8}")
    every = [value for values in taken.seconds.values() for value in values]
    for name, values in [*taken.seconds.items(), ("all", every)]:
        print(
            f"{name:<18}{len(values):>5}{percentile(values, 0.5):>10.2f}"
            f"{percentile(values, 0.95):>8.2f}"
        )
    print(f"selections mixed up: {len(taken.mixed_up)}", *taken.mixed_up[:10], sep="\n")


if __name__ == "__main__":
    main()
