"""Commands that pages name, as they are typed in the folder of the project.

Visitors of a read-only dashboard are not told where the runs lie.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from emorl.runs.folder import RunFolder
from emorl_dashboard.server.read_only import is_read_only

DEFAULT_ARTIFACTS = "artifacts"


def command(folder: RunFolder, words: str) -> str:
    """Return a command about a run.

    Args:
        folder: Of the run.
        words: What follows ``emorl``; the run's name among them.
    """
    if _is_at_home(folder) or is_read_only():
        return f"emorl {words}"
    root = folder.root.parent.parent.resolve()
    return f"emorl {words} --artifacts {shlex.quote(str(root))}"


def seed_command(folder: RunFolder, seed: int) -> str:
    """Return the command that starts the same run with another seed."""
    file = shlex.quote(str(folder.config.absolute()))
    if _is_at_home(folder):
        file = f"{DEFAULT_ARTIFACTS}/runs/{folder.run_id}/{folder.config.name}"
    elif is_read_only():
        file = "CONFIG.toml"
    return command(folder, f"run {file} --seed {seed} --name {folder.run_id}-seed{seed}")


def _is_at_home(folder: RunFolder) -> bool:
    return folder.root.parent.parent.resolve() == Path(DEFAULT_ARTIFACTS).resolve()
