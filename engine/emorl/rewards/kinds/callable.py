"""Any Python function ``(prompts, responses) -> scores in [0, 1]``."""

from __future__ import annotations

from dataclasses import dataclass, field

from emorl.config.checks import check_at_least
from emorl.errors import ConfigError
from emorl.rewards.callable import load_callable
from emorl.rewards.scorer import Scorer


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A function of the user."""

    kind: str = "callable"

    description: str = field(default="", compare=False)
    """What earns a high score, in a few words for the dashboard: "how few words it takes"."""

    target: str = ""
    """``module:function``."""

    module_folder: str = ""
    """A folder to look for the module in; empty: where the command was started."""

    batch_size: int = 64
    """Pairs scored at once; at least 1."""

    def __post_init__(self) -> None:
        if not self.target:
            raise ConfigError(
                f"rewards.*.target is needed for kind = {self.kind!r}, got an empty text."
            )
        if self.target.count(":") != 1:
            raise ConfigError(f"rewards.*.target must be 'module:function', got {self.target!r}.")
        check_at_least("rewards.*.batch_size", self.batch_size, 1)


def load(config: Config, objective: str, device: str) -> Scorer:
    """Import the function; it decides for itself where it computes."""
    del device
    return load_callable(objective, config)
