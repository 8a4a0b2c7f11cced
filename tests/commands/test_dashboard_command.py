"""``emorl dashboard``: what it listens on, what it warns of, what it hands to the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emorl.__main__ import main
from emorl.commands import dashboard


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the server's process was started with; it ends at once."""
    seen: dict[str, Any] = {}

    class Process:
        def __init__(self, command: list[str], **options: Any) -> None:
            seen.update(options, command=command)

        def wait(self, _patience: float | None = None) -> int:
            return 0

        def poll(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("EMORL_READ_ONLY", raising=False)
    return seen


def start(tmp_path: Path, *words: str) -> int:
    return main(["dashboard", "--artifacts", str(tmp_path / "artifacts"), *words])


def test_it_listens_on_this_machine_and_may_write(
    started: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(tmp_path) == 0
    assert "--server.address=127.0.0.1" in started["command"]
    assert started["command"][0] == sys.executable
    assert "EMORL_READ_ONLY" not in started["env"]
    assert capsys.readouterr().err == ""


def test_read_only_is_handed_to_the_server(started: dict[str, Any], tmp_path: Path) -> None:
    assert start(tmp_path, "--read-only") == 0
    assert started["env"]["EMORL_READ_ONLY"] == "1"


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    ("secrets", "warns"),
    [
        (None, True),
        ("[access]\nallowed = []", True),
        ("[access]\npassword = 'a long sentence'", False),
        ("[auth]\nclient_id = 'x'", False),
        ("not TOML", False),
    ],
)
def test_an_open_door_to_other_machines_is_warned_of(
    secrets: str | None, warns: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if secrets is not None:
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / "secrets.toml").write_text(secrets, encoding="utf-8")
    assert start(tmp_path, "--address", "0.0.0.0") == 0
    assert ("docs/sharing.md" in capsys.readouterr().err) is warns


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_addresses_of_this_machine_are_known(address: str, is_loopback: bool) -> None:
    assert dashboard.is_loopback(address) is is_loopback
