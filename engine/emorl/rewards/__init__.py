"""Rewards: one scorer per objective, all ``(prompts, responses) -> scores in [0, 1]``.

A kind is a file of ``kinds``; ``table`` has the scorers of a run, ``cache`` stands before each.
"""

from emorl.rewards.scorer import Scorer, Scores
from emorl.rewards.table import RewardTable, load_rewards

__all__ = ["RewardTable", "Scorer", "Scores", "load_rewards"]
