"""Synthetic runs, and the dashboard told to read them."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st

from tests.support.synthetic import write_artifacts


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that no test changes."""
    return write_artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def served(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs, as the dashboard's artifacts folder."""
    monkeypatch.setenv("EMORL_ARTIFACTS", str(artifacts))
    return artifacts


@pytest.fixture(autouse=True)
def _no_memory_of_other_tests() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()
