"""Print every number of a study's page Results again, and compare it with the stored ones.

Stands alone in a replication bundle, beside ``data``, ``code``, ``settings.json`` and
``results.json``: it needs Python, NumPy, pandas, PyArrow, SciPy and statsmodels, as listed in
``requirements.txt``, and neither the project nor a network. The exit code is 1 where a number
differs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(folder: Path) -> int:
    """Compute, print and compare; return the exit code."""
    sys.path.insert(0, str(folder / "code"))
    # Imported here, from the folder beside this file, never from an installed project.
    from emorl_dashboard.study.analysis import records, report

    settings: dict[str, Any] = json.loads((folder / "settings.json").read_text("utf-8"))
    data = _data(folder / "data", settings["mode"])
    tables = report.study_tables(data, n_resamples=settings["n_resamples"], seed=settings["seed"])
    code = Path(report.__file__).resolve()
    own = (folder / "code").resolve()
    where = code.relative_to(own) if own in code.parents else code
    sys.stdout.write(f"study {settings['study_id']}, seal {settings['seal']}\n")
    sys.stdout.write(f"computed by {where.as_posix()} of this bundle\n\n")
    sys.stdout.write(records.as_text(tables))
    stored = json.loads((folder / "results.json").read_text("utf-8"))
    found = records.differences(records.as_records(tables), stored)
    for line in found:
        sys.stdout.write(f"DIFFERS: {line}\n")
    n_tables = len(tables)
    sys.stdout.write(
        "\n"
        + (
            f"{len(found)} numbers differ.\n"
            if found
            else f"All {n_tables} tables are as stored.\n"
        )
    )
    return 1 if found else 0


def _data(folder: Path, mode: str) -> Any:
    import pandas as pd

    from emorl_dashboard.study.analysis.report import StudyData

    def table(name: str) -> pd.DataFrame:
        return pd.read_parquet(folder / f"{name}.parquet")

    return StudyData(
        mode="pairwise" if mode == "pairwise" else "rating",
        items=table("items"),
        answers=table("answers"),
        pairs=table("pairs") if mode == "pairwise" else None,
        automatic=table("automatic"),
        texts=table("texts"),
    )


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
