"""From weights to scores: decode prompts, score the texts, average over prompts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emorl.records import Measurement, Response, Weights
from emorl.rewards import RewardTable
from emorl.statistics import mean_and_error
from emorl.systems.ensemble import Ensemble, GeneratedText
from emorl.weights import canonical_direction


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Measures weight vectors on fixed prompts; a ``search.hierarchical.Measure``."""

    ensemble: Ensemble
    rewards: RewardTable
    prompts: Sequence[str]

    def __call__(self, weights: Sequence[Weights]) -> list[Measurement]:
        """Decode all prompts under all weights in one batch and score the responses.

        Returns:
            One measurement per weight vector, in order. The batch's wall time is shared equally.
        """
        started = time.perf_counter()
        generated = self.ensemble.generate(self.prompts, weights)
        scored = [self._scored(texts) for texts in generated]
        seconds = (time.perf_counter() - started) / max(1, len(weights))
        return [
            _measurement(vector, responses, seconds)
            for vector, responses in zip(weights, scored, strict=True)
        ]

    def _scored(self, texts: Sequence[GeneratedText]) -> list[Response]:
        scores = self.rewards.score(self.prompts, [generated.text for generated in texts])
        return scored_responses(range(len(self.prompts)), texts, scores)


def scored_responses(
    prompt_indices: Sequence[int],
    texts: Sequence[GeneratedText],
    scores: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> list[Response]:
    """Put prompts' positions, texts and scores ``(n_texts, n_objectives)`` together."""
    return [
        Response(
            prompt_index=index,
            text=generated.text,
            n_tokens=generated.n_tokens,
            scores=tuple(row),
        )
        for index, generated, row in zip(prompt_indices, texts, scores.tolist(), strict=True)
    ]


def _measurement(weights: Weights, responses: Sequence[Response], seconds: float) -> Measurement:
    means, errors = mean_and_error(np.array([response.scores for response in responses]))
    return Measurement(
        direction=canonical_direction(weights) if any(weights) else weights,
        means=means,
        standard_errors=errors,
        responses=tuple(responses),
        seconds=seconds,
    )
