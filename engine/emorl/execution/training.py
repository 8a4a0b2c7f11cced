"""Train one adapter per objective."""

from __future__ import annotations

from collections.abc import Sequence

from emorl.execution.context import Run
from emorl.models.adapters import add_adapter, save_adapter
from emorl.models.policy import Policy, load_policy
from emorl.policies import policies_of_objectives
from emorl.records import AdapterSummary, TrainingStep
from emorl.rewards import RewardTable
from emorl.seeds import derived_seed
from emorl.systems.ensemble import Ensemble
from emorl.training.checkpoint import Checkpoint
from emorl.training.learner import Learner
from emorl.training.scst import Record, ScstTrainer

LEAST_DISTINCT_FRACTION = 0.5
"""An adapter whose greedy responses are less varied than this has probably hacked its reward."""


def is_trained(run: Run, objective: str) -> bool:
    """Tell whether an objective's adapter is finished."""
    # An adapter whose folder was deleted is trained again; its stored rows stay as they are.
    weights = run.folder.adapter_weights(objective)
    return objective in run.store.adapters() and weights.is_file()


def train(run: Run, rewards: RewardTable, objectives: Sequence[str]) -> None:
    """Train adapters, in one batch, from their checkpoint if there is one."""
    config = run.config
    policy = load_policy(config.policy)
    for objective in objectives:
        seed = derived_seed(config.seed, objective)
        policy = add_adapter(policy, objective, config.adapter, seed=seed)
    training = [config.training_for(objective) for objective in objectives]
    specs = policies_of_objectives(objectives, training, config.adapter, config.seed)
    trainer = ScstTrainer(
        policy,
        dict(zip(objectives, specs, strict=True)),
        rewards,
        train_prompts=run.texts("train"),
        validation_prompts=run.texts("aggregation"),
    )
    path = run.folder.checkpoints / f"{'+'.join(objectives)}.safetensors"
    checkpoint = Checkpoint.read(path)
    if checkpoint is not None:
        trainer.restore(checkpoint)
    names = ", ".join(objectives)
    done = sum(trainer.learner(name).progress.step for name in objectives)
    run.heartbeat.say(phase="training", detail=names)
    run.progress.start(f"train {names}", sum(one.max_steps for one in training), done)
    for turn in trainer.run():
        _keep(run, turn)
        if any(not isinstance(record, TrainingStep) for record in turn):
            trainer.checkpoint().write(path)
        run.heartbeat.check()
    run.progress.end()
    for objective in objectives:
        _finish_adapter(run, policy, trainer.learner(objective), objective)
    path.unlink(missing_ok=True)


def _keep(run: Run, turn: Sequence[Record]) -> None:
    """Store what the adapters did in one turn."""
    for record in turn:
        if isinstance(record, TrainingStep):
            run.store.add_training_step(record)
            note = f"{record.adapter} reward {record.reward:.3f}, KL {record.kl:.2f}"
            run.progress.advance(1, note)
        else:
            run.store.add_validation(*record)


def _finish_adapter(run: Run, policy: Policy, learner: Learner, objective: str) -> None:
    prompts = run.texts("inference")
    texts = Ensemble(policy, (objective,), overlong="cut").generate(prompts, [(1.0,)])[0]
    n_distinct = len({generated.text for generated in texts})
    save_adapter(policy, objective, run.folder.adapters / objective)
    done = learner.progress
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


def warn_of_low_variety(run: Run) -> None:
    """Warn of adapters that give few different responses."""
    for done in run.store.adapters().values():
        if done.n_distinct < LEAST_DISTINCT_FRACTION * done.n_responses:
            run.heartbeat.warn(
                f"Adapter {done.adapter!r} gives only {done.n_distinct} different responses to "
                f"{done.n_responses} held-out prompts: it has probably found a text that its "
                "reward likes everywhere. Raise training.kl_coefficient or lower "
                "training.learning_rate for it."
            )
