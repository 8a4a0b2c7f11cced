"""A run from settings to results: the one place where the engine's parts meet.

Stages hand over through the run's folder only (adapters as files, the rest in the store), so a
run that was stopped anywhere goes on with what is there, and ends as if undisturbed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch

from emorl.config import RunConfig
from emorl.config.files import config_text, read_config
from emorl.config.kinds import SEARCHERS
from emorl.data import load_prompts
from emorl.decoding.atlas import AtlasBudget
from emorl.errors import ConfigError, DataError, DiskError
from emorl.execution.context import Progress, Run
from emorl.execution.scoring import n_systems, score
from emorl.execution.searching import (
    INCOMPLETE_WARNING,
    extend_atlas,
    prove,
    search,
    search_again,
)
from emorl.execution.training import is_trained, train, warn_of_low_variety
from emorl.models.adapters import load_adapters
from emorl.models.policy import load_policy, resolve_device
from emorl.names import check_name
from emorl.records import OWN_SEARCH, DataSplit, Prompt, Weights
from emorl.rewards import load_rewards
from emorl.runs.folder import RunFolder, write_atomically
from emorl.runs.publishing import Heartbeat
from emorl.runs.store import RunStore
from emorl.search.certified import SearchBudget
from emorl.search.protocol import Searcher
from emorl.weights import WeightSpace, direction_key

Stage = Literal["train", "search"]
STAGES: tuple[Stage, ...] = ("train", "search")


def execute(
    config: RunConfig, folder: RunFolder, progress: Progress, stages: Sequence[Stage] = STAGES
) -> None:
    """Do what is not done yet of the given stages, in order.

    Raises:
        ConfigError: If the run is there with other settings and results; nothing is changed.
        RunLockedError: If another engine works on the run.
        EmorlError: Whatever goes wrong; what was stored before is kept.
    """
    data = load_prompts(config.data, seed=config.seed)
    _claim(config, folder)
    torch.set_num_threads(config.threads)
    store = RunStore(folder.database, config.objectives)
    try:
        with Heartbeat(store, folder, _expected(config, data.prompts)) as heartbeat:
            _keep_prompts(store, data.prompts)
            if data.skipped:
                heartbeat.warn(
                    f"{len(data.skipped)} bad rows of {config.data.path} were left out: "
                    + "; ".join(f"line {row.line}: {row.reason}" for row in data.skipped[:5])
                )
            _execute(Run(config, folder, store, heartbeat, progress, data.prompts), stages)
    finally:
        store.close()


def explore(
    folder: RunFolder,
    progress: Progress,
    *,
    own_prompts: Sequence[str] = (),
    split: DataSplit = "aggregation",
    budget: AtlasBudget | None = None,
    proof: SearchBudget | None = None,
    check: bool = False,
) -> None:
    """Map responses with the adapters of a run, and prove which weights are best.

    Args:
        folder: A run whose adapters are trained.
        progress: Told how far it is.
        own_prompts: Prompts to map instead of those of a split.
        split: Split whose prompts are mapped; what is complete is not mapped again.
        budget: For the atlases; the run's settings by default.
        proof: If given, prove the best weights from the aggregation prompts' atlases.
        check: Decode at the middle of every cell by the generic back end, and warn of
            differences.

    Raises:
        ModelError: If an adapter is not trained yet.
        PromptError: If a prompt of one's own is blank or too long.
        RunLockedError: If another engine works on the run.
    """
    with _opened(folder, progress) as run:
        run.heartbeat.forget(INCOMPLETE_WARNING)
        extend_atlas(run, own_prompts, split, budget, check=check)
        if proof is not None:
            prove(run, proof)
        if len(run.store.finished_systems()) < n_systems(run.config):
            _pause(run, "search")


def search_with(
    folder: RunFolder, progress: Progress, settings: Any, name: str
) -> tuple[Weights, float]:
    """Do another search of the weights of a run; what is stored is kept, and goes on.

    Args:
        folder: A run whose adapters are trained.
        progress: Receives progress.
        settings: Of a kind of ``SEARCHERS``.
        name: What the search is called in the store.

    Returns:
        The best weights that it found, and their mean reward.

    Raises:
        ConfigError: If the name is taken, or has no form of a name.
        ModelError: If an adapter is not trained yet.
        PlugInError: If the searcher fails; what was measured before is stored.
        RunLockedError: If another engine works on the run.
    """
    check_name("the name of a search", name)
    if name in (OWN_SEARCH, "certified"):
        raise ConfigError(
            f"{name!r} is the name of another search of every run. Choose one (--as NAME)."
        )
    with _opened(folder, progress) as run:
        best = search_again(run, settings, name)
        means = run.store.measured()[direction_key(best)].mean_reward
        if len(run.store.finished_systems()) < n_systems(run.config):
            _pause(run, "search")
    return best, means


@contextmanager
def _opened(folder: RunFolder, progress: Progress) -> Iterator[Run]:
    """Open a run that is there, and let its heart beat."""
    config = read_config(folder.config)
    data = load_prompts(config.data, seed=config.seed)
    torch.set_num_threads(config.threads)
    before = folder.read_status()
    store = RunStore(folder.database, config.objectives)
    try:
        with Heartbeat(store, folder, _expected(config, data.prompts)) as heartbeat:
            if before is not None:
                heartbeat.say(warnings=before.warnings)
            _keep_prompts(store, data.prompts)
            yield Run(config, folder, store, heartbeat, progress, data.prompts)
    finally:
        store.close()


def _pause(run: Run, command: str) -> None:
    run.heartbeat.say(
        phase="paused",
        detail="",
        message=f"The adapters are trained. Go on with `emorl {command} {run.folder.run_id}`.",
    )


def _claim(config: RunConfig, folder: RunFolder) -> None:
    """Write the run's settings; those of an earlier try without results are replaced."""
    if folder.config.is_file():
        there = read_config(folder.config)
        if there == config:
            return
        if _has_results(there, folder):
            raise ConfigError(
                f"Run {folder.run_id!r} exists with other settings ({folder.config}). Give the "
                "new run another name (--name NAME), or delete the old run's folder."
            )
        folder.database.unlink(missing_ok=True)
    try:
        write_atomically(folder.config, config_text(config))
    except OSError as error:
        raise DiskError(f"Cannot write {folder.config}: {error}. Free some room.") from error


def _has_results(config: RunConfig, folder: RunFolder) -> bool:
    if not folder.database.is_file():
        return False
    store = RunStore(folder.database, config.objectives)
    try:
        counts = store.counts()
    finally:
        store.close()
    return any(n for name, n in counts.items() if name != "prompts")


def _keep_prompts(store: RunStore, prompts: Sequence[Prompt]) -> None:
    """Store the prompts, or check that a resumed run reads the same ones."""
    store.add_prompts(prompts)
    if {prompt for prompt in store.prompts() if prompt.split != "own"} != set(prompts):
        raise DataError(
            "The data changed since this run began: its prompts are not the stored ones, and "
            "its results would belong to others. Restore the data, or start a run of another "
            "name (--name NAME)."
        )


def _execute(run: Run, stages: Sequence[Stage]) -> None:
    if len(run.store.finished_systems()) == n_systems(run.config):
        warn_of_low_variety(run)
        return
    device = resolve_device(run.config.policy.device)
    rewards = load_rewards(run.config, device=str(device))
    if "train" in stages:
        open_ = [name for name in run.config.objectives if not is_trained(run, name)]
        if run.config.train_together and open_:
            train(run, rewards, open_)
        else:
            for objective in open_:
                train(run, rewards, [objective])
    warn_of_low_variety(run)
    if "search" not in stages:
        _pause(run, "search")
        return
    folders = {name: run.folder.adapters / name for name in run.config.objectives}
    policy = load_adapters(load_policy(run.config.policy), folders)
    best = search(run, policy, rewards)
    score(run, policy, rewards, best)


def _expected(config: RunConfig, prompts: Sequence[Prompt]) -> dict[str, int]:
    steps = sum(config.training_for(name).max_steps for name in config.objectives)
    return {
        "training_steps": steps,
        "evaluations": _n_evaluations(config),
        "rounds": getattr(config.search, "n_rounds", 1),
        "adapters": len(config.objectives),
        "atlases": sum(p.split == "aggregation" for p in prompts) * config.atlas.enabled,
    }


def _n_evaluations(config: RunConfig) -> int:
    space = WeightSpace(config.objectives)
    searcher: Searcher = SEARCHERS.load(config.search, space, seed=config.seed)
    return searcher.n_expected
