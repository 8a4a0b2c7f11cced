"""``python -m emorl_dashboard.report ARTIFACTS RUN FILE``: ``emorl export report`` starts it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Write the report and return an exit code; an error is said in words on stderr."""
    artifacts, name, target = arguments
    os.environ["EMORL_ARTIFACTS"] = artifacts
    from emorl.errors import EmorlError

    try:
        write_report(name, Path(target))
    except EmorlError as error:
        sys.stderr.write(f"emorl: {error}\n")
        return error.exit_code
    return 0


def write_report(name: str, target: Path) -> None:
    """Write a run's report.

    Args:
        name: Name of a run below ``$EMORL_ARTIFACTS``.
        target: File to write; it is replaced in one step.

    Raises:
        RunNotFoundError: If there is no such run.
        ConfigError: If its settings cannot be read.
        DiskError: If the file cannot be written.
    """
    from emorl.errors import ConfigError, DiskError
    from emorl.runs.folder import existing_run, write_atomically
    from emorl_dashboard.data import queries
    from emorl_dashboard.report.content import sections
    from emorl_dashboard.report.page import page_text

    existing_run(queries.artifacts_root(), name)
    [run] = [run for run in queries.runs() if run.run_id == name]
    if run.config is None:
        raise ConfigError(run.problem)
    text = page_text(f"EMORL Atlas: {name}", sections(run))
    try:
        write_atomically(target, text)
    except OSError as error:
        raise DiskError(f"Cannot write {target}: {error}. Choose another --out.") from error


if __name__ == "__main__":
    # Streamlit's caches, used outside of a page, warn that there is none.
    logging.disable(logging.WARNING)
    sys.exit(main(sys.argv[1:]))
