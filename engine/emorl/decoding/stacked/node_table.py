"""Which slot of the key and value pools belongs to which node of a prefix tree.

A node takes one slot, for its own last token; it knows the slots of the tokens before it, its
*path*. This module holds numbers only: the keys and values are in ``path_cache``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST_SLOTS = 64
_LEAST_LENGTH = 16
_RESERVED_SLOTS = 2048
"""So many there are on a CPU once the first ones are taken, where memory is ample: what is not
written takes none there, while to move what is written to a larger pool costs time."""
_SHARE_RESERVED = 1 / 8
"""Most of the slots that there may be."""

MORE_COLUMNS = 32
"""What a kept path gets beyond what it needs now, so that it is seldom copied."""

_STEADY_CALLS = 8
"""After so many steady calls paths are kept. It takes fresh memory, which costs as much as
gathering them more than ten times."""


MOST_AT_ONCE = 3 * 2**20
"""On a CPU so many bytes are gathered at a time: they are read again before they leave the caches,
and need no fresh memory, which costs several times what the copying does."""


@dataclass(slots=True)
class Limits:
    """What a tree's caches may take; what is needed is taken all the same."""

    most_kept: int
    """Most tokens of gathered paths that are kept from one call to the next."""
    most_nodes: float = math.inf
    """Slots become no more than that, beside the roots', once the first ones are taken."""
    bytes_at_once: int = MOST_AT_ONCE
    """Most that is gathered at a time on a CPU."""


@dataclass(frozen=True, slots=True)
class Step:
    """The new nodes of one call.

    Paths are aligned at their ends: the last column is the node itself, so that column ``-1 - d``
    is ``d`` tokens away from it, whatever the length of the path.
    """

    slots: Tensor
    """Slot of each new node, ``(n_new,)``."""

    run: slice | None
    """The same, where it is known that they follow each other."""

    lengths: Tensor
    """Number of tokens on each path, the node itself included, ``(n_new,)``."""

    longest: int
    """Longest path of the call."""

    prompts: Tensor
    """Prompt of each node, ``(n_new,)``."""

    paths: Tensor | None
    """Slots, ``(n_new, longest)``; None if the rows kept by the call before only get longer."""

    is_padding: Tensor | None
    """True before the start of a shorter path, ``(n_new, longest)``; None if there is none."""

    n_steady: int
    """Calls in a row, this one included, whose parents were the new nodes of the call before, in
    the same order."""

    is_kept: bool
    """Whether to keep the gathered paths, as the next call is likely to make them longer."""


class NodeTable:
    """Slots, paths and prompts of all nodes of one tree per prompt."""

    def __init__(
        self, n_prompts: int, root_length: int, limits: Limits, device: torch.device
    ) -> None:
        """Number the roots.

        Args:
            n_prompts: Number of roots; they take the first slots.
            root_length: 1 if a root is a token with a key of its own, 0 if not.
            limits: They may change later.
            device: Where the numbers are.
        """
        self._device = device
        self.capacity = max(_LEAST_SLOTS, 4 * n_prompts)
        """Number of slots, taken or free."""
        self._n_written = n_prompts
        self._n_roots = n_prompts
        self._n_nodes = n_prompts
        self._limits = limits
        roots = torch.arange(n_prompts, device=device)
        self._slot_of = torch.full((self.capacity,), -1, device=device)
        self._slot_of[:n_prompts] = roots
        self._paths = torch.zeros(self.capacity, _LEAST_LENGTH, dtype=torch.long, device=device)
        self._paths[:n_prompts, 0] = roots
        self._lengths = torch.full((self.capacity,), root_length, device=device)
        self._prompts = torch.zeros(self.capacity, dtype=torch.long, device=device)
        self._prompts[:n_prompts] = roots
        self._free = torch.arange(n_prompts, self.capacity, device=device)
        self._last: Step = Step(
            slots=roots,
            run=slice(0, n_prompts),
            lengths=self._lengths[:n_prompts],
            longest=root_length,
            prompts=roots,
            paths=roots.unsqueeze(1),
            is_padding=None,
            n_steady=0,
            is_kept=False,
        )

    @property
    def n_slots_taking_memory(self) -> int:
        """Slots that were ever written, as the lowest are taken first; on a GPU, all."""
        return self._n_written if self._device.type == "cpu" else self.capacity

    def roots(self) -> Step:
        """Return the call that reads the roots themselves."""
        return self._last

    def grow(self, parents: Tensor) -> Step:
        """Number a child of each of these nodes, ``(n_new,)``.

        Raises:
            ValueError: If a node is not held.
        """
        parent_slots, is_steady = self._checked(parents)
        slots = self._taken(len(parents))
        self._number(slots)
        last = self._last
        lengths = self._lengths[parent_slots] + 1
        if is_steady:
            shortest, longest = -1, last.longest + 1
        else:
            shortest, longest = torch.stack([lengths.min(), lengths.max()]).tolist()
        has_room = len(slots) * (longest + MORE_COLUMNS) <= self._limits.most_kept
        n_steady = last.n_steady + 1 if is_steady else 0
        is_kept = is_steady and n_steady >= _STEADY_CALLS and has_room
        self._write(slots, lengths, longest, parent_slots)
        paths, is_padding = None, _widened(last.is_padding) if is_steady else None
        if not (is_kept and last.is_kept):
            is_even = is_padding is None if is_steady else shortest == longest
            paths, is_padding = self._ending_together(slots, lengths, longest, is_even=is_even)
        self._last = Step(
            slots=slots,
            run=self._run_of(slots),
            lengths=lengths,
            longest=longest,
            prompts=self._prompts[slots],
            paths=paths,
            is_padding=is_padding,
            n_steady=n_steady,
            is_kept=is_kept,
        )
        return self._last

    def keep(self, nodes: Tensor) -> None:
        """Free the slots of all nodes that are no root, none of these, and not on their paths.

        Raises:
            ValueError: If one of these is not held.
        """
        is_kept = torch.zeros(self.capacity, dtype=torch.bool, device=self._device)
        is_kept[: self._n_roots] = True
        if len(nodes):
            slots, _ = self._checked(nodes)
            columns = torch.arange(self._paths.shape[1], device=self._device)
            is_on_path = columns < self._lengths[slots].unsqueeze(1)
            # Columns beyond a path's end count as its node, which is kept anyway.
            paths = torch.where(is_on_path, self._paths[slots], slots.unsqueeze(1))
            is_kept[paths.flatten()] = True
        is_forgotten = ~is_kept[self._slot_of.clamp(min=0)]
        self._slot_of.masked_fill_(is_forgotten, -1)
        self._free = (~is_kept).nonzero().squeeze(1)

    def _checked(self, nodes: Tensor) -> tuple[Tensor, bool]:
        """Return the slots of held nodes, and whether they are those of the last call in order."""
        slots = self._slot_of[nodes.clamp(0, self._n_nodes - 1)]
        in_range = (nodes >= 0) & (nodes < self._n_nodes)
        facts = [(in_range & (slots >= 0)).all()]
        n_last = len(self._last.slots)
        if len(nodes) == n_last:
            first = self._n_nodes - n_last
            expected = torch.arange(first, self._n_nodes, device=self._device)
            facts.append((nodes == expected).all())
        are_held, *is_steady = torch.stack(facts).tolist()
        if not are_held:
            raise ValueError(
                f"A node to grow or keep is not held: there are {self._n_nodes} nodes, less those "
                "that an earlier keep() left out. Keep every node that will be grown again."
            )
        return slots, any(is_steady)

    def _taken(self, n_new: int) -> Tensor:
        n_missing = n_new - len(self._free)
        if n_missing > 0:
            needed = self.capacity + n_missing
            most = self._n_roots + self._limits.most_nodes
            wanted: float = 2 * needed
            if self._device.type == "cpu":
                wanted = max(wanted, min(_RESERVED_SLOTS, _SHARE_RESERVED * most))
            capacity = max(needed, int(min(wanted, most)))
            more = torch.arange(self.capacity, capacity, device=self._device)
            self._free = torch.cat([self._free, more])
            self._paths = _with_more_rows(self._paths, len(more))
            self._lengths = _with_more_rows(self._lengths, len(more))
            self._prompts = _with_more_rows(self._prompts, len(more))
            self.capacity = capacity
        slots, self._free = self._free[:n_new], self._free[n_new:]
        self._n_written = max(self._n_written, self.capacity - len(self._free))
        return slots

    def _run_of(self, slots: Tensor) -> slice | None:
        """Return slots as a slice; they ascend. On a GPU, to look at them would cost more."""
        if self._device.type != "cpu" or not len(slots):
            return None
        first, last = int(slots[0]), int(slots[-1])
        return slice(first, last + 1) if last - first == len(slots) - 1 else None

    def _number(self, slots: Tensor) -> None:
        n_nodes = self._n_nodes + len(slots)
        if n_nodes > len(self._slot_of):
            more = self._slot_of.new_full((max(n_nodes, len(self._slot_of)),), -1)
            self._slot_of = torch.cat([self._slot_of, more])
        self._slot_of[self._n_nodes : n_nodes] = slots
        self._n_nodes = n_nodes

    def _write(self, slots: Tensor, lengths: Tensor, longest: int, parent_slots: Tensor) -> None:
        if longest > self._paths.shape[1]:
            self._paths = torch.cat([self._paths, torch.zeros_like(self._paths)], dim=1)
        paths = self._paths[parent_slots]
        paths.scatter_(1, (lengths - 1).unsqueeze(1), slots.unsqueeze(1))
        self._paths.index_copy_(0, slots, paths)
        self._lengths.index_copy_(0, slots, lengths)
        self._prompts.index_copy_(0, slots, self._prompts[parent_slots])

    def _ending_together(
        self, slots: Tensor, lengths: Tensor, longest: int, *, is_even: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return paths aligned at their ends, and where they have not begun yet."""
        paths = self._paths[slots, :longest]
        if is_even:
            return paths, None
        columns = torch.arange(longest, device=self._device) + (lengths - longest).unsqueeze(1)
        # Padding names the path's first slot: what is there has been written, so that a weight
        # of zero makes it nothing (a NaN would stay one).
        return paths.gather(1, columns.clamp(min=0)), columns < 0


def _with_more_rows(numbers: Tensor, n_more: int) -> Tensor:
    return torch.cat([numbers, numbers.new_zeros(n_more, *numbers.shape[1:])])


def _widened(is_padding: Tensor | None) -> Tensor | None:
    if is_padding is None:
        return None
    return torch.cat([is_padding, torch.zeros_like(is_padding[:, :1])], dim=1)
