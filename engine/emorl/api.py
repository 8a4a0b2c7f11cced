"""Functions of the public API: runs, searches and results from Python.

``emorl.__init__`` lists what is public; everything else may change without notice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorl.config import RunConfig
from emorl.config.files import searcher_settings
from emorl.config.kinds import REWARDS
from emorl.errors import ConfigError
from emorl.records import Weights
from emorl.runs.folder import RunFolder, existing_run, run_folder
from emorl.runs.snapshots import read_snapshot
from emorl.runs.summary import summarise

if TYPE_CHECKING:
    import pandas as pd

ARTIFACTS = Path("artifacts")
"""Where runs are kept, unless another folder is given."""


def reward(kind: str, **settings: Any) -> Any:
    """Return the settings of a reward, for ``RunConfig(rewards={objective: ...})``.

    Args:
        kind: ``sequence_classifier``, ``perplexity``, ``cross_encoder_state_dict``,
            ``callable``, or your own as ``module:attribute``.
        settings: Of the kind, e.g. ``target="my_rewards:brevity"``.

    Raises:
        ConfigError: If there is no such kind, or a setting is impossible.
    """
    return REWARDS.config(kind, **settings)


def run(
    config: RunConfig, artifacts: Path | str = ARTIFACTS, *, stages: Sequence[str] = ()
) -> RunFolder:
    """Train, search and score a run, or go on with it where it stopped.

    Args:
        config: Settings: ``preset(...)``, ``read_config(...)`` or a ``RunConfig``; ``name`` is
            the run's.
        artifacts: Folder of runs and studies.
        stages: ``("train",)`` or ``("search",)`` for one half; empty for both.

    Returns:
        The run's folder; ``emorl dashboard`` shows it.

    Raises:
        EmorlError: Whatever goes wrong; what was stored before is kept, and the same call goes
            on from there.
    """
    from emorl.execution.context import NoProgress
    from emorl.execution.pipeline import STAGES, execute

    chosen = [stage for stage in STAGES if not stages or stage in stages]
    unknown = sorted(set(stages) - set(STAGES))
    if unknown:
        raise ConfigError(f"stages must be some of {list(STAGES)}, got {unknown[0]!r}.")
    folder = run_folder(Path(artifacts), config.name)
    execute(config, folder, NoProgress(), chosen)
    return folder


def search_weights(
    run_id: str,
    searcher: str,
    artifacts: Path | str = ARTIFACTS,
    *,
    name: str = "",
    **settings: Any,
) -> tuple[Weights, float]:
    """Search the weights of a run that is trained once more; see ``emorl search --searcher``.

    Args:
        run_id: Name of the run.
        searcher: ``grid``, ``random``, ``bayesian``, or your own as ``module:attribute``.
        artifacts: Folder of runs and studies.
        name: What the search is called in the results; empty: its kind.
        settings: Of the searcher, e.g. ``max_evaluations=30``.

    Returns:
        The best weights that it found, and their mean reward over objectives, in [0, 1].

    Raises:
        EmorlError: If the run, the searcher or a setting is none there is, or the searcher fails.
    """
    from emorl.execution.context import NoProgress
    from emorl.execution.pipeline import search_with

    folder = existing_run(Path(artifacts), run_id)
    changes = [f"search.{key}={json.dumps(value)}" for key, value in settings.items()]
    chosen = name or searcher.rpartition(":")[2]
    return search_with(folder, NoProgress(), searcher_settings(searcher, changes), chosen)


def results(run_id: str, table: str, artifacts: Path | str = ARTIFACTS) -> pd.DataFrame:
    """Return a table of a run, as far as it is published.

    Args:
        run_id: Name of the run.
        table: ``evaluations``, ``responses``, ``systems``, ``training_steps``, ``front``, ...: the
            names of the files in the run's folder ``published``.
        artifacts: Folder of runs and studies.

    Raises:
        ConfigError: If there is no such table.
        RunNotFoundError: If there is no such run.
        StoreError: If the file is damaged.
    """
    from emorl.runs.schema import COLUMNS

    if table not in COLUMNS:
        raise ConfigError(f"table must be one of {sorted(COLUMNS)}, got {table!r}.")
    frame: pd.DataFrame = read_snapshot(existing_run(Path(artifacts), run_id), table).to_pandas()
    return frame


def summary(run_id: str, artifacts: Path | str = ARTIFACTS) -> dict[str, Any]:
    """Return what a run found and what it cost, as ``emorl summary --json`` prints it.

    Raises:
        RunNotFoundError: If there is no such run.
    """
    return summarise(existing_run(Path(artifacts), run_id))
