"""Greedy decoding under any number of weight vectors over one tree of prefixes.

Different weights often choose the same next token, so their texts share prefixes. A node is a
prefix of one prompt; the members read it once, whichever weights lead there, now or in a later
round of a search. What the members say after it does not depend on the weights: a node keeps the
few tokens that can win under any weights with the members' logits for them, and the next weights
choose among these by a dot product.

Knows no text: prompts come in and responses go out as tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emorl.decoding.backend import Forward
from emorl.decoding.nodes import NodeStore, NoRoomError
from emorl.decoding.winners import best_tokens, possible_winners, vocabulary_size
from emorl.errors import MemoryBudgetError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_MIB = 2**20
_LOGITS_AT_ONCE = 16_000_000
"""Most logits held at once while the tokens that can win are picked."""
_BYTES_AT_ONCE_PER_LOGIT = 16
"""What a logit takes meanwhile, four times over: they may take a quarter of the memory."""


class PrefixTree:
    """All prefixes that the members of an ensemble have read of some prompts.

    Exact for aggregations that choose the largest ``sum_i w_i z_i`` (hidden states; logits). A
    head with a bias adds it to every member's logits, which is right for weights that sum to one.
    """

    def __init__(
        self,
        forward: Forward,
        input_ids: Tensor,
        attention_mask: Tensor,
        *,
        max_new_tokens: int,
        eos_token_ids: Sequence[int],
        memory_mib: float,
        more_memory: Callable[[], bool] = lambda: False,
    ) -> None:
        """Read the prompts.

        Args:
            forward: A fresh back end of at least two members.
            input_ids: Prompts, ``(n_prompts, length)``.
            attention_mask: Same shape.
            max_new_tokens: Longest response, the end token included.
            eos_token_ids: Tokens that end a response.
            memory_mib: Bound on what the nodes hold, in MiB. Prompts are not counted (see
                ``memory.Costs``); what is gathered, read, or looked at and dropped takes at most
                as much again, but for one node's.
            more_memory: Called where that is too little; tells whether it allowed more.
        """
        self.max_new_tokens = max_new_tokens
        self.ends = frozenset(int(token) for token in eos_token_ids)
        self.n_members = forward.n_members
        self.n_prompts = len(input_ids)
        self._head, self._screen = forward.head, forward.screen
        self._keeps_nodes = forward.keeps_nodes
        self._device = input_ids.device
        self._nodes = NodeStore(
            forward,
            input_ids,
            attention_mask,
            memory_mib * _MIB,
            more_memory,
        )

    def allow(self, memory_mib: float, beside_mib: float) -> None:
        """Bound memory from now on, in MiB.

        Args:
            memory_mib: Of what the nodes hold; see ``__init__``.
            beside_mib: Of what is gathered, read, or looked at and dropped, but for one node's.
        """
        self._nodes.allow(memory_mib * _MIB, beside_mib * _MIB)

    @property
    def bytes_taken(self) -> int:
        """Memory of the nodes, with what is free beside them."""
        return self._nodes.bytes_taken

    @property
    def _logits_at_once(self) -> int:
        return min(_LOGITS_AT_ONCE, int(self._nodes.beside / _BYTES_AT_ONCE_PER_LOGIT))

    @property
    def n_nodes(self) -> int:
        """Nodes that the tree knows now."""
        return len(self._nodes)

    @property
    def n_forwards(self) -> int:
        """Nodes read so far, prompts and repetitions included."""
        return sum(self._nodes.reads)

    @property
    def forwards_by_prompt(self) -> list[int]:
        """The same for each prompt."""
        return list(self._nodes.reads)

    @property
    def bytes_held(self) -> int:
        """Memory of the nodes: caches on the device, states, logits of possible winners."""
        return self._nodes.bytes_held

    def prefix(self, node: int) -> tuple[int, ...]:
        """Return a node's response tokens."""
        return self._nodes.prefix(node)

    def knows(self, parent: int, token: int) -> bool:
        """Tell whether the node that adds a token to a node was ever read."""
        return self._nodes.child(parent, token) is not None

    def decode(self, weights: Floats) -> list[list[list[int]]]:
        """Decode every prompt under every weight vector.

        Args:
            weights: ``(n_weights, n_members)``, none negative, none all zero; only their
                direction matters.

        Returns:
            Tokens per weight vector, per prompt; the end token is included where it was chosen.

        Raises:
            MemoryBudgetError: If not even one response fits the budget.
        """
        n_pairs = len(weights) * self.n_prompts
        directions = weights / weights.sum(axis=1, keepdims=True)
        texts = np.full((n_pairs, self.max_new_tokens), -1, dtype=np.int64)
        self._decode(np.arange(n_pairs), directions, texts)
        rows = [[token for token in row if token >= 0] for row in texts.tolist()]
        return [rows[at : at + self.n_prompts] for at in range(0, n_pairs, self.n_prompts)]

    def winners(self, node: int) -> tuple[Integers, Floats]:
        """Return the tokens that can win after a node that was decided last.

        Returns:
            Tokens in ascending order ``(n_tokens,)`` and their logits by member
            ``(n_tokens, n_members)``.

        Raises:
            ValueError: If the node is not decided, or was forgotten since.
        """
        found = self._nodes.winners(node)
        if found is None:
            raise ValueError(f"Node {node} is not decided.")
        return found

    def decide(self, nodes: Sequence[int]) -> None:
        """Find the tokens that can win after these nodes, where that is not known yet.

        Raises:
            MemoryBudgetError: If the nodes do not fit the budget together.
        """
        try:
            self._decide(nodes)
        except NoRoomError as error:
            raise self._budget_error() from error

    def expand(self, parents: Sequence[int], tokens: Sequence[int]) -> list[int]:
        """Return the nodes that add a token to a node each; read those that are new.

        Raises:
            MemoryBudgetError: If they do not fit the budget together.
        """
        try:
            return self._expand(parents, tokens)
        except NoRoomError as error:
            raise self._budget_error() from error

    @torch.no_grad()
    def logits(self, nodes: Sequence[int]) -> Tensor:
        """Return what every member says after these nodes, ``(n_members, n_nodes, vocab)``.

        Raises:
            MemoryBudgetError: If the nodes do not fit the budget together.
        """
        try:
            self._nodes.hold(nodes)
        except NoRoomError as error:
            raise self._budget_error() from error
        logits: Tensor = self._head(self._nodes.states(nodes))
        return logits

    def _decode(self, pairs: Integers, weights: Floats, texts: Integers) -> None:
        try:
            self._follow(pairs, weights, texts)
        except NoRoomError as error:
            if len(pairs) == 1:
                raise self._budget_error() from error
            # Pairs of few prompts share most: halve by prompt first.
            by_prompt = pairs[np.argsort(pairs % self.n_prompts, kind="stable")]
            for half in np.array_split(by_prompt, 2):
                self._decode(half, weights, texts)

    def _follow(self, pairs: Integers, weights: Floats, texts: Integers) -> None:
        nodes = pairs % self.n_prompts
        own = weights[pairs // self.n_prompts]
        texts[pairs] = -1
        ends = np.array(sorted(self.ends))
        for position in range(self.max_new_tokens):
            chosen = self._choose(nodes, own)
            texts[pairs, position] = chosen
            going_on = ~np.isin(chosen, ends)
            pairs, own = pairs[going_on], own[going_on]
            if not len(pairs) or position + 1 == self.max_new_tokens:
                return
            edges, inverse = np.unique(
                np.stack([nodes[going_on], chosen[going_on]]), axis=1, return_inverse=True
            )
            parents, tokens = edges[0].tolist(), edges[1].tolist()
            if not self._keeps_nodes and len(self._new(parents, tokens)) > (
                self._nodes.most_at_once
            ):
                raise NoRoomError  # in two calls, the second would forget what the first one read
            children = self._expand(parents, tokens)
            nodes = np.array(children)[inverse]

    def _choose(self, nodes: Integers, weights: Floats) -> Integers:
        asked, inverse, counts = np.unique(nodes, return_inverse=True, return_counts=True)
        is_open = np.array([self._nodes.winners(node) is None for node in asked], dtype=np.bool_)
        if is_open.any():
            # All at once: what is held for one part must not make the other part's forgotten.
            self._nodes.hold(asked[is_open].tolist(), keep_winners=asked.tolist())
        # The head reads one combined state per weight vector, or the state of every member.
        once = (is_open & (counts < self.n_members))[inverse]
        chosen = np.empty(len(nodes), dtype=np.int64)
        if once.any():
            chosen[once] = self._choose_once(nodes[once], weights[once])
        if not once.all():
            chosen[~once] = self._choose_among_winners(nodes[~once], weights[~once])
        return chosen

    def _choose_among_winners(self, nodes: Integers, weights: Floats) -> Integers:
        asked, inverse = np.unique(nodes, return_inverse=True)
        self._decide(asked.tolist())
        chosen = np.empty(len(nodes), dtype=np.int64)
        order = np.argsort(inverse, kind="stable")
        bounds = np.searchsorted(inverse[order], np.arange(len(asked) + 1))
        for place, node in enumerate(asked.tolist()):
            own = order[bounds[place] : bounds[place + 1]]
            tokens, vectors = self.winners(node)
            if len(tokens) == 1:
                chosen[own] = tokens[0]
            else:
                chosen[own] = tokens[(weights[own] @ vectors.T).argmax(axis=1)]
        return chosen

    @torch.no_grad()
    def _choose_once(self, nodes: Integers, weights: Floats) -> Integers:
        """Combine the states before the head: cheaper when few weights meet on a node."""
        self._nodes.hold(nodes.tolist())
        states = self._nodes.states(nodes.tolist())
        own = torch.from_numpy(weights).to(self._device, states.dtype)
        mixed = torch.einsum("nm,mnd->nd", own, states)
        size = max(1, self._logits_at_once // vocabulary_size(self._head, states))
        parts = [best_tokens(part, self._head, self._screen) for part in torch.split(mixed, size)]
        chosen: Integers = torch.cat(parts).cpu().numpy()
        return chosen

    @torch.no_grad()
    def _decide(self, nodes: Sequence[int]) -> None:
        distinct = list(dict.fromkeys(nodes))
        open_ = [node for node in distinct if self._nodes.winners(node) is None]
        if not open_:
            return
        self._nodes.hold(open_, keep_winners=distinct)
        n_logits = self.n_members * vocabulary_size(self._head, self._nodes.states(open_[:1]))
        size = max(1, self._logits_at_once // n_logits)
        for start in range(0, len(open_), size):
            part = open_[start : start + size]
            found = possible_winners(self._nodes.states(part), self._head, self._screen)
            for node, (tokens, vectors) in zip(part, found, strict=True):
                self._nodes.set_winners(node, tokens, vectors)

    def _expand(self, parents: Sequence[int], tokens: Sequence[int]) -> list[int]:
        new = self._new(parents, tokens)
        if new:
            self._nodes.add([parent for parent, _ in new], [token for _, token in new])
        children = [self._nodes.child(*edge) for edge in zip(parents, tokens, strict=True)]
        return [child for child in children if child is not None]

    def _new(self, parents: Sequence[int], tokens: Sequence[int]) -> list[tuple[int, int]]:
        """Return those nodes, each once, that were never read."""
        edges = dict.fromkeys(zip(parents, tokens, strict=True))
        return [edge for edge in edges if self._nodes.child(*edge) is None]

    def _budget_error(self) -> MemoryBudgetError:
        needed = self.max_new_tokens * self._nodes.bytes_per_node / _MIB
        return MemoryBudgetError(
            f"One response needs about {needed:.1f} MiB of caches and the budget is "
            f"{self._nodes.room / _MIB:.1f} MiB (policy.memory_mib). Raise it, or lower "
            "policy.max_new_tokens."
        )
