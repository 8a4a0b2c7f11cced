"""``emorl dashboard``: the Streamlit app as a process of its own."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, Self

from engine.errors import DiskError, FailureError, InputError

_STOP_SECONDS = 5.0


def dashboard(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    with DashboardProcess(
        options.artifacts, port=options.port, address=options.address
    ) as process:
        print(f"Dashboard: {process.url}   (Ctrl-C ends it)", flush=True)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0


class DashboardProcess:
    """A running dashboard; leaving the context ends it."""

    def __init__(self, artifacts: Path, *, port: int = 0, address: str = "127.0.0.1") -> None:
        """Choose the port.

        Raises:
            InputError: If the port cannot be listened on.
            FailureError: If the dashboard is not installed.
        """
        specification = importlib.util.find_spec("dashboard")
        if specification is None or specification.origin is None:
            raise FailureError("The dashboard is not installed. Run `pip install -e .`.")
        self._app = Path(specification.origin).parent / "app.py"
        self._artifacts = artifacts
        self._log = artifacts / "dashboard.log"
        self._address = address
        self._port = _usable_port(address, port)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{self._address}:{self._port}"

    def __enter__(self) -> Self:
        command = [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            str(self._app),
            f"--server.port={self._port}",
            f"--server.address={self._address}",
            "--server.headless=true",
            "--browser.gatherUsageStats=false",
        ]
        log = self._open_log()
        self._process = subprocess.Popen(
            command,
            # Streamlit reads .streamlit/config.toml (theme, limits) of its working directory.
            cwd=self._app.parent.parent,
            env=os.environ | {"EMORL_ARTIFACTS": str(self._artifacts.absolute())},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> int:
        """Wait until the dashboard ends by itself.

        Raises:
            FailureError: If it ended with an error.
        """
        code = self._process.wait() if self._process is not None else 0
        if code != 0:
            raise FailureError(f"The dashboard ended with exit code {code}; {self._log} says why.")
        return code

    def _open_log(self) -> BinaryIO:
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            return self._log.open("wb")
        except OSError as error:
            raise DiskError(
                f"Cannot write {self._log}: {error}. Choose another --artifacts folder."
            ) from error


def _usable_port(address: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            return int(probe.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Cannot listen on {address}:{port}: {error}. Choose another --port (0 takes a free "
            "one) or --address."
        ) from error
