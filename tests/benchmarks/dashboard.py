"""How fast the dashboard answers: pages in Chromium, the server's polls, the Pareto front.

Run ``python -m tests.benchmarks.dashboard``; ``--json`` for scripts. A figure is the median, in a
warm browser against a warm server: the first paint and what says "by its address" load the app
anew; the others are what a visitor waits for after a click in the open app.
``--optuna-python PATH`` names a Python that has ``optuna`` and ``optuna-dashboard``: the same
studies are then served by Optuna Dashboard, and its polls timed beside ours.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import streamlit as st
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.logger import set_log_level

from emorl.search.pareto import on_front
from emorl_dashboard.data import queries
from emorl_dashboard.data import reward_field as landscape
from emorl_dashboard.frames.trade_off import trade_off_frame
from tests.benchmarks.dashboard_runs import trade_offs, write_atlas_run, write_study
from tests.e2e.conftest import FLAGS, NAMES, free_port, serve, wait_until_ready

Figures = dict[str, float | None]

STUDIES = (1_000, 3_000)
MANY = 10_000
PATIENCE_SECONDS = 300.0
LIMITS_SECONDS = {
    "first paint of the app": 2.0,
    "cube with 135 points": 1.3,
    "cube with the field": 2.0,
    "page of 10,000 evaluations": 2.5,
    "Pareto front of 1,000 trade-offs": 0.050,
    "poll with nothing new": 0.020,
}
_READY = (
    "document.querySelector('.st-key-page-ready') && document.querySelector("
    "'[data-testid=stApp]').getAttribute('data-test-script-state') === 'notRunning'"
)
_DRAWN = "document.querySelector('.js-plotly-plot[data-clickable=yes]')"
_FIELD_DRAWN = f"{_DRAWN}?._fullData.some(trace => trace.type === 'mesh3d')"
# A chart in space settles half a second after it is drawn; other pages have none.
_STEADY = (
    "!document.querySelector('.js-plotly-plot .gl-container canvas')"
    " || document.querySelector('.js-plotly-plot[data-steady=yes]')"
)
# A driver's click waits for frames of its own before the page hears of it: time begins at the
# event, or, where an address is opened, with the new document.
_REMEMBER_CLICK = """() => addEventListener(
    'pointerdown', event => { window.clickedAt = event.timeStamp }, {capture: true, once: true}
)"""
# What is in the page is on the screen two frames later.
_MILLISECONDS = """() => new Promise(resolve => requestAnimationFrame(
    () => requestAnimationFrame(() => resolve(performance.now() - (window.clickedAt ?? 0)))
))"""
_PAGE_TIMEOUT_MS = 120_000
_WARM_UPS = 2


def page_figures(site: str, browser: Browser, repetitions: int) -> Figures:
    """Time pages, from what a visitor does until they are drawn."""
    home, space = f"{site}/?run={{}}", f"{site}/weight-space?run={{}}"
    many = f"study-{MANY}"
    steps: dict[str, tuple[str, str | Callable[[Page], None], str]] = {
        "first paint of the app": ("", home.format("atlas"), _READY),
        "cube with 135 points": (home.format("atlas"), _to_weight_space, _DRAWN),
        "cube with the field": (space.format("atlas"), _switch_field_on, _FIELD_DRAWN),
        f"page of {MANY:,} evaluations": (home.format(many), _to_weight_space, _DRAWN),
        "cube by its address": ("", space.format("atlas"), _DRAWN),
        "triangle with its field by its address": (
            "",
            space.format("atlas") + "&view=Triangle",
            _DRAWN,
        ),
        f"{MANY:,} evaluations by their address": ("", space.format(many), _DRAWN),
        f"triangle of {MANY:,} by its address": (
            "",
            space.format(many) + "&view=Triangle",
            _DRAWN,
        ),
        f"trade-off of {MANY:,} by its address": (
            "",
            space.format(many) + "&view=Trade-off",
            _DRAWN,
        ),
    }
    return {name: _page_seconds(browser, *step, repetitions) for name, step in steps.items()}


def _to_weight_space(page: Page) -> None:
    page.get_by_role("link", name="Weight space").click()


def _switch_field_on(page: Page) -> None:
    page.get_by_text("Field of all weights, from the atlas").click()


def _page_seconds(
    browser: Browser, before: str, act: str | Callable[[Page], None], drawn: str, repetitions: int
) -> float:
    """Time from an act (an address to open, or something to click) until ``drawn`` is true."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(_PAGE_TIMEOUT_MS)
    page = context.new_page()
    taken = []
    for _ in range(_WARM_UPS + repetitions):
        page.goto("about:blank")
        if before:
            page.goto(before)
            wait_until_ready(page)
            page.wait_for_function(f"() => {_STEADY}")
        if isinstance(act, str):
            page.goto(act, wait_until="commit")
        else:
            page.evaluate(_REMEMBER_CLICK)
            act(page)
        # Looks at every frame; waiting for a selector looks every half second.
        page.wait_for_function(f"() => {drawn}")
        taken.append(float(page.evaluate(_MILLISECONDS)) / 1000)
    context.close()
    return statistics.median(taken[_WARM_UPS:])


def server_figures(repetitions: int) -> Figures:
    """Time what the server does without a browser."""
    names = {run.run_id: run for run in queries.runs()}
    found: Figures = {}
    for n_points in STUDIES:
        scores, run = trade_offs(n_points), names[f"study-{n_points}"]
        found[f"Pareto front of {n_points:,} trade-offs"] = _median(
            partial(on_front, scores), repetitions
        )
        found[f"poll with all new, {n_points:,} evaluations"] = _median(
            partial(_read_anew, run), repetitions
        )
    run = names[f"study-{MANY}"]
    found["poll with nothing new"] = _median(lambda: queries.signature(queries.runs(), run), 50)
    return found


def _read_anew(run: queries.Run) -> None:
    st.cache_data.clear()
    st.cache_resource.clear()
    queries.signature(queries.runs(), run)
    trade_off_frame(landscape.points(run).frame, run.objectives)


def _median(work: Callable[[], object], repetitions: int) -> float:
    taken = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def optuna_figures(python: Path, folder: Path, repetitions: int) -> Figures:
    """Time Optuna Dashboard's polls of the same studies, when nothing is new."""
    found: Figures = {}
    for n_points in STUDIES:
        file = folder / f"scores-{n_points}.json"
        file.write_text(json.dumps(trade_offs(n_points).tolist()), encoding="utf-8")
        with _optuna_server(python, file) as url:
            name = f"Optuna Dashboard: poll with nothing new, {n_points:,} trials"
            found[name] = _poll_seconds(f"{url}/api/studies/0?after={n_points}", repetitions)
    return found


def _poll_seconds(url: str, repetitions: int) -> float | None:
    """Return the median time of an answer; None if one takes longer than anybody waits."""
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter()
        try:
            _fetch(url)
        except TimeoutError:
            return None
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


@contextmanager
def _optuna_server(python: Path, scores: Path) -> Iterator[str]:
    script = Path(__file__).with_name("optuna_server.py")
    port = free_port()
    command = [str(python), str(script), str(port), str(scores)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            try:
                _fetch(f"{url}/api/studies")
                break
            except urllib.error.URLError:
                time.sleep(0.2)  # polling a process that has no way to tell us
        if process.poll() is not None:
            told = process.stderr.read().decode() if process.stderr else ""
            raise SystemExit(f"Optuna Dashboard did not start: {told.strip().splitlines()[-1:]}")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
        content: bytes = answer.read()
        return content


def measure(options: argparse.Namespace) -> Figures:
    """Write the runs, serve them, and measure everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_atlas_run(folder)
        for n_points in (*STUDIES, MANY):
            write_study(folder, trade_offs(n_points))
        os.environ["EMORL_ARTIFACTS"] = str(folder)
        found = server_figures(options.repetitions)
        if options.optuna_python is not None:
            found |= optuna_figures(options.optuna_python, folder, options.repetitions)
        with (
            serve(folder, folder / "dashboard.log") as site,
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=_chromium(), args=FLAGS) as browser,
        ):
            found |= page_figures(site, browser, options.repetitions)
    return found


def _chromium() -> str | None:
    return os.environ.get("EMORL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def _table(found: Figures, load: tuple[float, float]) -> str:
    lines = [f"{'':<58}{'seconds':>10}{'at most':>10}"]
    for name, seconds in found.items():
        if seconds is None:
            lines.append(f"{name:<58}{f'> {PATIENCE_SECONDS:.0f}':>10}")
            continue
        limit = LIMITS_SECONDS.get(name)
        told = f"{limit:>10.3f}" if limit is not None else ""
        lines.append(f"{name:<58}{seconds:>10.4f}{told}")
    lines.append(f"{os.cpu_count()} cores; load average {load[0]:.1f} before, {load[1]:.1f} after")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--optuna-python", type=Path, help="a Python with optuna and optuna-dashboard"
    )
    options = parser.parse_args()
    set_log_level("ERROR")  # Streamlit misses a page around the polls
    before = os.getloadavg()[0]
    found = measure(options)
    load = (before, os.getloadavg()[0])
    if options.json:
        print(json.dumps(found | {"load_before": load[0], "load_after": load[1]}))
        return
    print(_table(found, load))
    if options.optuna_python is None:
        print("Optuna Dashboard was not measured: name a Python that has it by --optuna-python.")


if __name__ == "__main__":
    main()
