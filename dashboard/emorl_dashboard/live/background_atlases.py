"""Atlases of prompts that the run has not mapped, built beside the pages in this process.

One thread maps one prompt at a time in short steps, so that answers are not kept waiting. A
prompt that no page asks about any more is left as far as it is; asking again goes on with it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

import streamlit as st

from emorl.atlas.rows import ScoredAtlas
from emorl.config import AtlasConfig
from emorl.errors import EmorlError
from emorl_dashboard.data.queries import Run
from emorl_dashboard.frames.plain import without_folders
from emorl_dashboard.live import models as live

STEP_SECONDS = 0.15
"""A step should take about that long."""

WANTED_SECONDS = 5.0
"""A prompt is left when no page asked about it for that long."""

_FIRST_NODES = 16
_FEWEST_NODES = 4  # the first of a step is one that is known already
_MOST_NODES = 512
_MAPS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the atlas of a prompt is."""

    scored: ScoredAtlas | None
    """None before the first step; with open cells until ``is_done``."""
    n_nodes: int
    """Prefixes read so far."""
    most_nodes: int
    """The budget."""
    is_done: bool
    """Complete, or its budget is spent."""
    problem: str = ""
    """Why it cannot go on."""

    @property
    def covered(self) -> float:
        """Fraction of all weights whose response is known."""
        return min(1.0, self.scored.atlas.covered) if self.scored else 0.0


@dataclass(slots=True)
class _Map:
    prompt: str
    ready: live.Loaded
    budget: AtlasConfig
    wanted_at: float
    seconds: float = 0.0
    step_nodes: int = _FIRST_NODES
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(None, 0, self.budget.nodes_per_prompt, is_done=False)

    @property
    def is_wanted(self) -> bool:
        return not self.progress.is_done and time.monotonic() - self.wanted_at < WANTED_SECONDS

    def step(self) -> None:
        """Read some more prefixes."""
        left = self.budget.nodes_per_prompt - self.progress.n_nodes
        started = time.monotonic()
        try:
            with self.ready.turns.later():
                started = time.monotonic()
                n_nodes = max(_FEWEST_NODES, min(self._wanted_nodes, left + 1))
                scored = self.ready.models.map_prompt(self.prompt, n_nodes)
        except EmorlError as error:
            self.give_up(without_folders(str(error)))
            return
        took = time.monotonic() - started
        self.seconds += took
        self._pace(took)
        n_nodes = self.progress.n_nodes + scored.atlas.node_forwards
        is_spent = n_nodes >= self.budget.nodes_per_prompt or self.seconds > self.budget.seconds
        self.progress = Progress(
            scored,
            n_nodes,
            self.progress.most_nodes,
            is_done=scored.atlas.is_complete or is_spent,
        )

    @property
    def _wanted_nodes(self) -> int:
        # Each step goes over what is known again: it must add a share of that, or time is lost.
        return max(self.step_nodes, self.progress.n_nodes // 8)

    def give_up(self, problem: str) -> None:
        """End here, and say why."""
        self.progress = replace(self.progress, is_done=True, problem=problem)

    def _pace(self, took: float) -> None:
        if took < STEP_SECONDS / 2:
            self.step_nodes = min(2 * self.step_nodes, _MOST_NODES)
        elif took > 2 * STEP_SECONDS:
            self.step_nodes = max(self.step_nodes // 2, _FEWEST_NODES)


@dataclass(slots=True)
class _Desk:
    """The prompts to map, first come first served, and the thread that does it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    maps: dict[tuple[str, int, str], _Map] = field(default_factory=dict)
    thread: threading.Thread | None = None

    def ask(self, key: tuple[str, int, str], new: _Map) -> Progress:
        with self.lock:
            own = self.maps.setdefault(key, new)
            own.wanted_at = time.monotonic()
            while len(self.maps) > _MAPS_KEPT:
                self.maps.pop(next(iter(self.maps)))
            if self.thread is None and own.is_wanted:
                self.thread = threading.Thread(target=self._work, name="mapping", daemon=True)
                self.thread.start()
            return own.progress

    def _work(self) -> None:
        while (own := self._next()) is not None:
            try:
                own.step()
            except BaseException as error:
                own.give_up(f"The atlas cannot be built: {type(error).__name__}: {error}")
                with self.lock:
                    self.thread = None
                raise

    def _next(self) -> _Map | None:
        with self.lock:
            wanted = next((one for one in self.maps.values() if one.is_wanted), None)
            if wanted is None:
                self.thread = None  # the next one who asks starts another
            return wanted


def follow(run: Run, prompt: str) -> Progress:
    """Ask for the atlas of a prompt, and tell how far it is; ask again to keep it going.

    Raises:
        EmorlError: If the models cannot be loaded.
    """
    budget = run.config.atlas if run.config else AtlasConfig()
    new = _Map(prompt, live.loaded(run), budget, time.monotonic())
    return _desk().ask(live.identity(run, prompt), new)


def found(run: Run, prompt: str) -> Progress | None:
    """Return how far the atlas of a prompt is, without asking for more; None if nobody asked."""
    own = _desk().maps.get(live.identity(run, prompt))
    return own.progress if own else None


@st.cache_resource(show_spinner=False)
def _desk() -> _Desk:
    return _Desk()
