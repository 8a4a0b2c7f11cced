"""Live generation: the one place where the dashboard loads models, and only when asked to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import streamlit as st

from dashboard.queries import Run
from engine.artifacts import RunFolder
from engine.records import Response, Weights


class Models(Protocol):
    """What a run's loaded models can do; ``engine.inference.RunModels`` is one."""

    def compare(self, prompt: str, weights: Weights) -> dict[str, Response]:
        """Generate with the ensemble, the base and each adapter, and score every response."""


Loader = Callable[[RunFolder], Models]


@dataclass(slots=True)
class _Loaded:
    models: Models
    lock: threading.Lock = field(default_factory=threading.Lock)


def _load_engine_models(folder: RunFolder) -> Models:
    # Imported here: the dashboard must start without the weight of a deep-learning library.
    from engine.inference import load_run_models

    models: Models = load_run_models(folder)
    return models


_loader: list[Loader] = [_load_engine_models]


def use_loader(loader: Loader | None) -> None:
    """Load models with ``loader`` from now on; None gives the engine's own back."""
    _loader[0] = loader or _load_engine_models
    _load.clear()
    _compare.clear()


def is_loader(name: str) -> bool:
    """Tell whether the loader in use has this name; a served script runs again and again."""
    return _loader[0].__name__ == name


def missing_adapters(run: Run) -> list[str]:
    """Return the objectives whose adapter is not finished yet."""
    return [name for name in run.objectives if not (run.folder.adapters / name).is_dir()]


def compare(run: Run, prompt: str, weights: Weights) -> dict[str, Response]:
    """Return the responses of ``ensemble``, ``base`` and ``adapter:<objective>`` with scores.

    Raises:
        EmorlError: If the models cannot be loaded, or the prompt or the weights do not fit.
    """
    return _compare(str(run.folder.root), _version(run), prompt, weights)


@st.cache_data(max_entries=256, show_spinner=False)
def _compare(root: str, version: int, prompt: str, weights: Weights) -> dict[str, Response]:
    loaded = _load(root, version)
    with loaded.lock:
        return loaded.models.compare(prompt, weights)


@st.cache_resource(max_entries=1, show_spinner=False)
def _load(root: str, version: int) -> _Loaded:  # noqa: ARG001 - the version is a cache key
    return _Loaded(_loader[0](RunFolder(Path(root))))


def _version(run: Run) -> int:
    folders = [run.folder.adapters / name for name in run.objectives]
    return max(folder.stat().st_mtime_ns for folder in folders)
