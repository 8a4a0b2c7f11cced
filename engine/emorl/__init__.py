"""Train one adapter per objective, ensemble them, and see the whole space of weights.

What is listed in ``__all__`` is the public API; all other modules may change without notice.
Names are imported when they are first used: ``import emorl`` loads no model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emorl.version import __version__ as __version__

if TYPE_CHECKING:
    from emorl.api import results, reward, run, search_weights, summary
    from emorl.atlas.cells import PromptAtlas
    from emorl.config import (
        AdapterConfig,
        AtlasConfig,
        DataConfig,
        PolicyConfig,
        RunConfig,
        TrainingConfig,
    )
    from emorl.config.files import preset, read_config
    from emorl.decoding.atlas import AtlasBudget
    from emorl.errors import EmorlError
    from emorl.inference import RunModels, load_ensemble, load_run_models, make_ensemble
    from emorl.runs.folder import RunFolder
    from emorl.systems.ensemble import Ensemble, GeneratedText

_HOMES = {
    "AdapterConfig": "config",
    "AtlasBudget": "decoding.atlas",
    "AtlasConfig": "config",
    "DataConfig": "config",
    "EmorlError": "errors",
    "Ensemble": "systems.ensemble",
    "GeneratedText": "systems.ensemble",
    "PolicyConfig": "config",
    "PromptAtlas": "atlas.cells",
    "RunConfig": "config",
    "RunFolder": "runs.folder",
    "RunModels": "inference",
    "TrainingConfig": "config",
    "load_ensemble": "inference",
    "load_run_models": "inference",
    "make_ensemble": "inference",
    "preset": "config.files",
    "read_config": "config.files",
    "results": "api",
    "reward": "api",
    "run": "api",
    "search_weights": "api",
    "summary": "api",
}
"""Public name -> module that has it."""

__all__ = [
    "AdapterConfig",
    "AtlasBudget",
    "AtlasConfig",
    "DataConfig",
    "EmorlError",
    "Ensemble",
    "GeneratedText",
    "PolicyConfig",
    "PromptAtlas",
    "RunConfig",
    "RunFolder",
    "RunModels",
    "TrainingConfig",
    "load_ensemble",
    "load_run_models",
    "make_ensemble",
    "preset",
    "read_config",
    "results",
    "reward",
    "run",
    "search_weights",
    "summary",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'emorl' has no public name {name!r}")
    return getattr(import_module(f"emorl.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
