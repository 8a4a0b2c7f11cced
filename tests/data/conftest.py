"""The folder of real data sets; under CI=true it must be there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def real_data_folder() -> Path:
    """Return ``EMORL_DATA``, by default ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("EMORL_DATA") or _REPOSITORY.parent / "shared" / "data")
    if folder.is_dir():
        return folder
    reason = f"there is no folder of real data sets {folder}; set EMORL_DATA to it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def pair_file(real_data_folder: Path) -> Path:
    """Return the PAIR CSV."""
    return real_data_folder / "pair" / "topic_clean_umich.csv"
