"""The reflection scorer of the paper: RoBERTa with two layers on its first hidden state."""

from __future__ import annotations

from dataclasses import dataclass

from emorl.rewards.scorer import Scorer
from emorl.rewards.settings import ModelReward


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(ModelReward):
    """A folder with RoBERTa's config and tokenizer and the weights, or the weights file in it."""

    kind: str = "cross_encoder_state_dict"


def load(config: Config, objective: str, device: str) -> Scorer:
    """Load the cross-encoder; see ``load_cross_encoder``."""
    from emorl.rewards.cross_encoder import load_cross_encoder

    return load_cross_encoder(objective, config, device)
