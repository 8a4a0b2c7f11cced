"""Settings and types that the reward tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emorl.config.kinds import REWARDS

Pairs = tuple[list[str], list[str]]
"""Prompts and responses."""


def reward(model: Path | str, kind: str = "sequence_classifier", **settings: Any) -> Any:
    """Settings of a reward with a model."""
    return REWARDS.config(kind, model=str(model), **settings)
