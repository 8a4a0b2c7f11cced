"""Atlases of many prompts, some prompts at a time, within one budget of seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from engine.atlas.cells import PromptAtlas
from engine.ensemble.atlas import AtlasBudget, build_atlases
from engine.ensemble.tree import PrefixTree


def build_by_part(
    trees: Iterable[PrefixTree],
    decode: Callable[[Sequence[int]], str],
    budget: AtlasBudget | None,
    n_prompts: int,
    most_at_once: int | None = None,
    skip: Collection[int] = (),
) -> Iterator[tuple[range, list[PromptAtlas]]]:
    """Build the atlases of the prompts of several trees.

    Whatever is skipped, the parts are the same, and so are the atlases of a part to the last bit.

    Args:
        trees: Their prompts follow each other; each is let go before the next is asked for.
        decode: Turns response tokens into text.
        budget: Its seconds are for all prompts: a part may take its share of what is left.
        n_prompts: Prompts of all trees.
        most_at_once: Prompts whose atlases grow together; those of a tree if None.
        skip: Positions of prompts that need no atlas; a part without others is not built.

    Yields:
        Positions of a part's prompts and their atlases.

    Raises:
        MemoryBudgetError: If one response does not fit a tree's memory.
    """
    started = time.monotonic()
    first = 0
    for tree in trees:
        size = most_at_once or tree.n_prompts
        for start in range(0, tree.n_prompts, size):
            own = range(start, min(start + size, tree.n_prompts))
            places = range(first + own.start, first + own.stop)
            if all(place in skip for place in places):
                continue
            left = budget
            if budget is not None and budget.seconds is not None:
                unspent = max(0.0, budget.seconds - (time.monotonic() - started))
                share = len(own) / (n_prompts - places.start)
                left = replace(budget, seconds=unspent * share)
            yield places, build_atlases(tree, decode, left, own)
        first += tree.n_prompts
        del tree  # or it takes memory beside the one that is made in its place
