"""What ensemble decoding will take of ``policy.memory_mib``, estimated before it is taken.

Counted are keys and values of prompts and of response tokens, what reading takes while it is
done, scores over the vocabulary, and what a fast back end copies of the base's weights and of the
adapters, with the code of its products. Not counted: the models themselves, about half a KB for
every prefix that was forgotten, and what the mathematical library keeps for itself (up to some
30 MiB on a CPU, once).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emorl.decoding.backend import Forward
from emorl.errors import MemoryBudgetError
from emorl.models.policy import Policy

MIB = 2**20

_BYTES_PER_SCORE = 4
_SCORES_COPIED = 3
"""Scores of one text held together: themselves, and two steps on the way to a choice."""
_SCORES_DRAWN = 6
"""The same for a choice by chance, which is made in double precision."""
_NODE_COPIES = 3
"""A token's keys and values lie in the cache, which is up to twice as large as it must be, and in
the gathered path that ends at it."""
_STATE_COPIES = 2
"""States too lie in memory that is up to twice as large as it must be."""
BYTES_OF_RECORDS = 1024
"""What is noted of a node beside its keys, values and states: its path (8 bytes per token), its
place, its winners."""


@dataclass(frozen=True, slots=True)
class BatchSize:
    """How much is decoded at once."""

    n_prompts: int
    n_weights: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Bytes that prompts and texts of one ensemble take."""

    budget: float
    """Bytes in all, but for ``bytes_of_base``."""
    n_members: int
    bytes_per_node: int
    """Keys and values of one token, of all members."""
    bytes_of_state: int
    """What comes out of reading one token: a state of every member, and records."""
    is_generic: bool
    """Whether every text has a copy of its prompt's keys and values."""
    max_new_tokens: int
    vocabulary: int
    bytes_read_per_token: int
    """Activations of one prompt token in the widest layer, of all members."""
    bytes_per_token_pair: int
    """Attention from one prompt token to another, one member at a time."""
    bytes_of_base: int = 0
    """Copies of the base's weights, which everything that is decoded shares."""
    bytes_of_adapters: int = 0
    """Copies of the adapters, which whatever is decoded together has of its own."""

    def held_by_prompt(self, length: int) -> int:
        """Keys and values of a prompt."""
        return length * self.bytes_per_node

    def prompt(self, length: int) -> int:
        """A prompt of so many tokens while it is read."""
        reading = length * self.bytes_read_per_token + length**2 * self.bytes_per_token_pair
        return self.held_by_prompt(length) + reading

    def text(self, length: int, *, needs_logits: bool, is_drawn: bool = False) -> int:
        """One text to a prompt of so many tokens: its longest response and its scores."""
        tokens = _NODE_COPIES * self.max_new_tokens
        states = _STATE_COPIES * self.max_new_tokens * self.bytes_of_state
        states += self.bytes_read_per_token
        if self.is_generic:
            tokens += 2 * length  # while one is made longer, there are two
        n_scores = _SCORES_DRAWN if is_drawn else _SCORES_COPIED
        if needs_logits:
            n_scores += _SCORES_COPIED * self.n_members
        scores = n_scores * self.vocabulary * _BYTES_PER_SCORE
        return tokens * self.bytes_per_node + states + scores

    def longest_response(self, longest_prompt: int) -> float:
        """What one response can take at most, at any level; the copied adapters included.

        Args:
            longest_prompt: In tokens.
        """
        text = self.text(longest_prompt, needs_logits=True, is_drawn=True)
        return self.bytes_of_adapters + self.prompt(longest_prompt) + text

    def check(self, needed: float) -> None:
        """Refuse a budget that one response does not fit.

        Args:
            needed: Bytes, those of the adapters' copies not included.

        Raises:
            MemoryBudgetError: If with them they are more than there are.
        """
        needed += self.bytes_of_adapters + self.bytes_of_base
        whole = self.budget + self.bytes_of_base
        if needed > whole:
            much, little = format_distinct(needed / MIB, whole / MIB)
            raise MemoryBudgetError(
                "One response with its prompt and the copied weights needs about "
                f"{much} MiB and the budget is {little} MiB (policy.memory_mib). Raise it, "
                "shorten the prompt, or lower policy.max_new_tokens."
            )

    def batch(
        self, prompt: int, text: int, n_prompts: int, n_weights: int, *, prompts_together: bool
    ) -> BatchSize:
        """Return how many prompts and weights fit the budget together.

        Texts to one prompt share prefixes, so weights are kept together before prompts are.

        Args:
            prompt: Bytes of a prompt.
            text: Bytes of a text.
            n_prompts: Prompts in all.
            n_weights: Weight vectors in all.
            prompts_together: Whether all prompts must be in one batch.

        Raises:
            MemoryBudgetError: If not even one prompt and one text fit, or all prompts with one
                text each where they must be together.
        """
        least = n_prompts if prompts_together else 1
        self.check(least * (prompt + text))
        free = self.budget - self.bytes_of_adapters
        fitting = max(least, int(free // (prompt + n_weights * text)))
        at_once = min(n_prompts, fitting)
        room = free - at_once * prompt
        return BatchSize(at_once, min(n_weights, int(room // (at_once * text))))


def format_distinct(one: float, other: float) -> tuple[str, str]:
    """Write two numbers with as many digits as tell them apart, up to nine; at least one."""
    digits = 1
    while digits < 9 and f"{one:.{digits}f}" == f"{other:.{digits}f}":
        digits += 1
    return f"{one:.{digits}f}", f"{other:.{digits}f}"


def costs_of(policy: Policy, reader: Forward, n_members: int, *, is_generic: bool) -> Costs:
    """Return what an ensemble's decoding costs.

    Args:
        policy: Base model and settings.
        reader: A back end of the ensemble; it counts what is its own.
        n_members: Members that read together.
        is_generic: Whether the back end is the generic one.
    """
    head: Any = policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]
    config: Any = policy.base.config.get_text_config(decoder=True)
    per_token, per_pair = bytes_of_reading(policy)
    return Costs(
        budget=policy.config.memory_mib * MIB - reader.bytes_of_base,
        n_members=n_members,
        bytes_per_node=reader.bytes_per_node,
        is_generic=is_generic,
        max_new_tokens=policy.config.max_new_tokens,
        vocabulary=int(head.weight.shape[0]),
        bytes_of_state=n_members * int(config.hidden_size) * policy.base.dtype.itemsize
        + BYTES_OF_RECORDS,
        bytes_read_per_token=n_members * per_token,
        bytes_per_token_pair=per_pair,
        bytes_of_base=reader.bytes_of_base,
        bytes_of_adapters=reader.bytes_of_adapters,
    )


def bytes_of_reading(policy: Policy) -> tuple[int, int]:
    """Return what one member takes while it reads: per token, and per pair of tokens that meet."""
    config: Any = policy.base.config.get_text_config(decoder=True)
    width = int(config.hidden_size)
    inner = getattr(config, "intermediate_size", None) or getattr(config, "d_ff", None)
    itemsize = policy.base.dtype.itemsize
    # A layer holds its input, sum and normed input, queries, keys and values, and both gates.
    numbers = 6 * width + 2 * int(inner or 4 * width)
    # The bias, the scores and their softmax.
    return numbers * itemsize, 3 * int(config.num_attention_heads) * itemsize
