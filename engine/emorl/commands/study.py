"""``emorl study``: hands everything on to the dashboard's side, which knows studies.

A process of its own, as the engine imports nothing of the dashboard.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys

from emorl.errors import FailureError


def study(options: argparse.Namespace) -> int:
    """Do one action and return its exit code.

    Raises:
        FailureError: If the dashboard is not installed.
    """
    if importlib.util.find_spec("emorl_dashboard") is None:
        raise FailureError("The dashboard is not installed. Run `pip install -e .`.")
    command = [sys.executable, "-m", "emorl_dashboard.study.owner.cli"]
    artifacts = f"--artifacts={options.artifacts.absolute()}"
    return subprocess.call([*command, artifacts, *(options.rest or ["--help"])])
