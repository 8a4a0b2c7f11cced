"""A served dashboard over synthetic runs, and a Chromium to look at it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.support.synthetic import write_artifacts

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHED_OFF = [
    # Every window draws the suggestions of its address bar, which nobody sees, by two pages of
    # their own: nearly half of the processor time of opening a page of the dashboard.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    # The flag is in the place of Playwright's, which holds these.
    "AimEnabled",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(SWITCHED_OFF)}",
]
START_SECONDS = 60.0
PATIENCE_MS = 30_000  # a busy machine draws few frames
expect.set_options(timeout=PATIENCE_MS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


APP = "dashboard/emorl_dashboard/app.py"
"""The dashboard as ``emorl dashboard`` starts it."""


@contextmanager
def serve(artifacts: Path, log: Path, app: str = "tests/e2e/served_app.py") -> Iterator[str]:
    """Run the dashboard in its own process; give its URL once it answers."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "streamlit", "run", app]
    environment = os.environ | {"EMORL_ARTIFACTS": str(artifacts), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(f"{url}/_stcore/health", process, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)  # polling a process that has no way to tell us
    raise RuntimeError(f"The dashboard did not start:\n{log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def site(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "dashboard.log"
    with serve(store, log) as url:
        yield url
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "empty.log"
    with serve(tmp_path_factory.mktemp("nothing"), log) as url:
        yield url
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = os.environ.get("EMORL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found, args=FLAGS) as browser,
    ):
        yield browser


class Watched:
    """A page, and everything it complained about or fetched from elsewhere."""

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.site = site
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url, site))

    def open(self, url: str) -> Page:
        self.page.goto(url)
        wait_until_ready(self.page)
        return self.page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not self._is_probe(message.location["url"]):
            self.complaints.append(f"{message.text} {message.location['url']}")

    @staticmethod
    def _is_probe(url: str) -> bool:
        # Opened at /training, Streamlit first asks whether it is served below /training; the
        # browser itself logs the 404. Streamlit offers no way to turn the question off.
        return re.search(r"/[\w-]+/_stcore/(health|host-config)$", url) is not None

    def _asked(self, url: str, site: str) -> None:
        host = site.split("//")[1]
        if not url.startswith((f"http://{host}", f"ws://{host}", "data:", "blob:")):
            self.complaints.append(f"asked {url}")


def wait_until_ready(page: Page) -> None:
    """Wait for the page's end marker and for the script to come to rest."""
    # Looks at every frame; waiting for a selector looks every half second.
    page.wait_for_function(
        "() => document.querySelector('.st-key-page-ready') && document.querySelector("
        "'[data-testid=stApp]')?.getAttribute('data-test-script-state') === 'notRunning'"
    )


OpenPage = Callable[..., Watched]


@pytest.fixture
def watched(chromium: Browser) -> Iterator[OpenPage]:
    contexts = []

    def make(
        site: str, *, width: int = 1440, height: int = 1000, scheme: str = "light"
    ) -> Watched:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        return Watched(context.new_page(), site)

    yield make
    for context in contexts:
        context.close()
