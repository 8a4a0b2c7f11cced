"""A sequence classifier that reads prompt and response as a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emorl.config.checks import check_choice
from emorl.rewards.scorer import Scorer
from emorl.rewards.settings import ModelReward

ClassifierOutput = Literal["sigmoid", "clamp", "expected_level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(ModelReward):
    """A classifier of Transformers."""

    kind: str = "sequence_classifier"

    output: ClassifierOutput = "expected_level"
    """``sigmoid`` of one logit, ``clamp`` of one number, or mean level / top of several."""

    def __post_init__(self) -> None:
        ModelReward.__post_init__(self)
        check_choice("rewards.*.output", self.output, ClassifierOutput)


def load(config: Config, objective: str, device: str) -> Scorer:
    """Load the classifier that ``config.model`` names; see ``load_sequence_classifier``."""
    from emorl.rewards.sequence_classifier import load_sequence_classifier

    return load_sequence_classifier(objective, config, device)
