"""The atlases that the engine published, put together once per snapshot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from emorl.atlas.field import RewardField
from emorl.atlas.rows import ScoredAtlas, reward_field, scored_atlases
from emorl_dashboard.data.queries import Frame, Run, stamps, table

_TABLES = ("atlases", "atlas_branches", "atlas_cells")


@dataclass(frozen=True, slots=True)
class Atlases:
    """The mapped prompts of one split, in order, and what is wrong with their files."""

    scored: tuple[ScoredAtlas, ...]
    problem: str = ""

    @property
    def field(self) -> RewardField | None:
        """Return the rewards over all weights, over the prompts that are mapped; None without."""
        return reward_field(self.scored) if self.scored else None

    def of_prompt(self, prompt_index: int) -> ScoredAtlas | None:
        """Return the atlas of one prompt, if it is mapped."""
        return next((one for one in self.scored if one.prompt_index == prompt_index), None)


def atlases(run: Run, split: str) -> Atlases:
    """Return the atlases of a run's split as the engine published them.

    The three tables are replaced one after the other: a prompt whose rows are not all there yet
    waits for the next look.
    """
    found = _build_atlases(run, str(run.folder.root), split, stamps(run, *_TABLES))
    return replace(found, problem=_problem(run)) if found.problem else found  # how old, as of now


@st.cache_resource(max_entries=16, show_spinner=False)
def _build_atlases(_run: Run, root: str, split: str, stamp: tuple[object, ...]) -> Atlases:  # noqa: ARG001
    tables = [table(_run, name) for name in _TABLES]
    heads, branches, cells = (_rows_of(found.frame, split) for found in tables)
    n_branches = Counter(row["prompt_index"] for row in branches)
    n_cells = Counter(row["prompt_index"] for row in cells)
    whole = [
        row
        for row in heads
        if n_branches[row["prompt_index"]] == row["n_branches"]
        and n_cells[row["prompt_index"]] == row["n_cells"]
    ]
    return Atlases(tuple(scored_atlases(whole, branches, cells)), _problem(_run))


def _problem(run: Run) -> str:
    tables = (table(run, name) for name in _TABLES)
    return next((found.problem for found in tables if found.problem), "")


def _rows_of(frame: Frame, split: str) -> list[dict[str, Any]]:
    rows = frame[frame["split"] == split].to_dict("records")
    return [{str(name): _as_list(value) for name, value in row.items()} for row in rows]


def _as_list(value: Any) -> Any:
    # A frame keeps lists as arrays, of which nobody can say whether they are empty.
    return value.tolist() if isinstance(value, np.ndarray) else value
