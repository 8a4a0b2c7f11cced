"""What is checked of an adapter's folder before its weights go on a policy.

Reads names and settings only; knows no Torch model.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from emorl.errors import ModelError

_LOG = logging.getLogger(__name__)

_SETTINGS, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def check_adapter_folder(name: str, folder: Path, *, base: str, head: str | None) -> None:
    """Make sure that a folder holds a LoRA that leaves the base's own weights and head alone.

    An adapter whose settings name another base is told as a warning: folders get other names.

    Args:
        name: What the adapter is called.
        folder: Where it is, in PEFT's layout.
        base: Folder or hub name of the base that it goes on.
        head: Name of the language-model head among the base's modules, if it has one.

    Raises:
        ModelError: If the folder holds something else.
    """
    settings = _settings(name, folder)
    if settings.get("peft_type") != "LORA" or settings.get("modules_to_save"):
        raise ModelError(
            f"Adapter {name!r} in {folder} must be a LoRA without modules_to_save (an ensemble "
            f"shares one head), got {settings.get('peft_type')} with "
            f"modules_to_save = {settings.get('modules_to_save')}."
        )
    if settings.get("bias", "none") != "none":
        raise ModelError(
            f"Adapter {name!r} in {folder} brings biases for the base (bias = "
            f"{settings['bias']!r}), which all other members would read too. Train it again with "
            "bias = 'none'."
        )
    changed = [] if head is None else _trained_parts(folder, head)
    if changed:
        raise ModelError(
            f"Adapter {name!r} in {folder} changes the head ({changed[0]}), but an ensemble "
            f"shares one head. Train it again without {head!r} in target_modules "
            "('all-linear' leaves the head out)."
        )
    trained_on = settings.get("base_model_name_or_path")
    if trained_on and base and _last_name(trained_on) != _last_name(base):
        _LOG.warning(
            "Adapter %r in %s was trained on %r, but goes on %r. If these are different models "
            "its texts mean nothing: give policy.model the base that it was trained on.",
            name,
            folder,
            trained_on,
            base,
        )


def _settings(name: str, folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"There is no adapter {name!r}: {folder} holds no {_SETTINGS}. Copy the adapter's "
            "folder there, or train it with `emorl run`."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(
            f"Cannot read {folder / _SETTINGS} of adapter {name!r}: {error}. Copy the adapter's "
            "folder there again, or train it with `emorl run`."
        ) from error
    if not (folder / _WEIGHTS).is_file():
        raise ModelError(f"{folder} has no {_WEIGHTS}; other formats are not loaded.")
    if not isinstance(settings, dict):
        raise ModelError(
            f"{folder / _SETTINGS} must hold a table of settings, got "
            f"{type(settings).__name__}. Train the adapter with `emorl run`."
        )
    return settings


def _trained_parts(folder: Path, module: str) -> list[str]:
    """Return the names of the LoRA weights that a folder has for a module.

    The file says what is changed, whatever ``target_modules`` (a list, a pattern) looks like.
    """
    try:
        with safe_open(str(folder / _WEIGHTS), framework="pt") as tensors:
            names = sorted(tensors.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"Cannot read {folder / _WEIGHTS}: {error}. The file is cut off or of another "
            "format; copy or train the adapter again."
        ) from error
    return [name for name in names if f".{module}.lora_" in name]


def _last_name(model: str) -> str:
    """Return what a folder or hub name ends in: folders move, and mirrors have other owners."""
    cached = re.search(r"models--(?:.*--)?([^/\\]+)[/\\]snapshots[/\\]", model)
    return cached[1] if cached else re.split(r"[/\\]", model.rstrip("/\\"))[-1]
