"""Decoding without trees, in batches that fit the memory budget."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch

from emorl.decoding.choice import ChosenBackend
from emorl.decoding.levels.protocol import Level, checked_scores
from emorl.decoding.loop import StopRule, decode, most_likely
from emorl.decoding.memory import Costs
from emorl.decoding.sample_noise import SampleNoise
from emorl.models.policy import Policy

_MAX_PAIRS = 1024
"""Most (prompt, weights) pairs decoded at once, whatever the budget."""

Tokens = list[list[list[int]]]
"""By weight vector and prompt."""


class Batches:
    """How one ensemble decodes prompts under weights, some at a time.

    What is decoded together does not matter to any text, but for rounding.
    """

    def __init__(
        self,
        policy: Policy,
        backend: ChosenBackend,
        level: Level,
        stop: StopRule,
        costs: Costs,
    ) -> None:
        """Say what decodes; see ``Ensemble``."""
        self._policy = policy
        self._backend = backend
        self._level = level
        self._stop = stop
        self._costs = costs

    def decode(
        self,
        prompts: Sequence[str],
        weights: Sequence[Sequence[float]],
        noise: SampleNoise | None,
        *,
        make_room: Callable[[float, float], None],
    ) -> Tokens:
        """Decode every prompt under every weight vector.

        Args:
            prompts: Texts.
            weights: Weight vectors; one per sample if there is noise.
            noise: Noise of the samples; None decodes greedily.
            make_room: Called with the bytes that a batch takes and those of the budget.

        Raises:
            MemoryBudgetError: If one response does not fit the budget.
        """
        tokens: Tokens = [[] for _ in weights]
        if not weights:
            return tokens
        n_prompts, n_weights = self._size(prompts, len(weights), noise is not None, make_room)
        for first, start in itertools.product(
            range(0, len(weights), n_weights), range(0, len(prompts), n_prompts)
        ):
            of_weights = slice(first, first + n_weights)
            of_prompts = slice(start, start + n_prompts)
            input_ids, attention_mask = self._policy.encode(prompts[of_prompts])
            part = decode(
                self._backend.make(),
                checked_scores(self._level),
                input_ids,
                attention_mask,
                torch.tensor(weights[of_weights], dtype=torch.float64).to(torch.float32),
                max_new_tokens=self._policy.config.max_new_tokens,
                eos_token_ids=self._policy.eos_token_ids,
                choose=most_likely if noise is None else noise.choice(of_weights, of_prompts),
                stop=self._stop,
            )
            for known, more in zip(tokens[of_weights], part, strict=True):
                known.extend(more)
        return tokens

    def _size(
        self,
        prompts: Sequence[str],
        n_weights: int,
        is_drawn: bool,
        make_room: Callable[[float, float], None],
    ) -> tuple[int, int]:
        """Return how many prompts and weights to decode at once; their memory is free then."""
        costs = self._costs
        length = self._policy.encode(prompts)[0].shape[1]
        prompt = costs.prompt(length)
        text = costs.text(length, needs_logits=self._level.needs_logits, is_drawn=is_drawn)
        # Under the rule "reference" responses depend on the other prompts of the batch.
        together = self._stop == "reference"
        most_weights = min(n_weights, _MAX_PAIRS)
        most_prompts = min(len(prompts), _MAX_PAIRS // most_weights)
        at_once = costs.batch(
            prompt,
            text,
            len(prompts) if together else most_prompts,
            most_weights,
            prompts_together=together,
        )
        taken = at_once.n_prompts * (prompt + at_once.n_weights * text)
        make_room(taken + costs.bytes_of_adapters, costs.budget)
        return at_once.n_prompts, at_once.n_weights
