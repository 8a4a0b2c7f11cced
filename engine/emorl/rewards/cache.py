"""Score every pair of prompt and text once: a bounded memory in front of a scorer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from emorl.errors import RewardError
from emorl.rewards.scorer import Scorer, Scores, checked_scores

DEFAULT_CAPACITY = 200_000
"""Pairs that a scorer remembers; short texts take some 100 MB."""


class CachedScorer:
    """Caches scores; rejects invalid ones.

    A blank response earns 0.0, on every objective, and never reaches the scorer: an empty answer
    must not be rewarded, and models disagree on what they make of it.
    """

    def __init__(
        self, objective: str, scorer: Scorer, *, capacity: int = DEFAULT_CAPACITY
    ) -> None:
        self.objective = objective
        self._scorer = scorer
        self._capacity = capacity
        self._scores: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Scores:
        """Return one score per pair; each different, unknown pair is scored once.

        Raises:
            RewardError: If the scorer fails, or returns something that is no score in [0, 1].
        """
        if len(prompts) != len(responses):
            raise RewardError(
                f"Reward {self.objective!r} needs one prompt per response, got {len(prompts)} "
                f"prompts and {len(responses)} responses."
            )
        pairs = list(zip(prompts, responses, strict=True))
        known = {pair: self._known(pair) for pair in dict.fromkeys(pairs)}
        unknown = [pair for pair, score in known.items() if score is None]
        if unknown:
            asked = [prompt for prompt, _ in unknown]
            texts = [text for _, text in unknown]
            scores = checked_scores(self.objective, asked, texts, self._scorer(asked, texts))
            known |= dict(zip(unknown, scores.tolist(), strict=True))
            self._remember({pair: known[pair] for pair in unknown})
        return np.array([known[pair] for pair in pairs], dtype=np.float64)

    def __len__(self) -> int:
        """Return how many pairs are remembered."""
        return len(self._scores)

    def _known(self, pair: tuple[str, str]) -> float | None:
        if not pair[1].strip():
            return 0.0
        if pair in self._scores:
            self._scores.move_to_end(pair)
        return self._scores.get(pair)

    def _remember(self, scores: dict[tuple[str, str], float | None]) -> None:
        self._scores.update((pair, score) for pair, score in scores.items() if score is not None)
        while len(self._scores) > self._capacity:
            self._scores.popitem(last=False)  # the one that was not asked for the longest
