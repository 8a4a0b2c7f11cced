"""Linear layers that every member applies to its own rows, in one product of the base weight.

A layer costs one product of the base weight for all rows and two small products per member (one
batched product where the members read the same rows). Rows are ``(n, n_rows, width)``: either one
block per member, or, side by side, one block in which the members' rows follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from emorl.decoding.stacked.base_product import BaseProduct, CopyRoom


@dataclass(slots=True)
class Members:
    """The adapters of a back end, and which rows each of them reads."""

    names: tuple[str, ...]
    """Adapter names or ``BASE``."""

    n_prompts: tuple[int, ...] | None = None
    """None: every member reads every row. Else side by side: the prompts of each member, those of
    the first one first; a row belongs to the member of its prompt."""

    n_rows: list[int] = field(default_factory=list)
    """Side by side: rows of each member in the call at hand; whoever lays out rows sets it."""

    room: CopyRoom = field(default_factory=CopyRoom)
    """For copies of the base's weights."""

    n_bytes: int = 0
    """What the copies of the adapters take, counted as layers are read."""

    @property
    def n_blocks(self) -> int:
        """Blocks of rows: the size of the first dimension of all rows."""
        return len(self.names) if self.n_prompts is None else 1


class StackedLinears:
    """Several linear layers with the same input, such as queries, keys and values.

    The base weights are those of the model; the adapters are copied, so build a new object
    after they have changed.
    """

    def __init__(self, layers: Sequence[nn.Module], members: Members) -> None:
        """Read the layers.

        Args:
            layers: ``nn.Linear``, or PEFT's LoRA around one, with the same number of inputs.
            members: A name that a layer does not know adds nothing to it.
        """
        self._members = members
        self._products = [BaseProduct(_base(layer), members.room) for layer in layers]
        adapters = [_stacked_adapter(layer, members.names) for layer in layers]
        self._ups = [None if adapter is None else adapter[1] for adapter in adapters]
        downs = [adapter[0] for adapter in adapters if adapter is not None]
        self._down = torch.cat(downs, dim=-1) if downs else None
        self._ranks = [0 if up is None else up.shape[1] for up in self._ups]
        held = [self._down, *self._ups]
        members.n_bytes += sum(copy.nbytes for copy in held if copy is not None)

    def __call__(self, rows: Tensor) -> list[Tensor]:
        """Apply every layer to ``(n_blocks, n_rows, in)``; each gives ``(..., out)``.

        Rows may come as one block of several, ``(1, n_rows, in)``, where all are the same: the
        base's product is then made once for all.
        """
        outputs = [product(rows) for product in self._products]
        if len(rows) < self._members.n_blocks:
            rows = rows.expand(self._members.n_blocks, -1, -1)
            outputs = [output.repeat(len(rows), 1, 1) for output in outputs]
        if self._down is None:
            return outputs
        if self._members.n_prompts is not None:
            self._update_side_by_side(outputs, rows, self._down)
            return outputs
        reduced = torch.split(torch.bmm(rows, self._down), self._ranks, dim=-1)
        for output, part, up in zip(outputs, reduced, self._ups, strict=True):
            if up is not None:
                output.baddbmm_(part, up)
        return outputs

    def _update_side_by_side(self, outputs: list[Tensor], rows: Tensor, downs: Tensor) -> None:
        """Add to ``outputs``, ``(1, n_rows, out)`` each, what every row's own adapter adds."""
        start = 0
        for member, n_rows in enumerate(self._members.n_rows):
            stop = start + n_rows
            reduced = torch.split(rows[0, start:stop] @ downs[member], self._ranks, dim=-1)
            for output, part, up in zip(outputs, reduced, self._ups, strict=True):
                if up is not None:
                    output[0, start:stop].addmm_(part, up[member])
            start = stop


class StackedLinear:
    """One linear layer; see ``StackedLinears``."""

    def __init__(self, layer: nn.Module, members: Members) -> None:
        """Read the layer: ``nn.Linear`` or PEFT's LoRA around one."""
        self._layers = StackedLinears([layer], members)

    def __call__(self, rows: Tensor) -> Tensor:
        """Apply the layer to ``(n_blocks, n_rows, in)``."""
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
