"""Several adapters in one batch of the Hugging Face model: every row goes through one of them.

The base reads all rows in one product; each adapter adds its update to its own rows, so that a
gradient reaches every adapter from its own rows only. PEFT's mixed batches do that too, without
training and with a mask per adapter and layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from emorl.models.policy import Policy


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of the batch is one adapter's own; what is beyond is padding for the others."""

    n_prompts: int
    columns: dict[int, slice]
    """Length of the sequences that a layer reads -> which of their columns it would read if the
    adapter were alone."""


class BatchedAdapters:
    """Makes the LoRA layers of a policy treat the rows of a batch as those of several adapters."""

    def __init__(self, policy: Policy, adapters: Sequence[str]) -> None:
        """Find the layers.

        Args:
            policy: Base model with the adapters on it.
            adapters: In the order of their rows.
        """
        self._adapters = tuple(adapters)
        self._layers = [
            module for module in policy.model.modules() if isinstance(module, LoraLayer)
        ]
        self._extents: Sequence[Extent] = ()
        self._dropout: Sequence[torch.Generator] | None = None
        self._is_base = False

    @contextmanager
    def reading(
        self, extents: Sequence[Extent], dropout: Sequence[torch.Generator] | None = None
    ) -> Iterator[None]:
        """Within this block, batches of the policy's model hold rows of all adapters.

        Args:
            extents: Per adapter; rows are in the order of adapters, the same number of rows for
                every prompt.
            dropout: Source of each adapter's dropout noise; None drops nothing. The noise is that
                of the adapter's batch alone, whatever it is padded to here.
        """
        self._extents, self._dropout = extents, dropout
        for layer in self._layers:
            layer.forward = partial(self._forward, layer)
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward
            self._extents, self._dropout = (), None

    @contextmanager
    def base_only(self) -> Iterator[None]:
        """Within this block (inside of ``reading``) no adapter adds anything."""
        self._is_base = True
        try:
            yield
        finally:
            self._is_base = False

    def _forward(self, layer: Any, inputs: Tensor, *_: Any, **__: Any) -> Tensor:
        output: Tensor = layer.base_layer(inputs)
        if self._is_base:
            return output
        n_per_prompt = len(inputs) // sum(extent.n_prompts for extent in self._extents)
        n_rows = [extent.n_prompts * n_per_prompt for extent in self._extents]
        parts = torch.split(inputs, n_rows)
        updates = [
            self._update(layer, member, part)
            if self._adapters[member] in layer.lora_A
            else torch.zeros_like(output[: len(part)])
            for member, part in enumerate(parts)
        ]
        return output + torch.cat(updates).to(output.dtype)

    def _update(self, layer: Any, member: int, inputs: Tensor) -> Tensor:
        name = self._adapters[member]
        reduce: nn.Linear = layer.lora_A[name]
        rate = getattr(layer.lora_dropout[name], "p", 0.0)
        rows = inputs.to(reduce.weight.dtype)
        if self._dropout is not None and rate > 0:
            rows = rows * self._noise(member, rows, rate)
        update: Tensor = layer.lora_B[name](reduce(rows)) * layer.scaling[name]
        return update

    def _noise(self, member: int, rows: Tensor, rate: float) -> Tensor:
        """Return what dropout multiplies ``rows``, ``(m, length, in)``, with; 0 at padding."""
        assert self._dropout is not None
        own = self._extents[member].columns.get(rows.shape[1], slice(None))
        noise = torch.zeros_like(rows)
        kept = torch.empty_like(rows[:, own], memory_format=torch.contiguous_format)
        kept.bernoulli_(1 - rate, generator=self._dropout[member])
        noise[:, own] = kept.div_(1 - rate)
        return noise
