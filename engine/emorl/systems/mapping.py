"""From prompts to scored atlases."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from emorl.atlas.cells import PromptAtlas
from emorl.atlas.rows import ScoredAtlas
from emorl.decoding.atlas import AtlasBudget
from emorl.records import Split
from emorl.rewards import RewardTable
from emorl.systems.ensemble import PROMPTS_PER_TREE, Ensemble

Floats = NDArray[np.float64]

_PROMPTS_AT_ONCE = 8
"""Prompts whose responses are found and scored together on a CPU: of fewer it takes longer, of
more are lost when a run is stopped."""


def map_prompts(
    ensemble: Ensemble,
    rewards: RewardTable,
    split: Split,
    prompts: Sequence[str],
    budget: AtlasBudget,
    *,
    first_index: int = 0,
    skip: Collection[int] = (),
) -> Iterator[list[ScoredAtlas]]:
    """Find all responses to prompts, and score them.

    Args:
        ensemble: Keeps what it reads, so that decoding the same prompts afterwards is cheap.
        rewards: Scores the responses.
        split: Split of the prompts.
        prompts: Texts; those that are read together stay together whatever is skipped.
        budget: For each group of prompts that is read together; scoring takes none of it.
        first_index: Position of the first prompt in its split.
        skip: Positions of prompts that are mapped already.

    Yields:
        Scored atlases of prompts that were decoded and scored together, in order. Store them
        together: a run that is stopped between such parts, not inside one, goes on with the same
        numbers to the last bit (where memory is not short; see ``build_by_part``).
    """
    # Small steps cost a GPU as much as large ones.
    at_once = _PROMPTS_AT_ONCE if ensemble.policy.device.type == "cpu" else None
    for start in range(0, len(prompts), PROMPTS_PER_TREE):
        group = list(prompts[start : start + PROMPTS_PER_TREE])
        places = range(first_index + start, first_index + start + len(group))
        if all(place in skip for place in places):
            continue
        done = {position for position, place in enumerate(places) if place in skip}
        started = time.perf_counter()
        for part, atlases in ensemble.atlases_by_part(group, budget, at_once, done):
            scores = _scores(rewards, [group[position] for position in part], atlases)
            seconds = (time.perf_counter() - started) / len(part)
            yield [
                ScoredAtlas(split, places[position], atlas, own, seconds)
                for position, atlas, own in zip(part, atlases, scores, strict=True)
            ]
            started = time.perf_counter()


def _scores(
    rewards: RewardTable, prompts: Sequence[str], atlases: Sequence[PromptAtlas]
) -> list[Floats]:
    """Score the responses of closed cells: ``(n_cells, n_objectives)`` per prompt."""
    closed = [
        (prompt, cell.text)
        for prompt, atlas in zip(prompts, atlases, strict=True)
        for cell in atlas.cells
        if not cell.is_open
    ]
    told = rewards.score([prompt for prompt, _ in closed], [text for _, text in closed])
    scores, taken = [], 0
    for atlas in atlases:
        own = np.full((len(atlas.cells), len(rewards.objectives)), np.nan)
        closed_here = [not cell.is_open for cell in atlas.cells]
        n_closed = sum(closed_here)
        own[closed_here] = told[taken : taken + n_closed]
        taken += n_closed
        scores.append(own)
    return scores


def more_complete(stored: ScoredAtlas | None, found: ScoredAtlas) -> ScoredAtlas:
    """Return the atlas that covers more of the weights; the one just found if none does."""
    if stored is None or found.atlas.is_complete:
        return found
    is_smaller = found.atlas.covered < stored.atlas.covered
    return stored if stored.atlas.is_complete or is_smaller else found


def mismatched_cells(
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
