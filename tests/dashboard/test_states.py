"""The product of every state of a run and every page of the app, in process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emorl_dashboard import app
from emorl_dashboard.live import models as live
from tests.e2e import served_app
from tests.support.states import write_states

pytestmark = pytest.mark.slow

PAGES = sorted(app.RUN_PAGES | app.STUDY_PAGES)
"""The views that the app shows: a page that is added is tested."""


@pytest.fixture(scope="module")
def states(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with a run in every state, and the names of the runs."""
    folder = tmp_path_factory.mktemp("states")
    return folder, list(write_states(folder, artifacts))


@pytest.fixture(autouse=True)
def _formula_models() -> Iterator[None]:
    live.use_loader(served_app.load)
    yield
    live.use_loader(None)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_every_state(
    name: str, states: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, runs = states
    monkeypatch.setenv("EMORL_ARTIFACTS", str(folder))
    faults = []
    for run in runs:
        page = AppTest.from_function(_draw, default_timeout=60, args=(name,))
        page.query_params["run"] = run
        page.run()
        faults += [f"{run}: {error.value}" for error in page.exception]
        if not page.title:
            faults.append(f"{run}: the page has no title")
    assert faults == []


def _draw(name: str) -> None:
    from importlib import import_module

    from emorl_dashboard.state import selection

    selection.read_url("page")
    import_module(f"emorl_dashboard.views.{name}").render()
