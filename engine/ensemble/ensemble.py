"""The front of ensemble decoding: prompts and weights in, texts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.directions import canonical_direction, check_weights
from engine.ensemble.aggregation import LEVELS, Level
from engine.ensemble.decoding import decode
from engine.ensemble.forward import BASE, HuggingFaceForward
from engine.errors import PromptError
from engine.policy import Policy

_MAX_PAIRS = 1024
"""Most (prompt, weights) pairs decoded at once; more prompts are decoded in turn."""


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """One response before it is scored."""

    text: str
    n_tokens: int
    """The end-of-sequence token included."""


class Ensemble:
    """Several adapters on one base that write one text together, greedily.

    Not thread-safe: the caches of one decoding live in the model's forward.
    """

    def __init__(
        self, policy: Policy, members: Sequence[str], level: Level = "hidden_state"
    ) -> None:
        """Put an ensemble together.

        Args:
            policy: Base model with all member adapters on it.
            members: Adapter names in the order of the weights.
            level: How the members decide a token.
        """
        self.policy = policy
        self.members = tuple(members)
        self._aggregate = LEVELS[level]

    def generate(
        self, prompts: Sequence[str], weights: Sequence[Sequence[float]]
    ) -> list[list[GeneratedText]]:
        """Write a response to every prompt under every weight vector.

        Args:
            prompts: Texts, at least one, none blank.
            weights: Weight vectors, one number per member each. Only their direction matters;
                with the zero vector all tokens tie and the first of the vocabulary is taken.

        Returns:
            ``[weights][prompts]``.

        Raises:
            WeightsError: If a vector has the wrong length or an impossible number.
            PromptError: If there is no prompt or a blank one.
        """
        checked = [_decodable(vector, len(self.members)) for vector in weights]
        if not prompts or not all(prompt.strip() for prompt in prompts):
            raise PromptError("Need at least one prompt, and none of them blank.")
        if not checked:
            return []
        generated: list[list[GeneratedText]] = [[] for _ in checked]
        size = max(1, _MAX_PAIRS // len(checked))
        for start in range(0, len(prompts), size):
            part = self._generate(prompts[start : start + size], checked)
            for texts, more in zip(generated, part, strict=True):
                texts.extend(more)
        return generated

    def _generate(
        self, prompts: Sequence[str], weights: Sequence[tuple[float, ...]]
    ) -> list[list[GeneratedText]]:
        policy = self.policy
        input_ids, attention_mask = policy.encode(prompts)
        tokens = decode(
            HuggingFaceForward(policy, self.members),
            self._aggregate,
            input_ids,
            attention_mask,
            torch.tensor(weights, dtype=torch.float64).to(torch.float32),
            max_new_tokens=policy.config.max_new_tokens,
            eos_token_ids=policy.eos_token_ids,
        )
        return [
            [GeneratedText(policy.decode(response), len(response)) for response in responses]
            for responses in tokens
        ]


def _decodable(weights: Sequence[float], n_members: int) -> tuple[float, ...]:
    """Check a vector and scale it to sum one, so that all weights on a ray are one computation.

    It also keeps a head's bias at its full size, and tiny or huge numbers within float32.
    """
    checked = check_weights(weights, n_members)
    return canonical_direction(checked) if any(checked) else checked


def base_alone(policy: Policy) -> Ensemble:
    """Return the ensemble of the base model only; its one weight is 1."""
    return Ensemble(policy, (BASE,))
