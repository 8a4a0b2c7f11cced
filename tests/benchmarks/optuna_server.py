"""Serve a study of three objectives with Optuna Dashboard.

Run by a Python that has ``optuna`` and ``optuna-dashboard``; not one of this project's
requirements: ``python tests/benchmarks/optuna_server.py PORT SCORES.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import optuna
import optuna_dashboard  # type: ignore[import-not-found]


def main() -> None:
    """Make the study in memory, and serve it until killed."""
    port, scores = int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, directions=["maximize"] * len(scores[0]))
    weight = optuna.distributions.FloatDistribution(0.0, 1.0)
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={"w": 0.5}, distributions={"w": weight}, values=tuple(values)
            )
            for values in scores
        ]
    )
    optuna_dashboard.run_server(storage, host="127.0.0.1", port=port)


if __name__ == "__main__":
    main()
