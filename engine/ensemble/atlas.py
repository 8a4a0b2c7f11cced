"""Building atlases: follow all weights at once down the tree of prefixes.

Begin with the empty response and the whole simplex. At a prefix, cut its part of the simplex
along the upper envelope of the tokens that can win; go on with every piece. The largest part is
always read next, so that a budget ends with as much of the simplex covered as it could pay for.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.atlas.cells import Branch, Cell, PromptAtlas
from engine.atlas.polytope import area, centre, split, whole_simplex
from engine.ensemble.tree import PrefixTree
from engine.errors import MemoryBudgetError
from engine.setting_checks import check_at_least, check_whole

Floats = NDArray[np.float64]

_NODES_AT_ONCE = 256


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


@dataclass(slots=True)
class _Draft:
    """The atlas of one prompt while it grows."""

    branches: list[tuple[tuple[int, ...], tuple[int, ...], Floats, list[int]]] = field(
        default_factory=list
    )
    cells: list[Cell] = field(default_factory=list)
    dropped: float = 0.0


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
        self._frontier: list[tuple[float, int, _Part]] = []
        self._order = itertools.count()
        # The prompts were read for this, whoever built the tree.
        self._read_before = [reads - 1 for reads in tree.forwards_by_prompt]

    def build(self) -> list[PromptAtlas]:
        started = time.monotonic()
        prompts = list(self._drafts)
        self._tree.decide(prompts)
        for prompt in prompts:
            self._divide(prompt, prompt, whole_simplex(self._tree.n_members), None)
        seconds = self._budget.seconds
        while self._frontier and (seconds is None or time.monotonic() - started < seconds):
            self._read(self._affordable())
        for _, _, part in self._frontier:
            self._leave_open(part)
        forwards = self._forwards()
        return [self._finished(draft, forwards[p]) for p, draft in self._drafts.items()]

    def _forwards(self) -> list[int]:
        reads = self._tree.forwards_by_prompt
        return [now - before for now, before in zip(reads, self._read_before, strict=True)]

    def _affordable(self) -> list[_Part]:
        """Take the largest parts off the frontier; those beyond a prompt's budget become open."""
        limit = self._budget.nodes_per_prompt
        planned = self._forwards()
        affordable = []
        for _ in range(min(_NODES_AT_ONCE, len(self._frontier))):
            _, _, part = heapq.heappop(self._frontier)
            cost = 0 if self._tree.knows(part.parent, part.token) else 1
            if limit is not None and planned[part.prompt] + cost > limit:
                self._leave_open(part)
                continue
            planned[part.prompt] += cost
            affordable.append(part)
        return affordable

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
            self._divide(part.prompt, node, part.corners, part.slot)

    def _divide(
        self, prompt: int, node: int, corners: Floats, slot: tuple[int, int] | None
    ) -> None:
        """Cut a node's part of the simplex by its next token."""
        draft = self._drafts[prompt]
        tokens, vectors = self._tree.winners(node)
        possible = _possible_on(corners, vectors)
        if len(possible) == 1:
            self._follow(prompt, node, int(tokens[possible[0]]), corners, slot)
            return
        parts = split(corners, vectors[possible])
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
        heapq.heappush(self._frontier, (-area(corners), next(self._order), part))

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
        return PromptAtlas(
            branches=tuple(
                Branch(prefix, tokens, vectors, tuple(children))
                for prefix, tokens, vectors, children in draft.branches
            ),
            cells=tuple(draft.cells),
            n_members=self._tree.n_members,
            covered=sum(cell.area for cell in draft.cells if not cell.is_open),
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
