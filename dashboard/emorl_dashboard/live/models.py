"""Live generation: the one place where the dashboard loads models, and only when asked to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import streamlit as st

from emorl.atlas.rows import ScoredAtlas
from emorl.records import DecidedToken, Response, Weights
from emorl.runs.folder import RunFolder
from emorl.weights import canonical_direction
from emorl_dashboard.data.queries import Run
from emorl_dashboard.server import access


class Models(Protocol):
    """What a run's loaded models can do; ``emorl.inference.RunModels`` is one."""

    def answer(self, prompt: str, weights: Weights) -> Response:
        """Answer with the ensemble."""

    def alone(self, prompt: str) -> dict[str, Response]:
        """Answer with the base and each adapter alone."""

    def explain(self, prompt: str, weights: Weights) -> list[DecidedToken]:
        """Split every token of the ensemble's answer by objective."""

    def map_prompt(self, prompt: str, n_nodes: int) -> ScoredAtlas:
        """Go on with the atlas of a prompt, reading at most that many prefixes."""


Loader = Callable[[RunFolder], Models]


class GenerationLock:
    """One at a time; people who wait for an answer come before background work."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._is_busy = False
        self._n_waiting = 0

    @property
    def n_waiting(self) -> int:
        """People who wait for their turn."""
        return self._n_waiting

    @contextmanager
    def now(self) -> Iterator[None]:
        """Take the next turn."""
        with self._free:
            self._n_waiting += 1
            try:
                self._free.wait_for(lambda: not self._is_busy)
                self._is_busy = True
            finally:
                self._n_waiting -= 1
        with self._given_back():
            yield

    @contextmanager
    def later(self) -> Iterator[None]:
        """Take a turn when nobody waits for ``now``; keep it short."""
        with self._free:
            self._free.wait_for(lambda: not self._is_busy and not self._n_waiting)
            self._is_busy = True
        with self._given_back():
            yield

    @contextmanager
    def _given_back(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._free:
                self._is_busy = False
                self._free.notify_all()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The models of one run, and whose turn it is to use them."""

    models: Models
    turns: GenerationLock = field(default_factory=GenerationLock)


def _load_engine_models(folder: RunFolder) -> Models:
    # Imported here: the dashboard must start without the weight of a deep-learning library.
    from emorl.inference import load_run_models

    models: Models = load_run_models(folder)
    return models


_loader: list[Loader] = [_load_engine_models]


def use_loader(loader: Loader | None) -> None:
    """Load models with ``loader`` from now on; None gives the engine's own back."""
    _loader[0] = loader or _load_engine_models
    for cached in (_load, _answer, _alone, _explain):
        cached.clear()


def is_loader(name: str) -> bool:
    """Tell whether the loader in use has this name; a served script runs again and again."""
    return _loader[0].__name__ == name


def missing_adapters(run: Run) -> list[str]:
    """Return the objectives that have no finished adapter: not trained yet, or deleted."""
    return [name for name in run.objectives if not run.folder.adapter_weights(name).is_file()]


def refusal(run: Run) -> str:
    """Return why nothing can be generated of a run here; "" where it can."""
    if access.is_read_only():
        return access.READ_ONLY_NOTE
    missing = missing_adapters(run)
    if not missing:
        return ""
    return (
        f"Nothing new can be generated, for adapters are missing: {', '.join(missing)}. What is "
        f"stored is shown. `{run.resume_command}` trains them."
    )


def answer(run: Run, prompt: str, weights: Weights) -> Response:
    """Return the ensemble's greedy answer with its scores.

    Raises:
        EmorlError: If the models cannot be loaded, or the prompt or the weights do not fit.
    """
    return _answer(str(run.folder.root), _version(run), prompt, canonical_direction(weights))


def alone(run: Run, prompt: str) -> dict[str, Response]:
    """Return the answers of ``base`` and ``adapter:<objective>`` with their scores.

    Raises:
        EmorlError: If the models cannot be loaded, or the prompt does not fit.
    """
    return _alone(str(run.folder.root), _version(run), prompt)


def explain(run: Run, prompt: str, weights: Weights) -> list[DecidedToken]:
    """Return which objective decided each token of the ensemble's answer.

    Raises:
        EmorlError: If the models cannot be loaded, or the prompt or the weights do not fit.
    """
    return _explain(str(run.folder.root), _version(run), prompt, canonical_direction(weights))


def loaded(run: Run) -> Loaded:
    """Return the run's models; the first call of the process loads them.

    Raises:
        EmorlError: If they cannot be loaded.
    """
    return _load(str(run.folder.root), _version(run))


def identity(run: Run, prompt: str) -> tuple[str, int, str]:
    """Return what tells the answers to a prompt apart from all others of the process."""
    return str(run.folder.root), _version(run), prompt


@st.cache_data(max_entries=1024, show_spinner=False)
def _answer(root: str, version: int, prompt: str, direction: Weights) -> Response:
    ready = _load(root, version)
    with ready.turns.now():
        return ready.models.answer(prompt, direction)


@st.cache_data(max_entries=256, show_spinner=False)
def _alone(root: str, version: int, prompt: str) -> dict[str, Response]:
    ready = _load(root, version)
    with ready.turns.now():
        return ready.models.alone(prompt)


@st.cache_data(max_entries=256, show_spinner=False)
def _explain(root: str, version: int, prompt: str, direction: Weights) -> list[DecidedToken]:
    ready = _load(root, version)
    with ready.turns.now():
        return ready.models.explain(prompt, direction)


@st.cache_resource(max_entries=1, show_spinner=False)
def _load(root: str, version: int) -> Loaded:  # noqa: ARG001 - the version is a cache key
    return Loaded(_loader[0](RunFolder(Path(root))))


def _version(run: Run) -> int:
    folders = [run.folder.adapters / name for name in run.objectives]
    return max((folder.stat().st_mtime_ns for folder in folders if folder.is_dir()), default=0)
