"""Score with any Python function ``(prompts, responses) -> scores`` that the settings name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from emorl.errors import RewardError
from emorl.rewards.scorer import Scores, checked_scores, described_pair


class CallableSettings(Protocol):
    """What is needed to find a function."""

    @property
    def target(self) -> str:
        """``module:function``."""

    @property
    def module_folder(self) -> str:
        """A folder to look for the module in; empty: the working directory."""

    @property
    def batch_size(self) -> int:
        """Pairs scored at once."""


@dataclass(frozen=True, slots=True)
class CallableScorer:
    """A function of the user, called with short pairs first, at most ``batch_size`` at once."""

    objective: str
    function: Callable[[list[str], list[str]], object]
    batch_size: int

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Scores:
        """Return one score per pair."""
        order = sorted(
            range(len(prompts)), key=lambda row: len(prompts[row]) + len(responses[row])
        )
        scores = np.empty(len(prompts))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            scores[rows] = self._batch([prompts[r] for r in rows], [responses[r] for r in rows])
        return scores

    def _batch(self, prompts: list[str], responses: list[str]) -> Scores:
        try:
            raw = self.function(list(prompts), list(responses))
        except Exception as error:
            raise RewardError(
                f"Reward {self.objective!r}: its function failed with {type(error).__name__}: "
                f"{error}. It was called with {len(prompts)} pairs, the first being "
                f"{described_pair(prompts[0], responses[0])}."
            ) from error
        return checked_scores(self.objective, prompts, responses, raw)


def load_callable(objective: str, config: CallableSettings) -> CallableScorer:
    """Import ``config.target``; modules in ``config.module_folder`` are found too.

    Raises:
        RewardError: If the module cannot be imported or holds no such function.
    """
    module_name, _, function_name = config.target.partition(":")
    here = config.module_folder or str(Path.cwd())
    if here not in sys.path:
        # The console script, unlike `python -m`, does not look here by itself.
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise RewardError(
            f"Reward {objective!r}: cannot import {module_name!r} "
            f"({type(error).__name__}: {error}). rewards.{objective}.target must be "
            "'module:function' with a module that Python finds, for example a file in the "
            "working directory."
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise RewardError(
            f"Reward {objective!r}: module {module_name!r} has no function {function_name!r}. "
            f"Check rewards.{objective}.target, now {config.target!r}."
        )
    return CallableScorer(objective, function, config.batch_size)
