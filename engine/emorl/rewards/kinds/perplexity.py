"""Fluency by the perplexity of a language model (EMORL, arXiv:2505.02579, section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emorl.config.checks import check_choice, check_positive
from emorl.rewards.scorer import Scorer
from emorl.rewards.settings import ModelReward

ScoredText = Literal["pair", "response"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(ModelReward):
    """``(ceiling - perplexity) / ceiling``, clamped to [0, 1]."""

    kind: str = "perplexity"

    scored_text: ScoredText = "pair"
    """Perplexity of prompt and response together (the paper), or of the response alone."""

    perplexity_ceiling: float = 50.0
    """Perplexity that earns 0; above 0."""

    def __post_init__(self) -> None:
        ModelReward.__post_init__(self)
        check_choice("rewards.*.scored_text", self.scored_text, ScoredText)
        check_positive("rewards.*.perplexity_ceiling", self.perplexity_ceiling)


def load(config: Config, objective: str, device: str) -> Scorer:
    """Load the language model that ``config.model`` names; see ``load_perplexity``."""
    from emorl.rewards.perplexity import load_perplexity

    return load_perplexity(objective, config, device)
