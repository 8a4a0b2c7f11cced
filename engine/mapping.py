"""From prompts to scored atlases, and from those to what is proven about all weights."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from engine.atlas.cells import PromptAtlas
from engine.atlas.rows import ScoredAtlas, reward_field
from engine.ensemble.atlas import AtlasBudget
from engine.ensemble.ensemble import PROMPTS_PER_TREE, Ensemble
from engine.records import Split, Weights
from engine.rewards import RewardTable
from engine.search.certified import Region, SearchBudget, certified_search, exact_front

Row = dict[str, Any]


def map_prompts(
    ensemble: Ensemble,
    rewards: RewardTable,
    split: Split,
    prompts: Sequence[str],
    budget: AtlasBudget,
    *,
    first_index: int = 0,
    skip: Collection[int] = (),
) -> Iterator[ScoredAtlas]:
    """Find all responses to prompts, and score them.

    Args:
        ensemble: Keeps what it reads, so that decoding the same prompts afterwards is cheap.
        rewards: Scores the responses.
        split: Split of the prompts.
        prompts: Texts; those that are read together stay together whatever is skipped.
        budget: For each group of prompts that is read together.
        first_index: Position of the first prompt in its split.
        skip: Positions of prompts that are mapped already.

    Yields:
        One scored atlas per prompt, in order.
    """
    for start in range(0, len(prompts), PROMPTS_PER_TREE):
        group = list(prompts[start : start + PROMPTS_PER_TREE])
        places = range(first_index + start, first_index + start + len(group))
        if all(place in skip for place in places):
            continue
        started = time.perf_counter()
        atlases = ensemble.atlases(group, budget)
        closed = [
            (place, cell.text)
            for place, atlas in enumerate(atlases)
            for cell in atlas.cells
            if not cell.is_open
        ]
        scores = rewards.score([group[place] for place, _ in closed], [text for _, text in closed])
        seconds = (time.perf_counter() - started) / len(group)
        taken = 0
        for place, atlas in zip(places, atlases, strict=True):
            own = np.full((len(atlas.cells), len(rewards.objectives)), np.nan)
            for position, cell in enumerate(atlas.cells):
                if not cell.is_open:
                    own[position] = scores[taken]
                    taken += 1
            if place not in skip:
                yield ScoredAtlas(split, place, atlas, own, seconds)


def wrong_cells(
    ensemble: Ensemble, prompts: Sequence[str], atlases: Sequence[PromptAtlas]
) -> list[tuple[int, int]]:
    """Decode at the middle of every cell, and return the cells whose text comes out different.

    Args:
        ensemble: Of another back end than the one that built the atlases, to check both.
        prompts: The atlases' prompts.
        atlases: Open cells are not checked.

    Returns:
        Places of prompt and cell, in order.
    """
    wrong = []
    for place, (prompt, atlas) in enumerate(zip(prompts, atlases, strict=True)):
        closed = [number for number, cell in enumerate(atlas.cells) if not cell.is_open]
        if not closed:
            continue
        middles = [atlas.cells[number].centroid.tolist() for number in closed]
        texts = ensemble.generate([prompt], middles)
        wrong += [
            (place, number)
            for number, (generated,) in zip(closed, texts, strict=True)
            if generated.text != atlas.cells[number].text
        ]
    return wrong


def certificate_rows(
    scored: Sequence[ScoredAtlas], searched: Weights | None, budget: SearchBudget
) -> tuple[Row, list[Row]]:
    """Prove which weights are best, and find the exact front.

    Args:
        scored: Atlases of all prompts of one split.
        searched: What another search found best; its regret is told.
        budget: For either of the two.

    Returns:
        Row of ``certificates`` and rows of ``front``, without split and position.
    """
    field = reward_field(scored)
    proof = certified_search(field, budget)
    front = exact_front(field, budget)
    regret = None
    if searched is not None:
        regret = proof.best.mean_reward - float(field.means([searched]).mean())
    row = _region_row(proof.best) | {
        "corners": proof.best.corners.ravel().tolist(),
        "mean_reward": proof.best.mean_reward,
        "upper_bound": proof.upper_bound,
        "gap": proof.gap,
        "regions": proof.regions,
        "seconds": proof.seconds,
        "searched_weights": searched,
        "regret": regret,
    }
    order = sorted(
        zip(front.regions, front.is_supported, strict=True),
        key=lambda pair: -pair[0].mean_reward,
    )
    return row, [
        _region_row(region) | {"is_supported": supported, "is_complete": front.is_complete}
        for region, supported in order
    ]


def _region_row(region: Region) -> Row:
    return {
        "weights": region.weights,
        "radius": region.radius,
        "area": region.area,
        "means": region.means,
    }
