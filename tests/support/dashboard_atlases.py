"""Small atlases with borders that can be worked out by hand."""

from __future__ import annotations

import numpy as np

from emorl.atlas.cells import Branch, Cell, PromptAtlas
from emorl.atlas.polytope import area, split, whole_simplex
from emorl.atlas.rows import ScoredAtlas
from emorl.records import Split


def scored_atlas(
    texts: tuple[str, ...],
    vectors: list[list[float]],
    scores: list[list[float]],
    *,
    prompt_index: int = 0,
    split_name: Split = "aggregation",
    open_cell: int | None = None,
) -> ScoredAtlas:
    """One choice between the texts: text k wins where ``w @ vectors[k]`` is largest."""
    table = np.array(vectors, dtype=np.float64)
    parts = dict(split(whole_simplex(table.shape[1]), table))
    cells = tuple(
        Cell((place,), text, parts[place], area(parts[place]), is_open=place == open_cell)
        for place, text in enumerate(texts)
    )
    tokens = tuple(range(len(texts)))
    branch = Branch((), tokens, table, tuple(-1 - place for place in tokens))
    own = np.array(scores, dtype=np.float64)
    if open_cell is not None:
        own[open_cell] = np.nan
    covered = 1.0 if open_cell is None else 1.0 - cells[open_cell].area
    atlas = PromptAtlas(
        branches=(branch,) if len(texts) > 1 else (),
        cells=cells,
        n_members=table.shape[1],
        covered=covered,
        dropped=0.0,
        node_forwards=len(texts),
    )
    return ScoredAtlas(split_name, prompt_index, atlas, own, 0.1)


def halves(
    prompt_index: int = 0, *, split_name: Split = "aggregation", open_cell: int | None = None
) -> ScoredAtlas:
    """Text A where the first of three weights is the larger of the first two, else text B."""
    return scored_atlas(
        ("A is first", "B is second"),
        [[1, 0, 0], [0, 1, 0]],
        [[0.9, 0.3, 0.6], [0.2, 0.4, 0.6]],
        prompt_index=prompt_index,
        split_name=split_name,
        open_cell=open_cell,
    )


def fixed(prompt_index: int = 1) -> ScoredAtlas:
    """One text, whatever the three weights."""
    return scored_atlas(("Always",), [[1, 1, 1]], [[0.5, 0.5, 0.5]], prompt_index=prompt_index)
