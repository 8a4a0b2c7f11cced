"""What annotators do on their page, for the tests that watch them in a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from playwright.sync_api import Locator, Page, expect


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
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
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


def agree(page: Page) -> None:
    """Agree to take part, and wait for the first item."""
    page.get_by_text("I have read this").click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("[data-keys=ready]")
