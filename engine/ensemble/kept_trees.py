"""The trees of the last prompts, within the memory budget."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from engine.ensemble.choice import ChosenBackend
from engine.ensemble.memory import MIB, Costs
from engine.ensemble.tree import PrefixTree
from engine.policy import Policy

PROMPTS_PER_TREE = 32
"""Most prompts that are read together and whose prefixes are kept together."""

_TREES_KEPT = 4
_SHARE_OF_PROMPTS = 0.5
"""Most of a tree's memory that its prompts may take, once it has its adapters' copies; the rest is
for what is written."""


@dataclass(frozen=True, slots=True)
class _Kept:
    tree: PrefixTree
    share: float
    """Bytes that the tree may take, its prompts and its copies of the adapters included."""


class KeptTrees:
    """Makes trees of prompts and keeps the last ones. Not thread-safe."""

    def __init__(self, policy: Policy, backend: ChosenBackend) -> None:
        """Begin with none.

        Args:
            policy: Base model with the member adapters.
            backend: Makes what reads a tree's prompts.
        """
        self._policy = policy
        self._backend = backend
        self._kept: dict[tuple[str, ...], _Kept] = {}

    @property
    def trees(self) -> list[PrefixTree]:
        """Those that are kept; the one that was not used for longest first."""
        return [kept.tree for kept in self._kept.values()]

    def forget(self) -> None:
        """Drop all trees."""
        self._kept.clear()

    def make_room(self, n_bytes: float, budget: float) -> None:
        """Drop the trees that were not used for longest, until so many bytes are free."""
        while self._kept and budget - sum(k.share for k in self._kept.values()) < n_bytes:
            self._kept.pop(next(iter(self._kept)))

    def grown(
        self, prompts: Sequence[str], costs: Costs, skip: Collection[int] = ()
    ) -> Iterator[tuple[range, PrefixTree]]:
        """Yield trees of the prompts, in order; each may be dropped once the next is asked for.

        Args:
            prompts: Texts.
            costs: What the ensemble's decoding costs.
            skip: Positions of prompts that no tree is needed for; which prompts share a tree does
                not depend on it.

        Yields:
            Positions of a tree's prompts, and the tree.

        Raises:
            MemoryBudgetError: If a prompt with one response does not fit the budget.
        """
        parts, lengths, share = self._parts(prompts, costs)
        for part in parts:
            if part in self._kept:  # the last ones of a dictionary are the last used
                self._kept[part] = self._kept.pop(part)
        stop = 0
        for part, length in zip(parts, lengths, strict=True):
            places = range(stop, stop + len(part))
            stop = places.stop
            if all(place in skip for place in places):
                continue
            if part not in self._kept:
                # Whole shares add up to the budget but for the rounding of their division.
                self.make_room(share * (1 - 1e-9), costs.budget)
                held = costs.bytes_of_adapters + len(part) * costs.held_by_prompt(length)
                room = share - held
                self._kept[part] = _Kept(self._made(part, room), share)
            yield places, self._kept[part].tree

    def _parts(
        self, prompts: Sequence[str], costs: Costs
    ) -> tuple[list[tuple[str, ...]], list[int], float]:
        """Divide prompts among trees: the parts, their padded lengths, and a tree's bytes.

        Prompts are first divided by ``PROMPTS_PER_TREE``, so that those that a caller asks for in
        such groups find the trees of all prompts again.
        """
        groups = [
            tuple(prompts[start : start + PROMPTS_PER_TREE])
            for start in range(0, len(prompts), PROMPTS_PER_TREE)
        ]
        longest = [self._policy.encode(group)[0].shape[1] for group in groups]
        least = max(
            costs.prompt(length) + costs.text(length, "hidden_state") for length in longest
        )
        costs.check(least)
        most_kept = max(_TREES_KEPT, len(groups))
        smallest = costs.bytes_of_adapters + least / (1 - _SHARE_OF_PROMPTS)
        n_kept = min(most_kept, max(1, int(costs.budget // smallest)))
        share = costs.budget / n_kept
        for_prompts = _SHARE_OF_PROMPTS * (share - costs.bytes_of_adapters)
        parts: list[tuple[str, ...]] = []
        lengths: list[int] = []
        for group, length in zip(groups, longest, strict=True):
            size = max(1, int(for_prompts // costs.prompt(length)))
            some = [group[start : start + size] for start in range(0, len(group), size)]
            parts += some
            lengths += [length] * len(some)
        return parts, lengths, share

    def _made(self, prompts: tuple[str, ...], room: float) -> PrefixTree:
        input_ids, attention_mask = self._policy.encode(prompts)
        return PrefixTree(
            self._backend.make(),
            input_ids,
            attention_mask,
            max_new_tokens=self._policy.config.max_new_tokens,
            eos_token_ids=self._policy.eos_token_ids,
            memory_mib=room / MIB,
        )
