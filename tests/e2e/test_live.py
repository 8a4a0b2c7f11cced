"""The live page in a real browser, answered by a formula."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from emorl.atlas.explain import explain_weights
from emorl.decoding.atlas import build_atlases
from emorl_dashboard.components import source
from emorl_dashboard.components.weight_sliders import _SCRIPTS, PURE_SCRIPTS
from emorl_dashboard.frames.live import atlas_data, objective_data
from tests.e2e.conftest import OpenPage, wait_until_ready
from tests.support.atlas_fields import fake_tree, random_weights
from tests.support.dashboard_atlases import halves
from tests.support.fake_forward import FakeForward, fake_text
from tests.support.formula import response_text
from tests.support.formula_models import UNMAPPABLE

pytestmark = pytest.mark.browser

N_POSITIONS = 200

# Everything that the answer ever says, with the weights that it says it of.
WATCH_ANSWER = """(answer) => {
    window.heard = [];
    new MutationObserver(() => window.heard.push([
        answer.dataset.weights, answer.dataset.kind,
        answer.querySelector('.answer-text').textContent,
    ])).observe(answer, { attributes: true, subtree: true, childList: true });
}"""


def slider(page: Page, name: str) -> Locator:
    return page.get_by_role("slider", name=f"weight of {name}")


@pytest.mark.parametrize(("n_members", "n_cells"), [(2, 5), (3, 16), (4, 9)])
def test_the_pages_look_up_is_decoding_at_random_positions(
    chromium: Browser, n_members: int, n_cells: int
) -> None:
    tree = fake_tree(FakeForward(n_members, disagreement=16, seed={2: 3}.get(n_members, 9)), 1)
    [atlas] = build_atlases(tree, fake_text)
    weights = random_weights(n_members, N_POSITIONS, seed=1)
    decoded = [fake_text(tokens) for [tokens] in tree.decode(weights)]
    data: dict[str, Any] = {
        "branches": [
            {"vectors": branch.vectors.tolist(), "children": branch.children}
            for branch in atlas.branches
        ],
        "cells": [],
    }
    page = chromium.new_page()
    cells, borders = page.evaluate(
        """([source, atlas, weights]) => {
            const [lookUp, borders] = new Function(`${source}; return [lookUp, borders];`)();
            return [weights.map((w) => lookUp(atlas, w)), weights.map((w) => borders(atlas, w))];
        }""",
        [source(*PURE_SCRIPTS), data, weights.tolist()],
    )
    page.close()
    assert [atlas.cells[cell].text for cell in cells] == decoded
    assert cells == atlas.lookup(weights).tolist()
    assert len(atlas.cells) == n_cells
    assert len(set(cells)) > n_cells / 2
    for vector, found in zip(weights, borders, strict=True):
        expected = explain_weights(atlas, vector).borders
        assert [(one["objective"], one["direction"], one["cell"]) for one in found] == [
            (one.member, {"less": -1, "more": 1}[one.direction], one.cell) for one in expected
        ]
        np.testing.assert_allclose(
            [one["weight"] for one in found], [one.weight for one in expected], atol=1e-9
        )


@pytest.mark.parametrize(
    ("open_cell", "expected"),
    [
        (None, ["same text from 0.500 to 1.000", "same text from 0.000 to 0.800"]),
        (0, ["same text at most from 0.500 to 1.000", "same text at most from 0.000 to 0.800"]),
    ],
)
def test_the_room_of_a_weight_in_an_open_cell_is_an_upper_bound(
    chromium: Browser, open_cell: int | None, expected: list[str]
) -> None:
    data = {
        "objectives": objective_data(["a", "b", "c"], ["red", "green", "blue"]),
        "atlas": atlas_data(halves(open_cell=open_cell)),
        "weights": [0.8, 0.5, 0.5],
        "presets": [],
        "answers": [],
        "reference": None,
    }
    page = chromium.new_page()
    said = page.evaluate(
        """([source, data]) => {
            const Sliders = new Function(`${source}; return Sliders;`)();
            const root = document.body.appendChild(document.createElement("div"));
            new Sliders(root).take({ data, setTriggerValue: () => {} });
            return [...root.querySelectorAll(".stays")].map((one) => one.textContent);
        }""",
        [source(*_SCRIPTS).replace("export default function", "function page"), data],
    )
    page.close()
    # The third weight has no part in the choice between the first two.
    alone = "never changes the text" if open_cell is None else "may change the text"
    assert said == [*expected, alone]


def test_a_number_always_shows_the_weight_that_is_answered(
    chromium: Browser,
) -> None:
    data = {
        "objectives": objective_data(["a", "b"], ["red", "green"]),
        "atlas": None,
        "weights": [0.8, 0.5],
        "presets": [],
        "answers": [],
        "reference": None,
    }
    page = chromium.new_page()
    page.evaluate(
        """([source, data]) => {
            const Sliders = new Function(`${source}; return Sliders;`)();
            const host = document.body.appendChild(document.createElement("div"));
            const sliders = new Sliders(host.attachShadow({ mode: "open" }));
            window.heard = [];
            window.take = (weights) => sliders.take({
                data: { ...data, weights },
                setTriggerValue: (name, value) => window.heard.push(value),
            });
            window.take(data.weights);
        }""",
        [source(*_SCRIPTS).replace("export default function", "function page"), data],
    )
    number = page.get_by_role("spinbutton", name="weight of a")
    number.click()
    page.evaluate("window.take([0.3, 0.5])")  # the browser went back
    shown_with_focus = number.input_value()
    number.fill("0.4")
    page.evaluate("window.take([0.9, 0.1])")  # back again, before Enter
    shown_while_typing = number.input_value()
    number.fill("0.7")
    number.press("Escape")
    shown_after_escape = number.input_value()
    number.fill("0.25")
    number.press("Enter")
    number.press("ArrowUp")
    number.press("Shift+ArrowDown")
    shown_after_arrows = number.input_value()
    page.evaluate("window.take([0.6, 0.1])")
    shown_after_all = number.input_value()
    heard = page.evaluate("window.heard")
    page.close()
    assert [shown_with_focus, shown_while_typing, shown_after_escape] == ["0.3", "0.9", "0.9"]
    assert [shown_after_arrows, shown_after_all] == ["0.259", "0.6"]
    assert heard == [[0.25, 0.1], [0.26, 0.1], [0.259, 0.1]]


def test_the_text_follows_a_drag_and_the_server_hears_of_its_end(
    watched: OpenPage, site: str
) -> None:
    seen = watched(site)
    # In this atlas the first objective gives one text where it weighs more, the second another.
    start = f"{site}/live?run=finished&prompt=aggregation%3A1&w=1%2C0.5%2C0"
    page = seen.open(start)
    answer = page.locator(".answer-text")
    expect(answer).to_have_text("Response 5.")
    page.get_by_role("button", name="Pin this response").click()
    expect(page.locator(".reference-text")).to_have_text("Response 5.")
    expect(page.locator(".score .delta").first).to_have_text("=")
    pinned = f"{start}&ref=1%2C0.5%2C0"
    expect(page).to_have_url(pinned)
    box = slider(page, "empathy").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    slider(page, "reflection").press("ArrowLeft")  # 1 -> 0.99, and the server is told
    expect(page).to_have_url(pinned.replace("w=1%2C", "w=0.99%2C"))
    wait_until_ready(page)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2, steps=5)
    expect(answer).to_have_text("Response 6.")
    expect(page.locator(".answer-text ins")).to_have_text("6.")
    expect(page.locator(".reference-text del")).to_have_text("5.")
    assert "w=0.99%2C0.5%2C0" in page.url  # the button is still down
    page.mouse.up()
    expect(page).to_have_url(pinned.replace("w=1%2C0.5", "w=0.99%2C1"))
    wait_until_ready(page)
    expect(answer).to_have_text("Response 6.")
    expect(slider(page, "empathy")).to_have_js_property("valueAsNumber", 1)
    expect(page.locator(".answer .marks")).to_have_text("beside the pinned response:newgone")
    expect_both_in_sight(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    assert seen.complaints == []


def expect_both_in_sight(page: Page) -> None:
    """On a phone the text is read while a hand moves what changes it."""
    page.set_viewport_size({"width": 390, "height": 700})
    answer = page.locator(".answer-text")
    two_lines = answer.evaluate("(text) => 2 * parseFloat(getComputedStyle(text).lineHeight)")
    for name in ("reflection", "empathy", "fluency"):
        expect(slider(page, name)).to_be_in_viewport(ratio=1)
    assert (answer.bounding_box() or {"y": 700})["y"] + two_lines <= 700
    page.locator(".map").scroll_into_view_if_needed()
    page.get_by_role("button", name="Unpin").evaluate("(end) => end.scrollIntoView()")
    expect(answer).to_be_in_viewport(ratio=1)


def test_an_own_prompt_is_answered_at_once_then_mapped_and_linked(
    watched: OpenPage, site: str
) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/live?run=finished&w=0.5,1,0.25")
    page.get_by_role("radio", name="your own").or_(
        page.get_by_role("button", name="your own")
    ).first.click()
    prompt = "I miss my brother 😀 <b>so</b> much"
    field = page.get_by_label("Your own prompt")
    field.fill(prompt)
    field.press("Control+Enter")
    answer = page.locator(".answer-text")
    said = f"{response_text((0.5, 1.0, 0.25), 1)} You said: {prompt}"
    expect(answer).to_have_text(said)
    expect(page.locator(".answer")).to_have_attribute("data-kind", "cell")  # the atlas is there
    expect(answer).to_have_text(said)
    expect(page.get_by_text("Atlas of this prompt: 3 cells")).to_be_visible()
    assert seen.complaints == []
    second = watched(site).open(page.url)
    expect(second.get_by_label("Your own prompt")).to_have_value(prompt)
    expect(second.locator(".answer-text")).to_have_text(said)
    # Another run is one step of the history, and the step back is the first run as it was.
    linked, n_steps = second.url, second.evaluate("history.length")
    second.get_by_role("combobox", name="Run", exact=True).click()
    second.get_by_role("option", name="died").click()
    expect(second).to_have_url(re.compile(r"\?run=died&text=[^&]*$"))
    expect(second.locator(".answer")).not_to_have_attribute("data-weights", "0.5,1,0.25")
    wait_until_ready(second)
    expect(second.get_by_label("Your own prompt")).to_have_value(prompt)
    assert second.evaluate("history.length") == n_steps + 1
    second.go_back()
    expect(second.locator(".answer")).to_have_attribute("data-weights", "0.5,1,0.25")
    wait_until_ready(second)
    assert second.url == linked


def test_without_an_atlas_an_answer_is_never_shown_at_other_weights(
    watched: OpenPage, site: str
) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/live?run=finished&w=1,0.5,0&text={UNMAPPABLE}")
    page.locator(".answer").evaluate(WATCH_ANSWER)
    for key in ("Home", "PageUp", "PageUp", "End", "PageDown", "PageDown"):
        slider(page, "reflection").press(key)  # faster than answers come
    expect(page.locator(".answer")).to_have_attribute("data-weights", "0.8,0.5,0")
    expect(page.locator(".answer")).to_have_attribute("data-kind", "answer")
    wait_until_ready(page)
    heard = page.evaluate("() => window.heard")
    assert {kind for _, kind, _ in heard} == {"answer", "unknown"}
    for weights, kind, text in heard:
        vector = tuple(float(weight) for weight in weights.split(","))
        expected = f"{response_text(vector, 1)} You said: {UNMAPPABLE}"
        assert text == (expected if kind == "answer" else "…")
    assert seen.complaints == []


def test_a_run_in_training_says_which_adapters_are_missing(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/live?run=training")
    expect(page.get_by_text("not trained yet: empathy, fluency")).to_be_visible()
    assert seen.complaints == []
