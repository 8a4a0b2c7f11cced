"""Atlases as rows of the store's tables ``atlases``, ``atlas_branches`` and ``atlas_cells``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emorl.atlas.cells import Branch, Cell, PromptAtlas
from emorl.atlas.field import RewardField
from emorl.records import Split

Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredAtlas:
    """The atlas of one prompt of a run, with the scores of its cells."""

    split: Split
    prompt_index: int
    atlas: PromptAtlas
    scores: Floats
    """``(n_cells, n_objectives)``; NaN for an open cell."""
    seconds: float
    """Wall time of decoding and scoring; a prompt's share where several were read together."""


def atlas_rows(scored: ScoredAtlas) -> dict[str, list[Row]]:
    """Return the rows of one atlas by table."""
    atlas = scored.atlas
    key: Row = {"split": scored.split, "prompt_index": scored.prompt_index}
    return {
        "atlases": [
            key
            | {
                "n_members": atlas.n_members,
                "n_cells": len(atlas.cells),
                "n_branches": len(atlas.branches),
                "is_complete": atlas.is_complete,
                "covered": atlas.covered,
                "dropped": atlas.dropped,
                "node_forwards": atlas.node_forwards,
                "seconds": scored.seconds,
            }
        ],
        "atlas_branches": [
            key
            | {
                "branch": position,
                "prefix": branch.prefix,
                "tokens": branch.tokens,
                "vectors": branch.vectors.ravel().tolist(),
                "children": branch.children,
            }
            for position, branch in enumerate(atlas.branches)
        ],
        "atlas_cells": [
            key
            | {
                "cell": position,
                "text": cell.text,
                "tokens": cell.tokens,
                "n_tokens": len(cell.tokens),
                "vertices": cell.vertices.ravel().tolist(),
                "area": cell.area,
                "is_open": cell.is_open,
                "scores": None if cell.is_open else scored.scores[position].tolist(),
            }
            for position, cell in enumerate(atlas.cells)
        ],
    }


def scored_atlases(
    atlases: Iterable[Row], branches: Iterable[Row], cells: Iterable[Row]
) -> list[ScoredAtlas]:
    """Put atlases together from their rows, sorted by split and prompt.

    The members of a run's ensemble are its objectives: there are as many scores as weights.
    """
    own_branches, own_cells = _grouped(branches, "branch"), _grouped(cells, "cell")
    found = []
    for row in sorted(atlases, key=_key):
        n = row["n_members"]
        parts = own_cells.get(_key(row), [])
        atlas = PromptAtlas(
            branches=tuple(
                Branch(
                    prefix=tuple(part["prefix"]),
                    tokens=tuple(part["tokens"]),
                    vectors=np.array(part["vectors"]).reshape(-1, n),
                    children=tuple(part["children"]),
                )
                for part in own_branches.get(_key(row), [])
            ),
            cells=tuple(
                Cell(
                    tokens=tuple(part["tokens"]),
                    text=part["text"],
                    vertices=np.array(part["vertices"]).reshape(-1, n),
                    area=part["area"],
                    is_open=part["is_open"],
                )
                for part in parts
            ),
            n_members=n,
            covered=row["covered"],
            dropped=row["dropped"],
            node_forwards=row["node_forwards"],
        )
        unknown = [np.nan] * n
        scores = np.array([part["scores"] or unknown for part in parts]).reshape(-1, n)
        found.append(ScoredAtlas(row["split"], row["prompt_index"], atlas, scores, row["seconds"]))
    return found


def reward_field(scored: Sequence[ScoredAtlas]) -> RewardField:
    """Return the rewards over all weights, of at least one prompt."""
    return RewardField(
        atlases=tuple(one.atlas for one in scored), scores=tuple(one.scores for one in scored)
    )


def _key(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["split"], row["prompt_index"]


def _grouped(rows: Iterable[Row], position: str) -> dict[tuple[str, int], list[Row]]:
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in sorted(rows, key=lambda row: (_key(row), row[position])):
        groups.setdefault(_key(row), []).append(row)
    return groups
