"""Models that answer by the formula of ``support.formula``: what the live page asks, for free."""

from __future__ import annotations

from collections import Counter

import numpy as np

from emorl.atlas.cells import Branch, Cell, PromptAtlas
from emorl.atlas.polytope import area, split, whole_simplex
from emorl.atlas.rows import ScoredAtlas
from emorl.errors import MemoryBudgetError, PromptError
from emorl.records import DecidedToken, Response, Weights
from emorl.weights import canonical_direction
from tests.support.formula import response_text, scores_of

STEPS_TO_MAP = 3
"""Calls of ``map_prompt`` until an atlas is complete: the first knows one cell."""

UNMAPPABLE = "too wide to map"
"""Prompts with these words have no atlas, only answers."""


class FormulaModels:
    """Answers every prompt with a text and scores that depend on the weights only."""

    def __init__(self, objectives: tuple[str, ...]) -> None:
        self._objectives = objectives
        self._mapped: Counter[str] = Counter()

    def answer(self, prompt: str, weights: Weights) -> Response:
        if "too long" in prompt:
            raise PromptError("A prompt may have 128 tokens, got 300. Shorten it.")
        canonical_direction(weights)  # refuses the zero vector
        return self._response(prompt, weights)

    def alone(self, prompt: str) -> dict[str, Response]:
        n_objectives = len(self._objectives)
        systems = {"base": (0.0,) * n_objectives}
        for place, name in enumerate(self._objectives):
            systems[f"adapter:{name}"] = tuple(float(i == place) for i in range(n_objectives))
        return {system: self._response(prompt, of) for system, of in systems.items()}

    def explain(self, prompt: str, weights: Weights) -> list[DecidedToken]:
        """Every word is decided by the objective of the largest weight; then the end."""
        words = [f" {word}" for word in self._response(prompt, weights).text.split()]
        parts = tuple(weight - 0.25 for weight in canonical_direction(weights))
        return [
            DecidedToken(
                text=word,
                runner_up=" never",
                logit_parts=tuple(2.0 * part for part in parts),
                margin_parts=parts,
                alone=tuple(f" {name}" for name in self._objectives),
                decided_by=parts.index(max(parts)),
            )
            for word in [*words, ""]
        ]

    def map_prompt(self, prompt: str, n_nodes: int) -> ScoredAtlas:
        if UNMAPPABLE in prompt:
            raise MemoryBudgetError("Raise policy.memory_mib.")
        self._mapped[prompt] += 1
        n = len(self._objectives)
        # response_text changes where the first of weights that sum to one passes 1/4 and 3/4:
        # the upper envelope of 0, w - 1/4 and 2 w - 1.
        vectors = np.zeros((3, n))
        vectors[1:, 0] = 1, 2
        vectors[1] -= 0.25
        vectors[2] -= 1.0
        is_done = self._mapped[prompt] >= STEPS_TO_MAP
        cells = []
        for place, corners in split(whole_simplex(n), vectors):
            text = self._response(prompt, tuple(corners.mean(axis=0).tolist())).text
            is_open = bool(place) and not is_done
            cells.append(
                Cell((place,), text[:5] if is_open else text, corners, area(corners), is_open)
            )
        atlas = PromptAtlas(
            branches=(Branch((), (0, 1, 2), vectors, (-1, -2, -3)),),
            cells=tuple(cells),
            n_members=n,
            covered=sum(cell.area for cell in cells if not cell.is_open),
            dropped=0.0,
            node_forwards=min(10, n_nodes),
        )
        scores = [
            [np.nan] * n if cell.is_open else scores_of(tuple(cell.centroid.tolist()))
            for cell in cells
        ]
        return ScoredAtlas("own", 0, atlas, np.array(scores), 0.1)

    def _response(self, prompt: str, weights: Weights) -> Response:
        return Response(
            prompt_index=0,
            text=f"{response_text(weights, 1)} You said: {prompt}",
            n_tokens=9,
            scores=scores_of(weights),
        )
