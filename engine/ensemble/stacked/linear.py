"""Linear layers that every member applies to its own rows, in one product of the base weight.

A layer costs one product of the base weight for all rows and two small batched products for the
adapters, however many members there are. Rows are member-major: ``(n_members, n_rows, width)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from engine.ensemble.stacked.base_product import BaseProduct


class StackedLinears:
    """Several linear layers with the same input, such as queries, keys and values.

    The base weights are those of the model; the adapters are copied, so build a new object
    after they have changed.
    """

    def __init__(self, layers: Sequence[nn.Module], members: Sequence[str]) -> None:
        """Read the layers.

        Args:
            layers: ``nn.Linear``, or PEFT's LoRA around one, with the same number of inputs.
            members: Adapter names; a name that a layer does not know adds nothing to it.
        """
        self._products = [BaseProduct(_base(layer)) for layer in layers]
        adapters = [_stacked_adapter(layer, members) for layer in layers]
        self._ups = [None if adapter is None else adapter[1] for adapter in adapters]
        downs = [adapter[0] for adapter in adapters if adapter is not None]
        self._down = torch.cat(downs, dim=-1) if downs else None
        self._ranks = [0 if up is None else up.shape[1] for up in self._ups]

    def __call__(self, rows: Tensor) -> list[Tensor]:
        """Apply every layer to ``(n_members, n_rows, in)``; each gives ``(..., out)``."""
        outputs = [product(rows) for product in self._products]
        if self._down is None:
            return outputs
        reduced = torch.split(torch.bmm(rows, self._down), self._ranks, dim=-1)
        for output, part, up in zip(outputs, reduced, self._ups, strict=True):
            if up is not None:
                output.baddbmm_(part, up)
        return outputs


class StackedLinear:
    """One linear layer; see ``StackedLinears``."""

    def __init__(self, layer: nn.Module, members: Sequence[str]) -> None:
        """Read the layer: ``nn.Linear`` or PEFT's LoRA around one."""
        self._layers = StackedLinears([layer], members)

    def __call__(self, rows: Tensor) -> Tensor:
        """Apply the layer to ``(n_members, n_rows, in)``."""
        return self._layers(rows)[0]


def _base(layer: nn.Module) -> nn.Linear:
    base = layer.get_base_layer() if isinstance(layer, LoraLayer) else layer
    assert isinstance(base, nn.Linear)
    return base


def _stacked_adapter(layer: nn.Module, members: Sequence[str]) -> tuple[Tensor, Tensor] | None:
    """Return A ``(n, in, r)`` and scaled B ``(n, r, out)``; zeros fill up the smaller ranks."""
    if not isinstance(layer, LoraLayer):
        return None
    known = [name in layer.lora_A for name in members]
    if not any(known):
        return None
    base = _base(layer)
    rank = max(layer.r[name] for name in members if name in layer.lora_A)
    down = base.weight.new_zeros(len(members), base.in_features, rank)
    up = base.weight.new_zeros(len(members), rank, base.out_features)
    for index, name in enumerate(members):
        if name in layer.lora_A:
            r = layer.r[name]
            reduce, expand = layer.lora_A[name].weight, layer.lora_B[name].weight
            assert isinstance(reduce, Tensor)
            assert isinstance(expand, Tensor)
            down[index, :, :r] = reduce.T
            up[index, :r] = expand.T * layer.scaling[name]
    return down, up
