"""A run from settings to results: the one place where the engine's parts meet.

Stages hand over through the run's folder only (adapters as files, the rest in the store), so a
run that was stopped anywhere goes on with what is there, and ends as if undisturbed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from engine.artifacts import RunFolder, write_atomically
from engine.config import RunConfig
from engine.config_file import config_text, read_config
from engine.data import load_prompts
from engine.ensemble.ensemble import Ensemble
from engine.errors import ConfigError, DataError, DiskError
from engine.evaluation import Evaluator
from engine.policy import (
    Policy,
    add_adapter,
    load_adapters,
    load_policy,
    resolve_device,
    save_adapter,
)
from engine.publishing import Heartbeat
from engine.records import AdapterSummary, Prompt, SearchRound, Split, TrainingStep, Weights
from engine.rewards import RewardTable, load_rewards
from engine.search.hierarchical import hierarchical_search, n_grid_points
from engine.seeds import derived_seed
from engine.store import RunStore
from engine.systems import system_scores
from engine.training.checkpoint import Checkpoint
from engine.training.scst import ScstTrainer

Stage = Literal["train", "search"]
STAGES: tuple[Stage, ...] = ("train", "search")

LEAST_DISTINCT_FRACTION = 0.5
"""An adapter whose greedy responses are less varied than this has probably hacked its reward."""


class Progress(Protocol):
    """Told how far the run is; the command line draws bars of it."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """A part of the run begins; ``done`` of ``total`` is there from an earlier try."""

    def advance(self, n: int, note: str = "") -> None:
        """``n`` more are done; ``note`` is the latest figure."""

    def end(self) -> None:
        """The part is over."""


@dataclass(frozen=True, slots=True)
class _Run:
    config: RunConfig
    folder: RunFolder
    store: RunStore
    heartbeat: Heartbeat
    progress: Progress
    prompts: Sequence[Prompt]

    def texts(self, split: Split) -> list[str]:
        return [prompt.prompt for prompt in self.prompts if prompt.split == split]


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
        with Heartbeat(store, folder, _expected(config)) as heartbeat:
            _keep_prompts(store, data.prompts)
            if data.skipped:
                heartbeat.warn(
                    f"{len(data.skipped)} bad rows of {config.data.path} were left out: "
                    + "; ".join(f"line {row.line}: {row.reason}" for row in data.skipped[:5])
                )
            _execute(_Run(config, folder, store, heartbeat, progress, data.prompts), stages)
    finally:
        store.close()


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
    if store.prompts() != set(prompts):
        raise DataError(
            "The data changed since this run began: its prompts are not the stored ones, and "
            "its results would belong to others. Restore the data, or start a run of another "
            "name (--name NAME)."
        )


def _execute(run: _Run, stages: Sequence[Stage]) -> None:
    if len(run.store.finished_systems()) == _n_systems(run.config):
        _warn_of_low_variety(run)
        return
    device = resolve_device(run.config.policy.device)
    rewards = load_rewards(run.config, device=str(device))
    if "train" in stages:
        for objective in run.config.objectives:
            if not _is_trained(run, objective):
                _train(run, rewards, objective)
    _warn_of_low_variety(run)
    if "search" not in stages:
        run.heartbeat.say(
            phase="paused",
            detail="",
            message=f"The adapters are trained. Go on with `emorl search {run.folder.run_id}`.",
        )
        return
    folders = {name: run.folder.adapters / name for name in run.config.objectives}
    policy = load_adapters(load_policy(run.config.policy), folders)
    best = _search(run, policy, rewards)
    _score(run, policy, rewards, best)


def _is_trained(run: _Run, objective: str) -> bool:
    # An adapter whose folder was deleted is trained again; its stored rows stay as they are.
    weights = run.folder.adapters / objective / "adapter_model.safetensors"
    return objective in run.store.adapters() and weights.is_file()


def _train(run: _Run, rewards: RewardTable, objective: str) -> None:
    config = run.config.training_for(objective)
    policy = add_adapter(
        load_policy(run.config.policy),
        objective,
        run.config.adapter,
        seed=derived_seed(run.config.seed, objective),
    )
    trainer = ScstTrainer(
        policy,
        objective,
        rewards,
        config,
        train_prompts=run.texts("train"),
        validation_prompts=run.texts("aggregation"),
        seed=run.config.seed,
    )
    path = run.folder.checkpoints / f"{objective}.safetensors"
    checkpoint = Checkpoint.read(path)
    if checkpoint is not None:
        trainer.restore(checkpoint)
    run.heartbeat.say(phase="training", detail=objective)
    run.progress.start(f"train {objective}", config.max_steps, trainer.progress.step)
    for record in trainer.run():
        if isinstance(record, TrainingStep):
            run.store.add_training_step(record)
            run.progress.advance(1, f"reward {record.reward:.3f}, KL {record.kl:.2f}")
        else:
            run.store.add_validation(*record)
            trainer.checkpoint().write(path)
        run.heartbeat.check()
    run.progress.end()
    _finish_adapter(run, policy, trainer, objective)
    path.unlink(missing_ok=True)


def _finish_adapter(run: _Run, policy: Policy, trainer: ScstTrainer, objective: str) -> None:
    prompts = run.texts("inference")
    texts = Ensemble(policy, (objective,)).generate(prompts, [(1.0,)])[0]
    n_distinct = len({generated.text for generated in texts})
    save_adapter(policy, objective, run.folder.adapters / objective)
    done = trainer.progress
    run.store.add_adapter(
        AdapterSummary(
            adapter=objective,
            steps=done.step,
            data_points=done.step * run.config.training_for(objective).prompts_per_step,
            samples=done.samples,
            tokens=done.tokens,
            seconds=done.seconds,
            converged=done.converged,
            n_distinct=n_distinct,
            n_responses=len(texts),
        )
    )


def _warn_of_low_variety(run: _Run) -> None:
    for done in run.store.adapters().values():
        if done.n_distinct < LEAST_DISTINCT_FRACTION * done.n_responses:
            run.heartbeat.warn(
                f"Adapter {done.adapter!r} gives only {done.n_distinct} different responses to "
                f"{done.n_responses} held-out prompts: it has probably found a text that its "
                "reward likes everywhere. Raise training.kl_coefficient or lower "
                "training.learning_rate for it."
            )


def _search(run: _Run, policy: Policy, rewards: RewardTable) -> Weights:
    """Search, and return the best weights of the last round."""
    config, names = run.config.search, run.config.objectives
    known = run.store.measurements()
    run.heartbeat.say(phase="searching", detail=f"{len(known)} combinations measured before")
    run.progress.start("search", n_grid_points(len(names), config))
    measure = Evaluator(Ensemble(policy, names), rewards, run.texts("aggregation"))
    best: Weights = ()
    for event in hierarchical_search(measure, len(names), config, known=known):
        if isinstance(event, SearchRound):
            run.store.add_round(event)
            best = event.best_weights
            run.heartbeat.say(detail=f"round {event.round} of {config.n_rounds} done")
            run.progress.advance(0, f"best mean reward {event.best_mean_reward:.3f}")
        else:
            run.store.add_evaluations(event)
            run.progress.advance(len(event))
        run.heartbeat.check()
    run.progress.end()
    return best


def _score(run: _Run, policy: Policy, rewards: RewardTable, best: Weights) -> None:
    finished = run.store.finished_systems()
    run.heartbeat.say(phase="scoring", detail="held-out prompts")
    run.progress.start("score held-out prompts", _n_systems(run.config), len(finished))
    scores = system_scores(
        policy,
        rewards,
        run.texts("inference"),
        best,
        seed=derived_seed(run.config.seed, "inference"),
        skip=finished,
    )
    for score in scores:
        run.store.add_system(score)
        run.progress.advance(1, score.system)
        run.heartbeat.check()
    run.progress.end()


def _n_systems(config: RunConfig) -> int:
    """Base and adapters greedy and sampled, the best ensemble greedy."""
    return 2 * (1 + len(config.objectives)) + 1


def _expected(config: RunConfig) -> dict[str, int]:
    steps = sum(config.training_for(name).max_steps for name in config.objectives)
    return {
        "training_steps": steps,
        "evaluations": n_grid_points(len(config.objectives), config.search),
        "rounds": config.search.n_rounds,
        "adapters": len(config.objectives),
    }
