"""Building atlases: follow all weights at once down the tree of prefixes.

Begin with the empty response and the whole simplex. At a prefix, cut its part of the simplex
along the upper envelope of the tokens that can win; go on with every piece. The largest parts are
always read next, and no more of them at once than can still be read to their ends, so that a
budget ends with as much of the simplex covered as it could pay for.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emorl.atlas.cells import Branch, Cell, PromptAtlas
from emorl.atlas.polytope import TooSlowError, area, centre, split, whole_simplex
from emorl.config.checks import check_at_least, check_whole
from emorl.decoding.tree import PrefixTree
from emorl.errors import MemoryBudgetError

Floats = NDArray[np.float64]

_NODES_AT_ONCE = 256
"""Most that are read in one call: more would not be faster."""


@dataclass(frozen=True, slots=True)
class AtlasBudget:
    """When to stop."""

    nodes_per_prompt: int | None = None
    """Prefixes that the members may read of one prompt; no limit if None. What a tree with little
    memory reads again counts too, and may exceed it in the last step."""
    seconds: float | None = None
    """Wall time for all prompts together."""

    def __post_init__(self) -> None:
        """Refuse impossible limits.

        Raises:
            ConfigError: If one is negative or no number, or the nodes are no whole number.
        """
        nodes = self.nodes_per_prompt
        if nodes is not None:
            check_whole("AtlasBudget.nodes_per_prompt", nodes, least=0)
        if self.seconds is not None:
            check_at_least("AtlasBudget.seconds", self.seconds, 0.0)


@dataclass(slots=True)
class _Part:
    """A part of the simplex whose weights agree on a response so far."""

    prompt: int
    parent: int
    """Node of the tree, and the token after it."""
    token: int
    corners: Floats
    slot: tuple[int, int] | None
    """Branch and place that point here; None if nothing was decided by weights yet."""


_BranchDraft = tuple[tuple[int, ...], tuple[int, ...], Floats, list[int]]
"""Prefix, tokens, their vectors, and where each leads."""


@dataclass(slots=True)
class _Draft:
    """The atlas of one prompt while it grows."""

    branches: list[_BranchDraft] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    dropped: float = 0.0

    def in_order(self) -> tuple[list[Branch], list[Cell]]:
        """Return branches and cells depth first, each branch's children in the order of tokens.

        So the numbers of a complete atlas do not depend on what was read first.
        """
        branches: list[_BranchDraft] = []
        cells: list[Cell] = []
        waiting = [0 if self.branches else -1]
        numbers: dict[int, int] = {}
        while waiting:
            child = waiting.pop()
            if child < 0:
                numbers[child] = -1 - len(cells)
                cells.append(self.cells[-1 - child])
            else:
                numbers[child] = len(branches)
                branches.append(self.branches[child])
                waiting += reversed(branches[-1][3])
        return [
            Branch(prefix, tokens, vectors, tuple(numbers[child] for child in children))
            for prefix, tokens, vectors, children in branches
        ], cells


def build_atlases(
    tree: PrefixTree,
    decode: Callable[[Sequence[int]], str],
    budget: AtlasBudget | None = None,
    prompts: Sequence[int] | None = None,
) -> list[PromptAtlas]:
    """Find all responses to the prompts of a tree, or to some of them.

    Args:
        tree: What it has read already is not read again.
        decode: Turns response tokens into text.
        budget: When to stop; without one, every atlas becomes complete.
        prompts: Positions of the atlases' prompts in the tree; all by default.

    Returns:
        One atlas per prompt, in order; cells that the budget did not reach are open.

    Raises:
        MemoryBudgetError: If one response does not fit the tree's memory.
    """
    mapped = range(tree.n_prompts) if prompts is None else prompts
    return _Builder(tree, decode, budget or AtlasBudget(), mapped).build()


class _Builder:
    def __init__(
        self,
        tree: PrefixTree,
        decode: Callable[[Sequence[int]], str],
        budget: AtlasBudget,
        prompts: Sequence[int],
    ) -> None:
        self._tree = tree
        self._decode = decode
        self._budget = budget
        self._drafts = {prompt: _Draft() for prompt in prompts}
        self._frontiers: dict[int, list[tuple[float, int, _Part]]] = {p: [] for p in prompts}
        self._order = itertools.count()
        # The prompts were read for this, whoever built the tree.
        self._read_before = [reads - 1 for reads in tree.forwards_by_prompt]
        self._started = time.monotonic()
        self._until = math.inf if budget.seconds is None else self._started + budget.seconds

    def build(self) -> list[PromptAtlas]:
        prompts = list(self._drafts)
        self._tree.decide(prompts)
        for prompt in prompts:
            try:
                self._divide(prompt, prompt, whole_simplex(self._tree.n_members), None)
            except TooSlowError:
                self._finish(prompt, (), whole_simplex(self._tree.n_members), None, is_open=True)
        while any(self._frontiers.values()) and time.monotonic() < self._until:
            self._read(self._affordable())
        for frontier in self._frontiers.values():
            for _, _, part in frontier:
                self._leave_open(part)
        forwards = self._forwards()
        return [self._finished(draft, forwards[p]) for p, draft in self._drafts.items()]

    def _forwards(self) -> list[int]:
        reads = self._tree.forwards_by_prompt
        return [now - before for now, before in zip(reads, self._read_before, strict=True)]

    def _affordable(self) -> list[_Part]:
        """Take the largest parts off the frontiers; those beyond a prompt's budget become open."""
        limit = self._budget.nodes_per_prompt
        found: list[tuple[float, int, _Part]] = []
        for frontier, n_read in zip(
            self._frontiers.values(), self._read_of_prompts(), strict=True
        ):
            left = math.inf if limit is None else limit - n_read
            most = self._ending_within(left)
            while frontier and most > 0:
                one = heapq.heappop(frontier)
                cost = 0 if self._tree.knows(one[2].parent, one[2].token) else 1
                if cost > left:
                    self._leave_open(one[2])
                    continue
                left -= cost
                most -= 1
                found.append(one)
        found.sort()
        most = self._ending_within(self._nodes_in_time())
        for one in found[most:]:
            heapq.heappush(self._frontiers[one[2].prompt], one)
        return [part for _, _, part in found[:most]]

    def _ending_within(self, n_nodes: float) -> int:
        """Return how many parts to go on with, so that as many nodes read them all to their ends.

        Going on with more would leave more of them unfinished.
        """
        return int(max(1, min(_NODES_AT_ONCE, n_nodes / self._tree.max_new_tokens)))

    def _read_of_prompts(self) -> list[int]:
        forwards = self._forwards()
        return [forwards[prompt] for prompt in self._frontiers]

    def _nodes_in_time(self) -> float:
        """Return about how many nodes there is time for, as fast as it went so far."""
        if self._until == math.inf:
            return math.inf
        now = time.monotonic()
        per_second = sum(self._read_of_prompts()) / max(now - self._started, 1e-9)
        return per_second * max(0.0, self._until - now)

    def _read(self, parts: list[_Part]) -> None:
        """Read parts' next tokens: all at once, or as many as the tree's memory allows."""
        if not parts:
            return
        try:
            nodes = self._tree.expand([p.parent for p in parts], [p.token for p in parts])
            self._tree.decide(nodes)
        except MemoryBudgetError:
            if len(parts) == 1:
                raise
            # Prefixes that are close in the tree share what they hold.
            parts.sort(key=lambda part: (part.prompt, part.parent))
            middle = len(parts) // 2
            self._read(parts[:middle])
            self._read(parts[middle:])
            return
        for part, node in zip(parts, nodes, strict=True):
            try:
                self._divide(part.prompt, node, part.corners, part.slot)
            except TooSlowError:
                self._leave_open(part)

    def _divide(
        self, prompt: int, node: int, corners: Floats, slot: tuple[int, int] | None
    ) -> None:
        """Cut a node's part of the simplex by its next token.

        Raises:
            TooSlowError: If there is no time left for it; nothing has changed then.
        """
        draft = self._drafts[prompt]
        tokens, vectors = self._tree.winners(node)
        possible = _possible_on(corners, vectors)
        if len(possible) == 1:
            self._follow(prompt, node, int(tokens[possible[0]]), corners, slot)
            return
        parts = split(corners, vectors[possible], until=self._until)
        if not parts:
            # All pieces are too small to be parts: it stays whole, and is right in its middle.
            middle = int((vectors[possible] @ centre(corners)).argmax())
            parts = [(middle, corners)]
        draft.dropped += max(0.0, area(corners) - sum(area(part) for _, part in parts))
        if len(parts) == 1:
            winner, rest = parts[0]
            self._follow(prompt, node, int(tokens[possible[winner]]), rest, slot)
            return
        kept = possible[[winner for winner, _ in parts]]
        branch = len(draft.branches)
        winners = tuple(tokens[kept].tolist())
        draft.branches.append((self._tree.prefix(node), winners, vectors[kept], [0] * len(parts)))
        self._point(prompt, slot, branch)
        for place, (token, (_, part)) in enumerate(zip(winners, parts, strict=True)):
            self._follow(prompt, node, token, part, (branch, place))

    def _follow(
        self, prompt: int, node: int, token: int, corners: Floats, slot: tuple[int, int] | None
    ) -> None:
        response = (*self._tree.prefix(node), token)
        if token in self._tree.ends or len(response) == self._tree.max_new_tokens:
            self._finish(prompt, response, corners, slot, is_open=False)
            return
        part = _Part(prompt, node, token, corners, slot)
        heapq.heappush(self._frontiers[prompt], (-area(corners), next(self._order), part))

    def _finish(
        self,
        prompt: int,
        tokens: tuple[int, ...],
        corners: Floats,
        slot: tuple[int, int] | None,
        *,
        is_open: bool,
    ) -> None:
        draft = self._drafts[prompt]
        self._point(prompt, slot, -1 - len(draft.cells))
        draft.cells.append(
            Cell(tokens, self._decode(tokens), corners, area(corners), is_open=is_open)
        )

    def _leave_open(self, part: _Part) -> None:
        tokens = (*self._tree.prefix(part.parent), part.token)
        self._finish(part.prompt, tokens, part.corners, part.slot, is_open=True)

    def _point(self, prompt: int, slot: tuple[int, int] | None, child: int) -> None:
        if slot is not None:
            self._drafts[prompt].branches[slot[0]][3][slot[1]] = child

    def _finished(self, draft: _Draft, n_forwards: int) -> PromptAtlas:
        branches, cells = draft.in_order()
        return PromptAtlas(
            branches=tuple(branches),
            cells=tuple(cells),
            n_members=self._tree.n_members,
            covered=sum(cell.area for cell in cells if not cell.is_open),
            dropped=draft.dropped,
            node_forwards=n_forwards,
        )


def _possible_on(corners: Floats, vectors: Floats) -> NDArray[np.int64]:
    """Return the functions that can be the largest somewhere on a part, in their order.

    One that is below another at every corner never is.
    """
    if len(vectors) == 1:
        return np.zeros(1, dtype=np.int64)
    values = corners @ vectors.T
    winners = np.unique(values.argmax(axis=1))
    if len(winners) == 1:
        return winners
    kept = np.ones(len(vectors), dtype=bool)
    for winner in winners:
        kept &= (values >= values[:, [winner]]).any(axis=0)
    return np.flatnonzero(kept)
