"""The prefixes that the members of an ensemble have read, within a memory budget.

A *node* is a prefix of one prompt. Its number never changes. A node that is *held* has a cache in
the back end and a state here; where the budget asks for it, nodes are forgotten, and read again
when they are needed. What is forgotten costs time, never a different text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emorl.decoding.allocator import give_back
from emorl.decoding.backend import Forward
from emorl.decoding.memory import BYTES_OF_RECORDS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_BYTES_PER_LOGIT = 8
_SHARE_OF_READING = 0.45
"""What reading may take of what there is beside the nodes."""


class NoRoomError(Exception):
    """The nodes asked for do not fit the budget together; never leaves ``PrefixTree``."""


class NodeStore:
    """Nodes by number: their place in the tree, states, and the tokens that can win after them.

    Nodes ``0 .. n_prompts - 1`` are the prompts, which are held for good and not counted.
    """

    def __init__(
        self,
        forward: Forward,
        input_ids: Tensor,
        attention_mask: Tensor,
        room: float,
        more_room: Callable[[], bool] = lambda: False,
    ) -> None:
        """Read the prompts.

        Args:
            forward: A fresh back end.
            input_ids: Prompts, ``(n_prompts, length)``.
            attention_mask: Same shape.
            room: Bytes that nodes may take, without the prompts; what is gathered and read takes
                at most as much again, but for one node's.
            more_room: Called where there is too little; tells whether it allowed more.
        """
        self.n_prompts = n = len(input_ids)
        self.parents: list[int] = [-1] * n
        self.tokens: list[int] = [-1] * n
        self.prompts: list[int] = list(range(n))
        self.reads: list[int] = [1] * n
        """Prefixes of each prompt read so far, the prompt and repetitions included."""
        self._forward = forward
        self._device = input_ids.device
        self._children: dict[tuple[int, int], int] = {}
        self._winners: list[tuple[Integers, Floats] | None] = [None] * n
        self._n_logits = 0
        # The back end's number and the row in the states; -1 for a node that is not held.
        self._numbers: list[int] = list(range(n))
        self._rows: list[int] = list(range(n))
        self._n_numbers = self._n_rows = n
        self._more_room = more_room
        self.allow(room, room)
        self._states = forward.start(input_ids, attention_mask)

    def allow(self, room: float, beside: float) -> None:
        """Say how many bytes nodes may take from now on, and what is gathered and read."""
        self.room, self.beside = room, beside
        self._forward.allow(room, beside)

    @property
    def most_at_once(self) -> int:
        """Most nodes that one call reads."""
        if self._forward.keeps_nodes:
            free = _SHARE_OF_READING * self.beside
        else:
            free = self.beside + self.room - self.bytes_held
        return max(1, int(free / max(1, self._forward.bytes_per_read)))

    def __len__(self) -> int:
        return len(self.parents)

    @property
    def n_members(self) -> int:
        """Members that read each node."""
        return self._states.shape[0]

    @property
    def bytes_per_node(self) -> int:
        """Memory of one held node: its caches on the device if any, its states and records."""
        n_numbers = self._states.shape[0] * self._states.shape[2]
        states = n_numbers * self._states.element_size()
        caches = self._forward.bytes_per_node if self._forward.keeps_nodes else 0
        return caches + states + BYTES_OF_RECORDS

    @property
    def bytes_held(self) -> int:
        """Memory of the held nodes and of the logits of the tokens that can win."""
        return self._bytes_with(0)

    @property
    def bytes_taken(self) -> int:
        """The same, with what is free in memory that was taken."""
        records = BYTES_OF_RECORDS * (self._n_rows - self.n_prompts)
        return self._forward.bytes_taken + self._states.nbytes + self._bytes_of_logits + records

    def prefix(self, node: int) -> tuple[int, ...]:
        """Return a node's response tokens."""
        return tuple(self.tokens[step] for step in reversed(self._path(node)))

    def child(self, parent: int, token: int) -> int | None:
        """Return the node that adds a token to a node, None if it was never read."""
        return self._children.get((parent, token))

    def add(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        """Read new nodes, each once, that add a token to a node each.

        Raises:
            NoRoomError: If they do not fit.
        """
        self.hold(parents, n_new=len(parents))
        first = len(self)
        for parent, token in zip(parents, tokens, strict=True):
            self._children[parent, token] = len(self)
            self.parents.append(parent)
            self.tokens.append(token)
            self.prompts.append(self.prompts[parent])
            self._winners.append(None)
            self._numbers.append(-1)
            self._rows.append(-1)
        self._read(range(first, len(self)))

    def states(self, nodes: Sequence[int]) -> Tensor:
        """Return the states of nodes that are held, ``(n_members, n_nodes, d_model)``."""
        rows = torch.tensor([self._rows[node] for node in nodes], device=self._device)
        return self._states[:, rows]

    def winners(self, node: int) -> tuple[Integers, Floats] | None:
        """Return the tokens that can win after a node, and their logits; None if not known."""
        return self._winners[node]

    def set_winners(self, node: int, tokens: Integers, logits: Floats) -> None:
        """Keep what can win after a node: ``(n_tokens,)`` and ``(n_tokens, n_members)``."""
        self._winners[node] = (tokens, logits)
        self._n_logits += len(tokens)

    def hold(
        self, nodes: Sequence[int], *, n_new: int = 0, keep_winners: Collection[int] = ()
    ) -> None:
        """Hold nodes, reading again those that were forgotten, and make room for new ones.

        Args:
            nodes: Need not be distinct.
            n_new: Nodes that will be added next.
            keep_winners: Nodes whose winners must not be forgotten now.

        Raises:
            NoRoomError: If they do not fit; nodes may have been forgotten all the same.
        """
        missing = self._not_held(nodes)
        n_more = n_new + len(missing)
        while n_more and self._bytes_with(n_more) > self.room and self._more_room():
            pass
        if n_more and self._bytes_with(n_more) > self.room:
            self._forget_all_but(nodes)
        if n_more and self._bytes_with(n_more) > self.room:
            self._forget_winners(set(keep_winners))
        if n_more and self._bytes_with(n_more) > self.room:
            raise NoRoomError
        while missing:
            ready = [node for node in missing if self._numbers[self.parents[node]] >= 0]
            self._read(ready)
            missing = [node for node in missing if self._numbers[node] < 0]

    def _bytes_with(self, n_more: int) -> int:
        n_held = self._n_rows - self.n_prompts + n_more
        return n_held * self.bytes_per_node + self._bytes_of_logits

    @property
    def _bytes_of_logits(self) -> int:
        return self._n_logits * _BYTES_PER_LOGIT * (self.n_members + 1)

    def _path(self, node: int) -> list[int]:
        """Return the nodes from a node up to, without, its prompt."""
        path = []
        while node >= self.n_prompts:
            path.append(node)
            node = self.parents[node]
        return path

    def _not_held(self, nodes: Sequence[int]) -> list[int]:
        """Return which nodes and prefixes of them must be read; parents come first."""
        missing: set[int] = set()
        for node in nodes:
            step = node
            while self._numbers[step] < 0 and step not in missing:
                missing.add(step)
                step = self.parents[step]
        return sorted(missing)

    def _read(self, nodes: Sequence[int]) -> None:
        """Let the members read nodes whose parents are held, as many at once as fit."""
        n_at_once = self.most_at_once
        for start in range(0, len(nodes), n_at_once):
            self._read_at_once(nodes[start : start + n_at_once])

    def _read_at_once(self, nodes: Sequence[int]) -> None:
        parents = [self._numbers[self.parents[node]] for node in nodes]
        tokens = [self.tokens[node] for node in nodes]
        states = self._forward.grow(
            torch.tensor(parents, device=self._device), torch.tensor(tokens, device=self._device)
        )
        end = self._n_rows + len(nodes)
        if end > self._states.shape[1]:
            most = self.n_prompts + int(self.room / self.bytes_per_node)
            n_rows = max(end, min(2 * end, most))
            wider = states.new_empty(states.shape[0], n_rows, states.shape[2])
            wider[:, : self._n_rows] = self._states[:, : self._n_rows]
            self._states = wider
        self._states[:, self._n_rows : end] = states
        for place, node in enumerate(nodes):
            self._numbers[node] = self._n_numbers + place
            self._rows[node] = self._n_rows + place
            self.reads[self.prompts[node]] += 1
        self._n_numbers += len(nodes)
        self._n_rows = end

    def _forget_all_but(self, nodes: Sequence[int]) -> None:
        needed = {step for node in nodes for step in self._path(node)}
        kept = sorted(node for node in needed if self._numbers[node] >= 0)
        rows = [*range(self.n_prompts), *(self._rows[node] for node in kept)]
        numbers = [self._numbers[node] for node in kept]
        self._states = self._states[:, torch.tensor(rows, device=self._device)]
        n_new = len(self) - self.n_prompts
        self._numbers[self.n_prompts :] = [-1] * n_new
        self._rows[self.n_prompts :] = [-1] * n_new
        for place, node in enumerate(kept):
            self._numbers[node] = numbers[place]
            self._rows[node] = self.n_prompts + place
        self._n_rows = len(rows)
        self._forward.keep(torch.tensor(numbers, dtype=torch.long, device=self._device))
        give_back()

    def _forget_winners(self, kept: set[int]) -> None:
        self._winners = [
            found if node in kept else None for node, found in enumerate(self._winners)
        ]
        self._n_logits = sum(len(found[0]) for found in self._winners if found is not None)
