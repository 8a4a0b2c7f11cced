"""Which systems of a study can be compared: those that are rated on a common prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations, product

from emorl_dashboard.study.protocol.plan import PlanItem

Pair = tuple[str, str]
"""Two systems, in the order of their names."""


def shared_prompts(items: Iterable[PlanItem]) -> dict[Pair, int]:
    """Return to how many prompts every two systems are compared; 0 where to none.

    Rated responses are compared over their prompt; of pairs, only those that are shown count.
    """
    rated = [item for item in items if item.kind == "rating"]
    names = sorted({name for item in rated for name in (*item.systems, *item.other_systems)})
    prompts: dict[Pair, set[str]] = {pair: set() for pair in combinations(names, 2)}
    answered: dict[str, set[str]] = {}
    for item in rated:
        if item.other_response is None:
            answered.setdefault(item.source_item, set()).update(item.systems)
        for one, other in product(item.systems, item.other_systems):
            prompts[min(one, other), max(one, other)].add(item.source_item)
    for prompt, systems in answered.items():
        for pair in combinations(sorted(systems), 2):
            prompts[pair].add(prompt)
    return {pair: len(found) for pair, found in prompts.items()}


def fewest_shared_prompts(items: Iterable[PlanItem]) -> int:
    """Return the prompts of the pair that is compared on the fewest; 0 if no pair is compared.

    Pairs without a common prompt do not count: nothing is said of them.
    """
    return min((n for n in shared_prompts(items).values() if n), default=0)


def groups(shared: Mapping[Pair, int]) -> list[tuple[str, ...]]:
    """Return the systems in groups: comparisons connect all of one, and none of two."""
    group_of = {name: {name} for pair in shared for name in pair}
    for (one, other), n_prompts in shared.items():
        if n_prompts and group_of[one] is not group_of[other]:
            group_of[one] |= group_of[other]
            for name in group_of[other]:
                group_of[name] = group_of[one]
    return sorted({tuple(sorted(group)) for group in group_of.values()})
