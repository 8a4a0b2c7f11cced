"""``emorl run``, ``train`` and ``search``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emorl.commands.progress import Bars, quieten_transformers
from emorl.config import RunConfig
from emorl.config.files import read_config, searcher_settings
from emorl.errors import ConfigError
from emorl.records import OWN_SEARCH
from emorl.runs.folder import RunFolder, existing_run, run_folder

if TYPE_CHECKING:
    from emorl.execution.pipeline import Stage


def run(options: argparse.Namespace) -> int:
    """Train all objectives, then search."""
    return execute_stages(*_chosen(options), ("train", "search"), quiet=options.quiet)


def train(options: argparse.Namespace) -> int:
    """Train all objectives."""
    return execute_stages(*_chosen(options), ("train",), quiet=options.quiet)


def search(options: argparse.Namespace) -> int:
    """Search with the adapters that are there: the run's own search, another, or a proof."""
    if options.searcher == "certified":
        from emorl.commands.atlas import certify
        from emorl.search.certified import SearchBudget

        proof = (
            SearchBudget() if options.seconds is None else SearchBudget(seconds=options.seconds)
        )
        return certify(_trained(options), proof, quiet=options.quiet)
    if options.seconds is not None:
        raise ConfigError(
            "--seconds is the time for a proof: it needs --searcher certified. The others have a "
            "number of evaluations (--set search.max_evaluations=..., search.n_rounds=...)."
        )
    names_own = options.searcher == OWN_SEARCH and options.search_name is None
    if options.searcher is not None and not names_own:
        return _search_again(options)
    if options.search_name is not None:
        raise ConfigError(
            "--as names another search than the run's own: it needs --searcher KIND as well."
        )
    return execute_stages(*_chosen(options), ("search",), quiet=options.quiet)


def _search_again(options: argparse.Namespace) -> int:
    """Do another search of a run that is trained, with the settings of the command line."""
    if Path(options.config).suffix == ".toml" or options.seed is not None or options.name:
        raise ConfigError(
            "--searcher does another search of a stored run: give the run's name, without --name "
            "and --seed; --as names the search."
        )
    folder = existing_run(options.artifacts, options.config)
    settings = searcher_settings(options.searcher, options.changes)
    name = options.search_name or options.searcher.rpartition(":")[2]
    from emorl.execution.pipeline import search_with

    quieten_transformers()
    best, value = search_with(folder, Bars(quiet=options.quiet), settings, name)
    if not options.quiet:
        weights = ", ".join(f"{weight:.4f}" for weight in best)
        print(f"Search {name!r}: best weights {weights}; mean reward {value:.4f}.")
    return 0


def execute_stages(
    config: RunConfig, folder: RunFolder, stages: tuple[Stage, ...], *, quiet: bool
) -> int:
    """Do the stages with progress bars, and say where the results are."""
    # Imported here: Torch takes seconds, and wrong input should be told at once.
    from emorl.execution.pipeline import execute

    quieten_transformers()
    execute(config, folder, Bars(quiet=quiet), stages)
    if not quiet:
        print(
            f"Run {folder.run_id!r} is in {folder.root}. See it: `emorl dashboard`, "
            f"`emorl summary {folder.run_id}`."
        )
    return 0


def _chosen(options: argparse.Namespace) -> tuple[RunConfig, RunFolder]:
    """Return the settings and the folder that the command line names."""
    path = Path(options.config)
    if path.suffix == ".toml" or path.is_file():
        config = read_config(path, changes=options.changes)
        config = _from_anywhere(config)
        if options.seed is not None:
            config = replace(config, seed=options.seed)
        name = options.name
        if name is None:
            name = path.stem if config.name == "run" else config.name
        config = replace(config, name=name)
        return config, run_folder(options.artifacts, config.name)
    folder = existing_run(options.artifacts, options.config)
    if options.changes or options.seed is not None or options.name is not None:
        raise ConfigError(
            f"{options.config!r} is a stored run; its settings are fixed. Give a settings file "
            "to start another one."
        )
    return read_config(folder.config), folder


def _trained(options: argparse.Namespace) -> RunFolder:
    """Return the folder of a run that is there, with the settings that the command line names."""
    config, folder = _chosen(options)
    existing_run(options.artifacts, config.name)
    if read_config(folder.config) != config:
        raise ConfigError(
            f"Run {config.name!r} exists with other settings ({folder.config}), and a proof is "
            f"about a run as it was trained. Leave the changes out, or train a run of another "
            "name first: `emorl run CONFIG.toml --name NAME`."
        )
    return folder


def _from_anywhere(config: RunConfig) -> RunConfig:
    """Make the paths absolute, so that the dashboard and later commands find the same files."""
    rewards = {name: _reward_from_anywhere(reward) for name, reward in config.rewards.items()}
    return replace(
        config,
        data=replace(config.data, path=_absolute(config.data.path, must_exist=False)),
        policy=replace(config.policy, model=_absolute(config.policy.model)),
        rewards=rewards,
    )


def _reward_from_anywhere(reward: Any) -> Any:
    """Make those paths absolute that a kind of reward has."""
    if hasattr(reward, "model"):
        reward = replace(reward, model=_absolute(reward.model))
    if hasattr(reward, "module_folder"):
        reward = replace(reward, module_folder=reward.module_folder or str(Path.cwd()))
    return reward


def _absolute(name: str, *, must_exist: bool = True) -> str:
    """Return a path in full; what is no folder here may be a name on the hub and stays."""
    try:
        path = Path(name).expanduser()
        is_path = bool(name) and (path.exists() or not must_exist)
    except (OSError, RuntimeError):  # a name too long, or the home of nobody
        return name
    return str(path.absolute()) if is_path else name
