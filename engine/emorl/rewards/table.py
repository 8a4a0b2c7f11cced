"""All objectives of a run, each with its scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emorl.config import RunConfig
from emorl.config.kinds import REWARDS
from emorl.errors import RewardError
from emorl.rewards.cache import CachedScorer
from emorl.rewards.scorer import Scorer, Scores


class RewardTable:
    """Scores pairs on every objective; keeps what was scored."""

    def __init__(self, scorers: Mapping[str, Scorer]) -> None:
        """Put a cache before each scorer; the order of ``scorers`` is the order of objectives."""
        self._scorers = {name: CachedScorer(name, scorer) for name, scorer in scorers.items()}

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names in the order of every score vector."""
        return tuple(self._scorers)

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> NDArray[np.float64]:
        """Return the scores of each pair, shape ``(n_pairs, n_objectives)``, all in [0, 1].

        A blank response earns 0.0 on every objective.

        Raises:
            RewardError: If a scorer returns a value outside [0, 1].
        """
        columns = [self.score_objective(name, prompts, responses) for name in self.objectives]
        return np.stack(columns, axis=1)

    def score_objective(
        self, name: str, prompts: Sequence[str], responses: Sequence[str]
    ) -> Scores:
        """Return the scores of each pair on one objective, shape ``(n_pairs,)``."""
        if name not in self._scorers:
            raise RewardError(
                f"There is no objective {name!r}; the objectives are {list(self.objectives)}."
            )
        return self._scorers[name](prompts, responses)


def load_rewards(config: RunConfig, *, device: str) -> RewardTable:
    """Load the scorer of every objective.

    Args:
        config: The run's settings; ``config.objectives`` sets the order.
        device: Torch device of the models, for example ``cpu`` or ``cuda:0``.

    Raises:
        RewardError: If a scorer cannot be loaded.
    """
    scorers = {}
    for name in config.objectives:
        scorers[name] = REWARDS.load(config.rewards[name], name, device)
    return RewardTable(scorers)
