"""``emorl demo``: the embedded default from nothing to a dashboard."""

from __future__ import annotations

import argparse

from emorl.commands.dashboard import DashboardProcess
from emorl.commands.run import execute_stages
from emorl.config.files import preset
from emorl.runs.folder import run_folder


def demo(options: argparse.Namespace) -> int:
    """Open the dashboard, fill it live, and keep it open until Ctrl-C."""
    config = preset("embedded", seed=options.seed, name=options.name)
    folder = run_folder(options.artifacts, config.name)
    if options.no_serve:
        return execute_stages(config, folder, ("train", "search"), quiet=options.quiet)
    with DashboardProcess(options.artifacts, port=options.port) as dashboard:
        print(f"Dashboard: {dashboard.url}   (Ctrl-C ends it)", flush=True)
        execute_stages(config, folder, ("train", "search"), quiet=options.quiet)
        print(f"The run is finished. Dashboard: {dashboard.url}   (Ctrl-C ends it)", flush=True)
        try:
            return dashboard.wait()
        except KeyboardInterrupt:
            return 0
