"""Settings and types that the reward tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emorl.config import RewardConfig

Pairs = tuple[list[str], list[str]]
"""Prompts and responses."""


def reward(model: Path | str, **settings: Any) -> RewardConfig:
    """Settings of a reward with a model."""
    return RewardConfig(model=str(model), **settings)
