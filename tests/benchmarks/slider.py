"""How fast the live page answers a hand on its sliders, measured in the browser.

``python -m tests.benchmarks.slider --artifacts artifacts --run demo`` prints a table. With an
atlas the text is looked up in the page while the hand drags: updates a second, and the time from
an input event to the frame that shows its text. Without one, the server decodes when the weights
are let go: the time from the key to the answer at these very weights.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from emorl.inference import load_ensemble
from emorl.runs.folder import RunFolder
from emorl.runs.snapshots import snapshot_rows
from tests.e2e.conftest import APP, FLAGS, NAMES, serve, wait_until_ready

N_MOVES = 240
N_ANSWERS = 30
N_POSITIONS = 200
_MOST_TRIES = 10 * N_ANSWERS

_WATCH = """(answer) => {
    const heard = (window.heard = { latencies: [], updates: [], texts: new Set(), answers: [] });
    let [began, asked] = [null, null];
    const root = answer.getRootNode();
    root.addEventListener('input', (event) => { began ??= event.timeStamp; }, true);
    const isKnown = () => ['cell', 'answer'].includes(answer.dataset.kind);
    root.addEventListener(
        'change', (event) => { asked = isKnown() ? null : event.timeStamp; }, true
    );
    new MutationObserver(() => {
        heard.updates.push(performance.now());
        heard.texts.add(answer.querySelector('.answer-text').textContent);
        if (asked !== null && isKnown()) { // decoded, or found by what was mapped meanwhile
            heard.answers.push(performance.now() - asked);
            asked = null;
        }
        if (began === null) return;
        const since = began;
        began = null;
        // A task after the next frame's callbacks: that frame is painted.
        const painted = () => heard.latencies.push(performance.now() - since);
        requestAnimationFrame(() => setTimeout(painted));
    }).observe(answer, { attributes: true, attributeFilter: ['data-weights', 'data-kind'] });
}"""

_MOVE = """(answer, weights) => {
    const fields = answer.getRootNode().querySelectorAll('input[type=number]');
    fields.forEach((field, place) => {
        field.value = weights[place];
        field.dispatchEvent(new Event('input', { bubbles: true }));
    });
    return [answer.dataset.kind, answer.querySelector('.answer-text').textContent];
}"""

_HEARD = """() => ({ ...window.heard, texts: window.heard.texts.size })"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--run", default="demo", help="a finished run with atlases")
    parser.add_argument("--prompts", type=int, default=3, help="mapped prompts to drag on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, _browser() as page:
        unmapped = _without_atlases(options.artifacts, options.run, Path(scratch))
        print(f"{'drag with an atlas':<28}{'updates/s':>10}{'p50 ms':>9}{'p95 ms':>9}{'texts':>7}")
        with serve(options.artifacts, Path(scratch) / "log", APP) as site:
            for place in range(options.prompts):
                _open(page, f"{site}/live?run={options.run}&prompt=aggregation:{place}")
                _print_drag(f"aggregation prompt {place + 1}", _drag(page))
            print(
                f"\n{_texts_wrong(page, site, options)} of {N_POSITIONS} texts are not decoding's"
            )
        print(f"\n{'release without an atlas':<28}{'n':>10}{'p50 ms':>9}{'p95 ms':>9}")
        with serve(unmapped, Path(scratch) / "log", APP) as site:
            _open(page, f"{site}/live?run={options.run}&prompt=inference:0")
            found = _release(page)
            row = f"{len(found):>10}{statistics.median(found):>9.0f}{_p95(found):>9.0f}"
            print(f"{'inference prompt 1':<28}{row}")


def _texts_wrong(page: Page, site: str, options: argparse.Namespace) -> int:
    """Count texts of the page that the generic decoder does not write, at random weights."""
    folder = options.artifacts / "runs" / options.run
    ensemble = load_ensemble(folder)
    prompts = [
        row["prompt"]
        for row in snapshot_rows(RunFolder(folder), "prompts")
        if row["split"] == "aggregation"
    ]
    draw = np.random.default_rng(0)
    n_wrong = 0
    for place in range(options.prompts):
        count = N_POSITIONS // options.prompts + (place < N_POSITIONS % options.prompts)
        weights = draw.dirichlet(np.ones(len(ensemble.members)), size=count).round(5).tolist()
        _open(page, f"{site}/live?run={options.run}&prompt=aggregation:{place}")
        answer = page.locator(".answer")
        shown = [answer.evaluate(_MOVE, vector) for vector in weights]
        decoded = [texts[0].text for texts in ensemble.generate([prompts[place]], weights)]
        n_wrong += sum(
            kind != "cell" or text != other
            for (kind, text), other in zip(shown, decoded, strict=True)
        )
    return n_wrong


def _drag(page: Page) -> dict[str, Any]:
    """Drag the first slider to and fro, a move every few milliseconds."""
    box = page.get_by_role("slider").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 10, middle)
    page.mouse.down()
    page.locator(".answer").evaluate(_WATCH)
    for move in range(N_MOVES):
        share = abs((move / 60) % 2 - 1)
        page.mouse.move(box["x"] + 10 + share * (box["width"] - 20), middle)
    heard: dict[str, Any] = page.evaluate(_HEARD)
    page.mouse.up()
    wait_until_ready(page)
    return heard


def _print_drag(name: str, heard: dict[str, Any]) -> None:
    updates = heard["updates"]
    rate = (len(updates) - 1) / (updates[-1] - updates[0]) * 1000
    latencies = heard["latencies"]
    numbers = f"{statistics.median(latencies):>9.1f}{_p95(latencies):>9.1f}{heard['texts']:>7}"
    print(f"{name:<28}{rate:>10.0f}{numbers}")


def _release(page: Page) -> list[float]:
    """Type weights whose answer is not known; return the milliseconds until it is there."""
    chance = random.Random(0)
    page.locator(".answer").evaluate(_WATCH)
    fields, answer = page.get_by_role("spinbutton"), page.locator(".answer")
    n_answers = 0
    for _ in range(_MOST_TRIES):
        field = fields.nth(chance.randrange(fields.count()))
        field.fill(f"{chance.uniform(0.01, 1):.5f}")
        is_known = answer.get_attribute("data-kind") in ("cell", "answer")
        field.press("Enter")
        if not is_known:
            n_answers += 1
            page.wait_for_function(f"() => window.heard.answers.length === {n_answers}")
        wait_until_ready(page)
        if n_answers == N_ANSWERS:
            break
    found: list[float] = page.evaluate(_HEARD)["answers"]
    return found


def _p95(numbers: list[float]) -> float:
    return statistics.quantiles(numbers, n=20)[-1]


def _open(page: Page, address: str) -> None:
    page.goto(address)
    wait_until_ready(page)
    page.locator(".answer").scroll_into_view_if_needed()


def _without_atlases(artifacts: Path, run: str, scratch: Path) -> Path:
    """Copy a run with a budget for its atlases that no prompt fits."""
    folder = scratch / "artifacts" / "runs" / run
    shutil.copytree(artifacts / "runs" / run, folder)
    config = folder / "config.toml"
    lines = config.read_text(encoding="utf-8").splitlines()
    if "[atlas]" not in lines:
        lines += ["[atlas]"]
    kept = [line for line in lines if not line.startswith("nodes_per_prompt")]
    kept.insert(kept.index("[atlas]") + 1, "nodes_per_prompt = 1")
    config.write_text("\n".join(kept), encoding="utf-8")
    return scratch / "artifacts"


@contextmanager
def _browser() -> Iterator[Page]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found, args=FLAGS) as browser,
    ):
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(60_000)
        yield page


if __name__ == "__main__":
    main()
