"""Atlases of many prompts, some prompts at a time, within one budget of seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from emorl.atlas.cells import PromptAtlas
from emorl.config.checks import check_whole
from emorl.decoding.atlas import AtlasBudget, build_atlases
from emorl.decoding.tree import PrefixTree
from emorl.errors import ConfigError


def build_by_part(
    trees: Iterable[tuple[range, PrefixTree]],
    decode: Callable[[Sequence[int]], str],
    budget: AtlasBudget | None,
    n_prompts: int,
    most_at_once: int | None = None,
    skip: Collection[int] = (),
) -> Iterator[tuple[list[int], list[PromptAtlas]]]:
    """Build the atlases of the prompts of several trees.

    The parts are the same whatever is skipped. So are the atlases of a part of which nothing is
    skipped: to the last bit where its tree has room, and but for the rounding of what is read
    again where it has not. In a part of which some prompts are skipped, the others' prefixes are
    read in smaller batches, and numbers may be rounded differently as well.

    Args:
        trees: With the positions of their prompts; each is let go before the next is asked for.
        decode: Turns response tokens into text.
        budget: Its seconds are for all prompts that are not skipped: those of a part may take
            their share of what is left. The time between parts, which is the caller's, is not
            counted.
        n_prompts: Prompts in all.
        most_at_once: Prompts whose atlases grow together; those of a tree if None.
        skip: Positions of prompts that need no atlas.

    Yields:
        Positions of a part's prompts, without those that are skipped, and their atlases.

    Raises:
        ConfigError: If ``most_at_once`` is below 1, or the budget is none.
        MemoryBudgetError: If one response does not fit a tree's memory.
    """
    if most_at_once is not None:
        check_whole("most_at_once", most_at_once, least=1)
    left = AtlasBudget() if budget is None else budget
    if not isinstance(left, AtlasBudget):
        raise ConfigError(
            f"budget must be an AtlasBudget or None, got {budget!r}. Give "
            "AtlasBudget(nodes_per_prompt=...) or AtlasBudget(seconds=...)."
        )
    n_left = sum(place not in skip for place in range(n_prompts))
    resumed = time.monotonic()
    for places, tree in trees:
        for part in _parts(places, most_at_once, skip):
            left = _less(left, time.monotonic() - resumed)
            resumed = time.monotonic()
            share = _share(left, len(part) / n_left)
            atlases = build_atlases(tree, decode, share, [p - places.start for p in part])
            left = _less(left, time.monotonic() - resumed)
            n_left -= len(part)
            yield part, atlases
            resumed = time.monotonic()
        del tree  # or it takes memory beside the one that is made in its place


def _parts(places: range, most_at_once: int | None, skip: Collection[int]) -> Iterator[list[int]]:
    """Divide the positions of a tree's prompts; parts of which all is skipped are left out."""
    size = most_at_once or len(places)
    for start in range(0, len(places), size):
        part = [place for place in places[start : start + size] if place not in skip]
        if part:
            yield part


def _less(budget: AtlasBudget, seconds: float) -> AtlasBudget:
    if budget.seconds is None:
        return budget
    return replace(budget, seconds=max(0.0, budget.seconds - seconds))


def _share(budget: AtlasBudget, share: float) -> AtlasBudget:
    return budget if budget.seconds is None else replace(budget, seconds=budget.seconds * share)
