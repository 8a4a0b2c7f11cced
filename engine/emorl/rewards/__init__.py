"""Rewards: one scorer per objective, all ``(prompts, responses) -> scores in [0, 1]``.

One module per kind of scorer; ``table`` knows them all, ``cache`` stands before each.
"""

from emorl.rewards.scorer import Scorer, Scores
from emorl.rewards.table import RewardTable, load_rewards

__all__ = ["RewardTable", "Scorer", "Scores", "load_rewards"]
