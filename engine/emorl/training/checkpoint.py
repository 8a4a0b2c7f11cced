"""A training in the middle, in one safetensors file: adapters, optimiser moments, counters."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from emorl.errors import DiskError, ModelError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by name (``parameter/...``, ``exp_avg/...``, ``exp_avg_sq/...``) and counters."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]
    """By adapter."""

    @classmethod
    def of(
        cls,
        parameters: Mapping[str, torch.nn.Parameter],
        optimizer: torch.optim.AdamW,
        state: dict[str, Any],
    ) -> Self:
        """Copy what changes while training."""
        tensors = {}
        for name, parameter in parameters.items():
            tensors[f"parameter/{name}"] = parameter.detach().cpu().clone()
            for moment, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{moment}/{name}"] = value.detach().cpu().clone()
        return cls(tensors, state)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Put the checkpoints of several adapters into one."""
        tensors = {name: tensor for part in parts for name, tensor in part.tensors.items()}
        return cls(
            tensors, {adapter: state for part in parts for adapter, state in part.state.items()}
        )

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a checkpoint; None if there is none.

        Raises:
            ModelError: If the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            with safe_open(str(path), framework="pt") as file:
                state = json.loads(file.metadata()["state"])
                return cls({name: file.get_tensor(name) for name in file.keys()}, state)  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise ModelError(
                f"The checkpoint {path} is damaged: {error}. Delete it; the training of this "
                "adapter starts anew, everything else is kept."
            ) from error

    def write(self, path: Path) -> None:
        """Replace ``path`` in one step.

        Raises:
            DiskError: If it cannot be written; the older file stays.
        """
        beside = path.with_suffix(".tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(self.tensors, str(beside), metadata={"state": json.dumps(self.state)})
            os.replace(beside, path)  # noqa: PTH105 - replaces on every platform
        except (OSError, SafetensorError) as error:
            raise DiskError(
                f"Cannot write {path}: {error}. Free some room and start the same command "
                "again, it goes on from the last checkpoint."
            ) from error

    def load_into(
        self, parameters: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.AdamW
    ) -> None:
        """Set parameters and optimiser moments.

        Raises:
            ModelError: If the checkpoint is of another model or rank.
        """
        for name, parameter in parameters.items():
            saved = self.tensors.get(f"parameter/{name}")
            if saved is None or saved.shape != parameter.shape:
                raise ModelError(
                    f"The checkpoint does not fit this policy at {name!r}: expected shape "
                    f"{tuple(parameter.shape)}, got "
                    f"{None if saved is None else tuple(saved.shape)}. Use a new run name."
                )
            parameter.data.copy_(saved)
            moments = {
                key.split("/", 1)[0]: value
                for key, value in self.tensors.items()
                if key.endswith(f"/{name}") and not key.startswith("parameter/")
            }
            if moments:
                optimizer.state[parameter] = {
                    key: value.clone() if key == "step" else value.to(parameter.device).clone()
                    for key, value in moments.items()
                }
