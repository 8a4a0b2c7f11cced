"""``emorl dashboard``: the Streamlit app as a process of its own."""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import BinaryIO, Self

from emorl.errors import DiskError, FailureError, InputError

_STOP_SECONDS = 5.0
_EXPOSED = (
    "emorl: the dashboard listens on {address} without a login: whoever reaches this address can "
    "read every run, generate text and write studies. Set a password or a login as "
    "docs/sharing.md says, add --read-only, or leave --address out."
)


def dashboard(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    with DashboardProcess(
        options.artifacts,
        port=options.port,
        address=options.address,
        is_read_only=options.read_only,
    ) as process:
        if not process.asks_who_comes and not is_loopback(options.address):
            print(_EXPOSED.format(address=options.address), file=sys.stderr, flush=True)
        print(f"Dashboard: {process.url}   (Ctrl-C ends it)", flush=True)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0


class DashboardProcess:
    """A running dashboard; leaving the context ends it."""

    def __init__(
        self,
        artifacts: Path,
        *,
        port: int = 0,
        address: str = "127.0.0.1",
        is_read_only: bool = False,
    ) -> None:
        """Choose the port.

        Raises:
            InputError: If the port cannot be listened on.
            FailureError: If the dashboard is not installed.
        """
        specification = importlib.util.find_spec("emorl_dashboard")
        if specification is None or specification.origin is None:
            raise FailureError("The dashboard is not installed. Run `pip install -e .`.")
        self._app = Path(specification.origin).parent / "app.py"
        self._artifacts = artifacts
        self._log = artifacts / "dashboard.log"
        self._address = address
        self._is_read_only = is_read_only
        self._port = _usable_port(address, port)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host = f"[{self._address}]" if ":" in self._address else self._address
        return f"http://{host}:{self._port}"

    @property
    def asks_who_comes(self) -> bool:
        """Tell whether a login or a password is configured; the dashboard enforces it."""
        files = (folder / ".streamlit" / "secrets.toml" for folder in (self._home, Path.home()))
        return any(_has_door(file) for file in files)

    @property
    def _home(self) -> Path:
        # Streamlit reads .streamlit/ (theme, limits, secrets) of its working directory.
        return self._app.parent

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
        environment = os.environ | {"EMORL_ARTIFACTS": str(self._artifacts.absolute())}
        if self._is_read_only:
            environment |= {"EMORL_READ_ONLY": "1"}
        log = self._open_log()
        self._process = subprocess.Popen(
            command,
            cwd=self._home,
            env=environment,
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


def is_loopback(address: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _has_door(file: Path) -> bool:
    try:
        secrets = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True  # emorl_dashboard.server.access lets nobody in while the file cannot be read
    access = secrets.get("access", {})
    return "auth" in secrets or (isinstance(access, dict) and "password" in access)


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
