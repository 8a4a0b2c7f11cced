"""What annotators do on their page, for the tests that watch them in a browser."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import wait_until_ready


def until(is_so: Callable[[], bool]) -> bool:
    """Look for ten seconds whether another process has done its part."""
    for _ in range(40):
        if is_so():
            return True
        threading.Event().wait(0.25)
    return is_so()


def published_events(artifacts: Path, study_id: str, annotator: str) -> list[dict[str, Any]]:
    """Return the published events of an annotator; the dashboard holds the database."""
    path = artifacts / "studies" / study_id / "published" / "rating_events.parquet"
    if not path.is_file():
        return []
    # Opened once: by its path it is opened again for the rows, and can be another file by then.
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(path.read_bytes())).to_pylist()
    return [row for row in rows if row["annotator"] == annotator]


def question(page: Page, name: str) -> Locator:
    return page.get_by_role("radiogroup", name=name)


def chosen(page: Page) -> Locator:
    return page.locator('[role="radio"][aria-checked="true"]')


def answer_by_mouse(page: Page) -> None:
    for name, level in (("Reflection", "Simple"), ("Empathy", "Advanced"), ("Fluency", "Poor")):
        question(page, name).get_by_role("radio", name=level).click()
    expect(chosen(page)).to_have_count(3)


def save(page: Page) -> Locator:
    return page.get_by_role("button", name="Save and go on")


def wait_for_keys(page: Page, *, after: str = "") -> str:
    """Wait until the form on the page takes keys; return whose form it is.

    Args:
        page: The Annotate page.
        after: The form that was there before; its own keys do not count.
    """
    # The form before can stand on the page, and take keys, until the next is painted over it.
    found: str = page.wait_for_function(
        "after => [...document.querySelectorAll('[data-keys]')].find(one =>"
        " one.classList.contains(`st-key-${one.dataset.keys}`) && one.dataset.keys !== after"
        ")?.dataset.keys",
        arg=after,
    ).json_value()
    return found


def type_keys(page: Page, keys: Iterable[str]) -> None:
    """Press keys one after the other, as fast as the browser takes them."""
    for key in keys:
        page.keyboard.press(key)


def save_and_wait(page: Page, says: str, *, by_key: bool = False) -> None:
    """Save the answers, and wait for the notice and until the next form takes keys."""
    form = wait_for_keys(page)
    if by_key:
        page.keyboard.press("Enter")
    else:
        save(page).click()
    expect(page.get_by_text(says).first).to_be_visible()
    wait_for_keys(page, after=form)
    wait_until_ready(page)


def agree(page: Page) -> None:
    """Agree to take part, and wait for the first item."""
    page.get_by_text("I have read this").click()
    page.get_by_role("button", name="Start").click()
    wait_for_keys(page)
