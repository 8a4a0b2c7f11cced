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


# A busy machine takes long for an example now and then, which is no failure.
settings.register_profile("any speed", deadline=None)
settings.load_profile("any speed")


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with slow tests begin: one at the end would have one core idle beside it."""
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
