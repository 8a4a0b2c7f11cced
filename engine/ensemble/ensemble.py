"""The front of ensemble decoding: prompts and weights in, texts and atlases out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.atlas.cells import PromptAtlas
from engine.directions import canonical_direction, check_weights
from engine.ensemble.aggregation import LEVELS, Level
from engine.ensemble.atlas import AtlasBudget, build_atlases
from engine.ensemble.attribution import TokenAttribution, attribute
from engine.ensemble.backend import Forward
from engine.ensemble.choice import Backend, choose_backend
from engine.ensemble.decoding import Choose, StopRule, decode, most_likely, sampled
from engine.ensemble.forward import BASE
from engine.ensemble.parameters import merged_adapter
from engine.ensemble.tree import PrefixTree
from engine.errors import PromptError, WeightsError
from engine.policy import Policy

_MAX_PAIRS = 1024
"""Most (prompt, weights) pairs decoded at once without a tree."""

PROMPTS_PER_TREE = 32
"""Prompts that are read together and whose prefixes are kept together."""

_TREES_KEPT = 4


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """One response before it is scored."""

    text: str
    n_tokens: int
    """The end-of-sequence token included."""


class Ensemble:
    """Several adapters on one base that write one text together.

    What was read for the last prompts is kept: more weights for the same prompts cost only the
    prefixes that no earlier weights led to. Not thread-safe.
    """

    def __init__(
        self,
        policy: Policy,
        members: Sequence[str],
        level: Level = "hidden_state",
        *,
        backend: Backend = "auto",
        stop: StopRule = "eos",
    ) -> None:
        """Put an ensemble together.

        Args:
            policy: Base model with all member adapters on it. Change its weights only before
                the first text, or call ``forget`` after it.
            members: Adapter names in the order of the weights.
            level: How the members decide a token.
            backend: ``stacked`` is fast and knows some families, ``generic`` knows all.
            stop: When a response ends.

        Raises:
            ModelError: If a member is missing or the back end asked for does not know the model.
        """
        self.policy = policy
        self.members = tuple(members)
        self.level = level
        self.stop = stop
        self.backend = choose_backend(policy, self.members, backend)
        self._trees: dict[tuple[str, ...], PrefixTree] = {}

    def generate(
        self, prompts: Sequence[str], weights: Sequence[Sequence[float]]
    ) -> list[list[GeneratedText]]:
        """Write the greedy response to every prompt under every weight vector.

        Args:
            prompts: Texts, at least one, none blank.
            weights: Weight vectors, one number per member each. Only their direction matters,
                but for the level ``parameter``; with the zero vector all tokens tie and the
                first of the vocabulary is taken.

        Returns:
            ``[weights][prompts]``.

        Raises:
            WeightsError: If a vector has the wrong length or an impossible number.
            PromptError: If there is no prompt or a blank one.
            MemoryBudgetError: If ``policy.memory_mib`` is too small for one response.
        """
        self._check(prompts)
        checked = [check_weights(vector, len(self.members)) for vector in weights]
        if self.level == "parameter":
            return [self._merged(prompts, vector, most_likely, 1)[0] for vector in checked]
        scaled = [canonical_direction(vector) if any(vector) else vector for vector in checked]
        if not self._has_trees or not all(any(vector) for vector in scaled):
            return self._in_parts(prompts, scaled, most_likely)
        generated: list[list[GeneratedText]] = [[] for _ in scaled]
        if scaled:
            for tree in self._grown(prompts):
                for texts, tokens in zip(generated, tree.decode(np.array(scaled)), strict=True):
                    texts.extend(map(self._text, tokens))
        return generated

    def sample(
        self,
        prompts: Sequence[str],
        weights: Sequence[float],
        *,
        n_samples: int = 1,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> list[list[GeneratedText]]:
        """Sample responses under one weight vector, scaled to sum one (but for ``parameter``).

        Args:
            prompts: Texts, at least one, none blank.
            weights: One number per member, not all zero.
            n_samples: Responses to each prompt.
            temperature: Above 0; divides the combined scores.
            seed: The same seed gives the same samples on the same device.

        Returns:
            ``[sample][prompts]``.

        Raises:
            WeightsError: If the vector does not fit.
            PromptError: If there is no prompt or a blank one.
        """
        self._check(prompts)
        vector = check_weights(weights, len(self.members))
        if not any(vector):
            raise WeightsError("The zero vector has no direction to sample from.")
        generator = torch.Generator(self.policy.device).manual_seed(seed)
        choose = sampled(temperature, generator)
        if self.level == "parameter":
            return self._merged(prompts, vector, choose, n_samples)
        return self._in_parts(prompts, [canonical_direction(vector)] * n_samples, choose)

    def atlases(
        self, prompts: Sequence[str], budget: AtlasBudget | None = None
    ) -> list[PromptAtlas]:
        """Find every response that any weights give, and the weights that give it.

        Args:
            prompts: Texts, at least one, none blank.
            budget: When to stop; cells that were not reached are open.

        Returns:
            One atlas per prompt.

        Raises:
            WeightsError: If the ensemble is of a kind whose cells are not convex.
            PromptError: If there is no prompt or a blank one.
        """
        self._check(prompts)
        self._check_trees("An atlas")
        atlases: list[PromptAtlas] = []
        for tree in self._grown(prompts):
            atlases += build_atlases(tree, self.policy.decode, budget)
        return atlases

    def attribute(self, prompt: str, weights: Sequence[float]) -> list[TokenAttribution]:
        """Split every token of the greedy response by member.

        Args:
            prompt: A text that is not blank.
            weights: One number per member, not all zero.

        Returns:
            One attribution per token, the end token included where it was chosen.

        Raises:
            WeightsError: If the vector does not fit, or the ensemble is of a kind whose logits
                are no sums over members.
            PromptError: If the prompt is blank.
        """
        self._check([prompt])
        self._check_trees("An attribution")
        direction = canonical_direction(check_weights(weights, len(self.members)))
        [tree] = self._grown([prompt])
        [[tokens]] = tree.decode(np.array([direction]))
        return attribute(tree, 0, direction, tokens)

    def forget(self) -> None:
        """Drop what was read: after the weights of a member changed."""
        self._trees.clear()

    @property
    def _has_trees(self) -> bool:
        return self.level == "hidden_state" and len(self.members) > 1 and self.stop == "eos"

    def _check(self, prompts: Sequence[str]) -> None:
        if not prompts or not all(prompt.strip() for prompt in prompts):
            raise PromptError("Need at least one prompt, and none of them blank.")

    def _check_trees(self, what: str) -> None:
        if not self._has_trees:
            raise WeightsError(
                f"{what} needs at least two members, greedy decoding, the stop rule 'eos' and "
                f"the level hidden_state; this ensemble has {len(self.members)}, {self.stop!r} "
                f"and {self.level!r}."
            )

    def _grown(self, prompts: Sequence[str]) -> list[PrefixTree]:
        """Return the trees of the prompts; the longest unused ones make room."""
        parts = [
            tuple(prompts[start : start + PROMPTS_PER_TREE])
            for start in range(0, len(prompts), PROMPTS_PER_TREE)
        ]
        for part in parts:
            if part in self._trees:  # the last ones of a dictionary are the last used
                self._trees[part] = self._trees.pop(part)
        policy = self.policy
        for part in parts:
            if part not in self._trees:
                input_ids, attention_mask = policy.encode(part)
                self._trees[part] = PrefixTree(
                    self.backend.make(),
                    input_ids,
                    attention_mask,
                    max_new_tokens=policy.config.max_new_tokens,
                    eos_token_ids=policy.eos_token_ids,
                    memory_mib=policy.config.memory_mib / max(_TREES_KEPT, len(parts)),
                )
        while len(self._trees) > max(_TREES_KEPT, len(parts)):
            self._trees.pop(next(iter(self._trees)))
        return [self._trees[part] for part in parts]

    def _in_parts(
        self, prompts: Sequence[str], weights: Sequence[Sequence[float]], choose: Choose
    ) -> list[list[GeneratedText]]:
        generated: list[list[GeneratedText]] = [[] for _ in weights]
        size = max(1, _MAX_PAIRS // max(1, len(weights)))
        if self.stop == "reference":
            size = len(prompts)  # its responses depend on the others of the batch
        for start in range(0, len(prompts) if weights else 0, size):
            some = prompts[start : start + size]
            part = self._decoded(self.backend.make(), some, weights, choose)
            for texts, more in zip(generated, part, strict=True):
                texts.extend(more)
        return generated

    def _decoded(
        self,
        forward: Forward,
        prompts: Sequence[str],
        weights: Sequence[Sequence[float]],
        choose: Choose,
    ) -> list[list[GeneratedText]]:
        policy = self.policy
        input_ids, attention_mask = policy.encode(prompts)
        aggregate: Callable[[Tensor, Tensor, torch.nn.Module], Tensor] = LEVELS[
            "hidden_state" if self.level == "parameter" else self.level
        ]
        tokens = decode(
            forward,
            aggregate,
            input_ids,
            attention_mask,
            torch.tensor(weights, dtype=torch.float64).to(torch.float32),
            max_new_tokens=policy.config.max_new_tokens,
            eos_token_ids=policy.eos_token_ids,
            choose=choose,
            stop=self.stop,
        )
        return [[self._text(response) for response in responses] for responses in tokens]

    def _merged(
        self, prompts: Sequence[str], weights: Sequence[float], choose: Choose, n_samples: int
    ) -> list[list[GeneratedText]]:
        with merged_adapter(self.policy, self.members, weights) as name:
            alone = Ensemble(self.policy, (name,), stop=self.stop)
            return alone._in_parts(prompts, [(1.0,)] * n_samples, choose)

    def _text(self, tokens: Sequence[int]) -> GeneratedText:
        return GeneratedText(self.policy.decode(tokens), len(tokens))


def base_alone(policy: Policy) -> Ensemble:
    """Return the ensemble of the base model only; its one weight is 1."""
    return Ensemble(policy, (BASE,))
