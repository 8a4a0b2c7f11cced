"""The front of ensemble decoding: prompts and weights in, texts and atlases out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

import numpy as np

from emorl.atlas.cells import PromptAtlas
from emorl.config.checks import check_choice
from emorl.decoding.atlas import AtlasBudget
from emorl.decoding.atlas_parts import build_by_part
from emorl.decoding.attribution import TokenAttribution, attribute
from emorl.decoding.batches import Batches
from emorl.decoding.choice import Backend, checked_members, choose_backend
from emorl.decoding.forward import BASE
from emorl.decoding.levels.protocol import Level, load_level
from emorl.decoding.loop import StopRule
from emorl.decoding.memory import Costs, costs_of
from emorl.decoding.merging import merged_adapter
from emorl.decoding.prefix_tree_cache import PROMPTS_PER_TREE, PrefixTreeCache
from emorl.decoding.prompts import Overlong, checked_prompts
from emorl.decoding.sample_noise import SampleNoise
from emorl.errors import ModelError, WeightsError
from emorl.models.policy import Policy
from emorl.records import GeneratedText
from emorl.weights import (
    WeightSpace,
    canonical_direction,
    check_weight_vectors,
    check_weights,
)

BFLOAT16_WARNING = (
    "policy.precision = 'bfloat16': decoding is faster and not exact, so cells of the atlas and "
    "what is proven from them are approximate. Use 'float32' for exact ones."
)
"""Warning shown when decoding in bfloat16."""

_BYTES_PER_TOKEN = 32
"""What a token takes on its way out of a tree: in an array, and three times in lists."""
_SHARE_OF_TOKENS = 1 / 32
"""Most of the memory budget that such tokens may take."""

__all__ = ["BFLOAT16_WARNING", "PROMPTS_PER_TREE", "Ensemble", "GeneratedText", "base_alone"]


class Ensemble:
    """Several adapters on one base that write one text together.

    What was read for the last prompts is kept: more weights for the same prompts cost only the
    prefixes that no earlier weights led to. Not thread-safe.
    """

    def __init__(
        self,
        policy: Policy,
        members: Sequence[str],
        level: str = "hidden_state",
        *,
        backend: Backend = "auto",
        stop: StopRule = "eos",
        overlong: Overlong = "refuse",
    ) -> None:
        """Put an ensemble together.

        Args:
            policy: Base model with all member adapters on it. Change its weights only before
                the first text, or call ``forget`` after it.
            members: Adapter names in the order of the weights.
            level: How the members decide a token: a kind of ``LEVELS``, or
                ``module:attribute``.
            backend: ``stacked`` is fast and knows some families, ``generic`` knows all.
            stop: When a response ends.
            overlong: What happens to prompts that are too long.

        Raises:
            ConfigError: If level, back end, stop rule or ``overlong`` is none that there is.
            ModelError: If there is no member, one is missing, or the back end asked for does not
                know the model.
        """
        check_choice("backend", backend, Backend)
        check_choice("stop", stop, StopRule)
        check_choice("overlong", overlong, Overlong)
        self.members = checked_members(members)
        if not isinstance(policy, Policy):
            raise ModelError(
                f"policy must be a Policy, got {policy!r}. Get one from "
                "`emorl.models.policy.load_policy`, or use `emorl.inference.make_ensemble`."
            )
        self.policy = policy
        self.level: Level = load_level(level)
        self.stop = stop
        self.backend = choose_backend(policy, self.members, backend)
        self.backend.check(self.level)
        self.overlong = overlong
        self.space = WeightSpace(self.members, self.level.scale_free)
        self.trees = PrefixTreeCache(policy, self.backend)

    def generate(
        self, prompts: Sequence[str], weights: Sequence[Sequence[float]]
    ) -> list[list[GeneratedText]]:
        """Write the greedy response to every prompt under every weight vector.

        Args:
            prompts: Texts, at least one, none blank or overlong.
            weights: Weight vectors, one number per member each. Only their direction matters,
                but for the level ``parameter``. The zero vector silences all members: the first
                token of the vocabulary is taken, or at the level ``hidden_state`` of several
                members the one that the head's bias favours, where it has one.

        Returns:
            ``[weights][prompts]``.

        Raises:
            WeightsError: If a vector has the wrong length or an impossible number.
            PromptError: If there is no prompt, or one is blank or too long.
            MemoryBudgetError: If ``policy.memory_mib`` is too small for one response.
        """
        prompts = checked_prompts(self.policy, prompts, self.overlong)
        checked = check_weight_vectors(weights, len(self.members))
        if self.level.merges:
            return [self._merged(prompts, vector)[0] for vector in checked]
        scaled = [self.space.canonical(vector) for vector in checked]
        if not self._decodes_in_trees:
            return self._in_batches(prompts, scaled)
        # The zero vector has no place in a tree, where only directions count.
        directions = [vector for vector in scaled if any(vector)]
        silent = [vector for vector in scaled if not any(vector)][:1]
        [nothing] = self._in_batches(prompts, silent) or [[]]
        found = iter(self._from_trees(prompts, directions))
        return [next(found) if any(vector) else list(nothing) for vector in scaled]

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

        The first samples of a prompt are the same however many are drawn, and whatever other
        prompts are asked; rounding, which differs with the batch, can change a token that was
        drawn next to another's bounds.

        Args:
            prompts: Texts, at least one, none blank or overlong.
            weights: One number per member, not all zero.
            n_samples: Responses to each prompt.
            temperature: Above 0 and finite; divides the combined scores.
            seed: Any whole number. The same one gives the same samples on the same device.

        Returns:
            ``[sample][prompts]``.

        Raises:
            WeightsError: If the vector does not fit.
            PromptError: If there is no prompt, or one is blank or too long.
            ConfigError: If number, temperature or seed is impossible.
            MemoryBudgetError: If ``policy.memory_mib`` is too small for one response.
            ScoresError: If the members' scores are NaN or infinite.
        """
        prompts = checked_prompts(self.policy, prompts, self.overlong)
        vector = check_weights(weights, len(self.members))
        if not any(vector):
            raise WeightsError("The zero vector has no direction to sample from.")
        self.backend.check(self.level, sampling=True)
        noise = SampleNoise(
            prompts,
            n_samples=n_samples,
            n_tokens=self.policy.config.max_new_tokens,
            temperature=temperature,
            seed=seed,
            device=self.policy.device,
        )
        if self.level.merges:
            return self._merged(prompts, vector, n_samples, noise)
        return self._in_batches(prompts, [self.space.canonical(vector)] * n_samples, noise)

    def atlases(
        self, prompts: Sequence[str], budget: AtlasBudget | None = None
    ) -> list[PromptAtlas]:
        """Find every response that any weights give, and the weights that give it.

        Args:
            prompts: Texts, at least one, none blank or overlong.
            budget: When to stop; cells that were not reached are open.

        Returns:
            One atlas per prompt.

        Raises:
            WeightsError: If the ensemble is of a kind whose cells are not convex.
            PromptError: If there is no prompt, or one is blank or too long.
            MemoryBudgetError: If ``policy.memory_mib`` is too small for one response.
        """
        parts = self.atlases_by_part(prompts, budget)
        return [atlas for _, atlases in parts for atlas in atlases]

    def atlases_by_part(
        self,
        prompts: Sequence[str],
        budget: AtlasBudget | None = None,
        most_at_once: int | None = None,
        skip: Collection[int] = (),
    ) -> Iterator[tuple[list[int], list[PromptAtlas]]]:
        """Yield positions of prompts with their atlases as they are there; see ``build_by_part``.

        Decoding other prompts in between takes memory beside that of the part that is begun.

        Raises:
            EmorlError: As ``atlases`` does.
        """
        prompts = checked_prompts(self.policy, prompts, self.overlong)
        self._check_trees("An atlas")
        trees, n = self.trees.grown(prompts, self._costs, skip), len(prompts)
        yield from build_by_part(trees, self.policy.decode, budget, n, most_at_once, skip)

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
            PromptError: If the prompt is blank or too long.
            MemoryBudgetError: If ``policy.memory_mib`` is too small for one response.
        """
        [prompt] = checked_prompts(self.policy, [prompt], self.overlong)
        self._check_trees("An attribution")
        direction = canonical_direction(check_weights(weights, len(self.members)))
        [(_, tree)] = self.trees.grown([prompt], self._costs)
        [[tokens]] = tree.decode(np.array([direction]))
        return attribute(tree, 0, direction, tokens, cap=self.backend.cap)

    def forget(self) -> None:
        """Drop what was read: after the weights of a member changed."""
        self.trees.forget()

    @property
    def _has_trees(self) -> bool:
        return self.level.mixes_states and len(self.members) > 1 and self.stop == "eos"

    @property
    def _decodes_in_trees(self) -> bool:
        """Whether trees have the greedy texts: those of logits are those of hidden states.

        Soft caps bend the logits before they are combined, so that no tree has their sums.
        """
        has_same_texts = self.level.writes_as_states and self.backend.cap is None
        return self._has_trees or (has_same_texts and len(self.members) > 1 and self.stop == "eos")

    def _from_trees(
        self, prompts: Sequence[str], directions: Sequence[Sequence[float]]
    ) -> list[list[GeneratedText]]:
        generated: list[list[GeneratedText]] = [[] for _ in directions]
        for _, tree in self.trees.grown(prompts, self._costs) if directions else ():
            at_once = self._directions_at_once(tree.n_prompts)
            known: dict[tuple[int, ...], GeneratedText] = {}
            for start in range(0, len(directions), at_once):
                some = slice(start, start + at_once)
                found = tree.decode(np.array(directions[some]))
                for texts, responses in zip(generated[some], found, strict=True):
                    for tokens in map(tuple, responses):
                        if tokens not in known:
                            known[tokens] = self._text(tokens)
                        texts.append(known[tokens])
            del tree  # or it takes memory beside the one that is made in its place
        return generated

    def _directions_at_once(self, n_prompts: int) -> int:
        """Return how many weight vectors to decode, so that lists of tokens take little memory."""
        bytes_of_one = n_prompts * self.policy.config.max_new_tokens * _BYTES_PER_TOKEN
        return max(1, int(_SHARE_OF_TOKENS * self._costs.budget / bytes_of_one))

    def _check_trees(self, what: str) -> None:
        if not self._has_trees:
            raise WeightsError(
                f"{what} needs at least two members, greedy decoding, the stop rule 'eos' and "
                f"the level hidden_state; this ensemble has {len(self.members)}, {self.stop!r} "
                f"and {self.level.name!r}."
            )

    @cached_property
    def _costs(self) -> Costs:
        return costs_of(
            self.policy,
            self.backend.make(),
            len(self.members),
            is_generic=self.backend.name == "generic",
        )

    def _in_batches(
        self,
        prompts: Sequence[str],
        weights: Sequence[Sequence[float]],
        noise: SampleNoise | None = None,
    ) -> list[list[GeneratedText]]:
        """Decode without trees; greedily unless there is noise."""
        batches = Batches(self.policy, self.backend, self.level, self.stop, self._costs)
        tokens = batches.decode(prompts, weights, noise, make_room=self.trees.make_room)
        return [[self._text(response) for response in responses] for responses in tokens]

    def _merged(
        self,
        prompts: Sequence[str],
        weights: Sequence[float],
        n_samples: int = 1,
        noise: SampleNoise | None = None,
    ) -> list[list[GeneratedText]]:
        with merged_adapter(self.policy, self.members, weights) as name:
            alone = Ensemble(self.policy, (name,), stop=self.stop)
            return alone._in_batches(prompts, [(1.0,)] * n_samples, noise)

    def _text(self, tokens: Sequence[int]) -> GeneratedText:
        return GeneratedText(self.policy.decode(tokens), len(tokens))


def base_alone(policy: Policy) -> Ensemble:
    """Return the ensemble of the base model only; its one weight is 1."""
    return Ensemble(policy, (BASE,))
