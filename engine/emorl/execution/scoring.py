"""Score base, adapters and the best ensemble on the held-out prompts."""

from __future__ import annotations

from emorl.config import RunConfig
from emorl.execution.context import Run
from emorl.models.policy import Policy
from emorl.records import Weights
from emorl.rewards import RewardTable
from emorl.seeds import derived_seed
from emorl.systems.held_out import system_scores


def score(run: Run, policy: Policy, rewards: RewardTable, best: Weights) -> None:
    """Score every system that is not scored yet."""
    finished = run.store.finished_systems()
    run.heartbeat.say(phase="scoring", detail="held-out prompts")
    run.progress.start("score held-out prompts", n_systems(run.config), len(finished))
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


def n_systems(config: RunConfig) -> int:
    """Base and adapters greedy and sampled, the best ensemble greedy."""
    return 2 * (1 + len(config.objectives)) + 1
