"""Settings that several kinds of rewards share."""

from __future__ import annotations

from dataclasses import dataclass, field

from emorl.config.checks import check_at_least
from emorl.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReward:
    """A reward that a model gives."""

    kind: str

    description: str = field(default="", compare=False)
    """What earns a high score, in a few words for the dashboard: "whether it names a feeling"."""

    model: str = ""
    """Folder or hub name of the scorer's model."""

    batch_size: int = 64
    """Pairs scored at once; at least 1."""

    max_tokens: int = 512
    """Longer texts are cut; at least 8."""

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError(
                f"rewards.*.model is needed for kind = {self.kind!r}, got an empty text."
            )
        check_at_least("rewards.*.batch_size", self.batch_size, 1)
        check_at_least("rewards.*.max_tokens", self.max_tokens, 8)
