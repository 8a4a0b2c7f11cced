"""The trees of the last prompts, within the memory budget."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from weakref import ref

from emorl.decoding.allocator import give_back
from emorl.decoding.choice import ChosenBackend
from emorl.decoding.memory import MIB, Costs
from emorl.decoding.tree import PrefixTree
from emorl.models.policy import Policy

PROMPTS_PER_TREE = 32
"""Most prompts that are read together and whose prefixes are kept together."""

_MOST_TREES = 64
"""Most that are kept, whatever their size."""
_SHARE_OF_PROMPTS = 0.5
"""Most of the memory that a tree's prompts may take, beside its adapters' copies; the rest is for
what is written."""
_SHARE_BESIDE = 1 / 4
"""So much of the budget is for what a tree takes while it reads and chooses."""
_SHARE_OF_NODES = 0.5
"""Where little is free, its nodes may hold so much of it all the same."""
_COPIES_OF_PROMPTS = 1.75
"""Prompts in use are copied when a quarter of a tree's prompts or more are done."""

Part = tuple[str, ...]
"""The prompts of one tree."""


@dataclass(frozen=True, slots=True)
class _Kept:
    tree: PrefixTree
    fixed: float
    """Bytes that its prompts and its copies of the adapters take."""

    @property
    def taken(self) -> float:
        """Bytes that it takes now."""
        return self.fixed + self.tree.bytes_taken


class PrefixTreeCache:
    """Makes trees of prompts and keeps the last ones. Not thread-safe."""

    def __init__(self, policy: Policy, backend: ChosenBackend) -> None:
        """Begin with none.

        Args:
            policy: Base model with the member adapters.
            backend: Makes what reads a tree's prompts.
        """
        self._policy = policy
        self._backend = backend
        self._kept: dict[Part, _Kept] = {}
        self._asked: dict[Part, int] = {}

    @property
    def trees(self) -> list[PrefixTree]:
        """Those that are kept; the one that was not used for longest first."""
        return [kept.tree for kept in self._kept.values()]

    def forget(self) -> None:
        """Drop all trees."""
        self._kept.clear()

    def make_room(self, n_bytes: float, budget: float) -> None:
        """Drop trees until so many bytes are free, or none is left."""
        while budget - self._taken() < n_bytes and self._drop_one():
            pass

    def grown(
        self, prompts: Sequence[str], costs: Costs, skip: Collection[int] = ()
    ) -> Iterator[tuple[range, PrefixTree]]:
        """Yield trees of the prompts, in order; each may be dropped once the next is asked for.

        Who asks for trees of other prompts in between, and still holds this one, may hold memory
        of both.

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
        parts, lengths = self._parts(prompts, costs)
        self._asked = {part: place for place, part in enumerate(parts)}
        stop = 0
        for part, length in zip(parts, lengths, strict=True):
            places = range(stop, stop + len(part))
            stop = places.stop
            if all(place in skip for place in places):
                continue
            if part not in self._kept:
                self._make(part, length, costs)
            self._kept[part] = self._kept.pop(part)  # the last of a dictionary was used last
            tree = self._kept[part].tree
            self._share_out(part, costs.budget)
            yield places, tree
            del tree  # or it takes memory beside the one that is made in its place

    def _make(self, part: Part, length: int, costs: Costs) -> None:
        while len(self._kept) >= _MOST_TREES:
            self._drop_one()
        taken = costs.bytes_of_adapters + len(part) * _bytes_of_one(costs, length)
        text = costs.text(length, needs_logits=False)
        self.make_room(taken + text, costs.budget)
        copies = 1 if len(part) == 1 else _COPIES_OF_PROMPTS
        fixed = costs.bytes_of_adapters + len(part) * copies * costs.held_by_prompt(length)
        tree = self._made(part, _SHARE_OF_NODES * text, costs.budget)
        self._kept[part] = _Kept(tree, fixed)

    def _share_out(self, part: Part, budget: float) -> None:
        """Give a tree all the memory that the others do not take."""
        mine = self._kept[part]
        free = budget - (self._taken() - mine.taken) - mine.fixed
        beside = min(_SHARE_BESIDE * budget, (1 - _SHARE_OF_NODES) * free)
        mine.tree.allow((free - beside) / MIB, beside / MIB)

    def _more_memory(self, part: Part, budget: float) -> bool:
        """Give a tree the memory of another one; tell whether there was one."""
        if part not in self._kept or not self._drop_one(spared=part):
            return False
        self._share_out(part, budget)
        return True

    def _drop_one(self, spared: Part | None = None) -> bool:
        """Drop the tree that is needed last, as far as is known; tell whether there was one.

        Of those that are not asked for now, the one that was not used for longest; else the last
        one of the request, as who asks for the same prompts again begins with the first.
        """
        others = [part for part in self._kept if part != spared]
        if not others:
            return False
        idle = [part for part in others if part not in self._asked]
        last = idle[0] if idle else max(others, key=self._asked.__getitem__)
        del self._kept[last]
        give_back()
        return True

    def _taken(self) -> float:
        return sum(kept.taken for kept in self._kept.values())

    def _parts(self, prompts: Sequence[str], costs: Costs) -> tuple[list[Part], list[int]]:
        """Divide prompts among trees, and return their padded lengths too.

        Prompts are first divided by ``PROMPTS_PER_TREE``, so that those that a caller asks for in
        such groups find the trees of all prompts again.
        """
        groups = [
            tuple(prompts[start : start + PROMPTS_PER_TREE])
            for start in range(0, len(prompts), PROMPTS_PER_TREE)
        ]
        longest = [self._policy.encode(group)[0].shape[1] for group in groups]
        texts = [costs.text(length, needs_logits=False) for length in longest]
        costs.check(max(map(operator.add, map(costs.prompt, longest), texts)))
        free = costs.budget - costs.bytes_of_adapters
        parts: list[Part] = []
        lengths: list[int] = []
        for group, length, text in zip(groups, longest, texts, strict=True):
            for_prompts = min(_SHARE_OF_PROMPTS * free, free - text)
            size = max(1, int(for_prompts // _bytes_of_one(costs, length)))
            some = [group[start : start + size] for start in range(0, len(group), size)]
            parts += some
            lengths += [length] * len(some)
        return parts, lengths

    def _made(self, part: Part, room: float, budget: float) -> PrefixTree:
        input_ids, attention_mask = self._policy.encode(part)
        # Weakly: a circle would keep a tree in memory until the garbage collector finds it.
        mine = ref(self)

        def more_memory() -> bool:
            owner = mine()
            return owner is not None and owner._more_memory(part, budget)

        return PrefixTree(
            self._backend.make(),
            input_ids,
            attention_mask,
            max_new_tokens=self._policy.config.max_new_tokens,
            eos_token_ids=self._policy.eos_token_ids,
            memory_mib=room / MIB,
            more_memory=more_memory,
        )


def _bytes_of_one(costs: Costs, length: int) -> float:
    """Return what one of several prompts takes: while it is read, or in use from then on."""
    return max(costs.prompt(length), _COPIES_OF_PROMPTS * costs.held_by_prompt(length))
