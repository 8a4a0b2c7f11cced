"""Settings and fixtures that every test shares."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

_REPOSITORY = Path(__file__).parents[1]

# A worker of pytest-xdist ignores Ctrl-C, and so would the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tiny models gain nothing from threads, and one thread gives the same bits on every machine.
torch.set_num_threads(1)


ALL_TESTS = os.environ.get("EMORL_TESTS") == "all"
"""Whether nightly tests run too, and tests of many cases have more of them; ``make test-all``."""

# A busy machine takes long for an example now and then, which is no failure.
settings.register_profile("any speed", deadline=None)
settings.register_profile("all", deadline=None, max_examples=400)
settings.load_profile("all" if ALL_TESTS else "any speed")


@pytest.fixture(scope="session")
def real_data_folder() -> Path:
    """Return ``EMORL_DATA``, by default ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("EMORL_DATA") or _REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"there is no folder of real data sets {folder}; set EMORL_DATA to it")
    return folder


@pytest.fixture(scope="session")
def pair_file(real_data_folder: Path) -> Path:
    """Return the PAIR CSV."""
    return real_data_folder / "pair" / "topic_clean_umich.csv"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave nightly tests out of the other tiers; let files with slow tests begin.

    A slow file at the end would leave one core idle.
    """
    if not ALL_TESTS:
        nightly = [item for item in items if item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under ``CI=true``, count a skipped browser or real-data test as failed."""
    report = yield
    must_run = item.get_closest_marker("browser") or item.get_closest_marker("data")
    if os.environ.get("CI") == "true" and must_run and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report
