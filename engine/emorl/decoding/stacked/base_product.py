"""The product with a base weight: as fast as the device allows, without changing the model.

On a CPU in float32, oneDNN multiplies few rows about twice as fast as ``F.linear`` (MKL), if the
weight is laid out for it. Such a copy is made when a layer first meets few rows, and shared by
all decodings until the model is gone or its weight changes. Copies take memory beside the model;
where the room for them is used up, further layers do without.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

_FEW_ROWS = 256
"""From here on, laying out the weight gains too little to make a copy of it."""

_BYTES_OF_SIZE = 600_000
"""What oneDNN keeps of a product for one number of rows."""
_FEWEST_SIZES, _MOST_SIZES = 64, 256
"""It would keep 1,024, and a tree grows by another number of nodes at every step. To make again
what was forgotten costs 2 % of the demo's training with 64, and nothing with 256."""
_SHARE_OF_CODE = 1 / 8
"""Most that more than the fewest may take of the room for copies."""
_CAPACITIES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


@dataclass(slots=True)
class _LaidOut:
    weight: Tensor
    source: int
    version: int


_laid_out: WeakKeyDictionary[nn.Linear, _LaidOut] = WeakKeyDictionary()


class Copying(Protocol):
    """Something that is faster with a copy of a base weight."""

    may_copy: bool

    @property
    def bytes_of_copy(self) -> int:
        """Memory that the copy takes."""


@dataclass(slots=True)
class CopyRoom:
    """Memory for copies of base weights and their products' code: none until it is granted."""

    asked: list[Copying] = field(default_factory=list)
    """What a copy makes faster."""
    taken: int = 0
    """Bytes of what was granted, once it is made."""

    def grant(self, n_bytes: float) -> None:
        """Let those that asked first have copies, so many bytes in all."""
        code = limit_code(n_bytes)
        for product in self.asked:
            taken = (self.taken or code) + product.bytes_of_copy
            if taken <= n_bytes:
                self.taken = taken
                product.may_copy = True


def limit_code(room: float) -> int:
    """Limit the code that oneDNN keeps of its products, and return what it takes at most.

    Its two caches read their capacity when they are first used: the first limit of a process
    holds, and what the user has set in the environment stays.

    Args:
        room: Bytes for copies and code.
    """
    wanted = int(_SHARE_OF_CODE * room / _BYTES_OF_SIZE)
    wanted = min(max(wanted, _FEWEST_SIZES), _MOST_SIZES)
    found = [os.environ.setdefault(name, str(wanted)) for name in _CAPACITIES]
    return _BYTES_OF_SIZE * max(int(kept) if kept.isdecimal() else wanted for kept in found)


class BaseProduct:
    """Applies one base layer; the weights are those of the model at each call."""

    def __init__(self, layer: nn.Linear, room: CopyRoom) -> None:
        """Look at the layer, and ask for room if a copy is of use; nothing is copied yet."""
        self._layer = layer
        self.may_copy = False
        weight = layer.weight
        self.bytes_of_copy = weight.numel() * weight.element_size()
        is_fit = weight.device.type == "cpu" and weight.dtype == torch.float32
        if is_fit and _ONEDNN_LINEAR is not None:
            room.asked.append(self)

    def __call__(self, rows: Tensor) -> Tensor:
        """Apply the layer to ``(..., in)``; gives ``(..., out)``."""
        layer = self._layer
        if not self.may_copy:
            return F.linear(rows, layer.weight, layer.bias)
        weight = self._weight_for(n_rows=rows.numel() // layer.in_features)
        product: Tensor = _ONEDNN_LINEAR(rows, weight, layer.bias, "none", [], "")
        return product

    def _weight_for(self, n_rows: int) -> Tensor:
        """Return the copy if there is one or it is worth making, else the weight itself."""
        weight = self._layer.weight
        held = _laid_out.get(self._layer)
        if held is not None and (held.source, held.version) == (
            weight.data_ptr(),
            weight._version,
        ):
            return held.weight
        if n_rows >= _FEW_ROWS:
            return weight
        copy: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
        _laid_out[self._layer] = _LaidOut(copy, weight.data_ptr(), weight._version)
        return copy


class FastHead(nn.Linear):
    """A language-model head with a fast product; its weight is the model's own."""

    def __init__(self, head: nn.Linear, room: CopyRoom) -> None:
        """Wrap the model's head."""
        has_bias = head.bias is not None
        super().__init__(head.in_features, head.out_features, bias=has_bias, device="meta")
        self.weight, self.bias = head.weight, head.bias
        self._product = BaseProduct(head, room)

    def forward(self, input: Tensor) -> Tensor:
        """Turn states ``(..., d_model)`` into scores ``(..., vocab)``; has no gradient."""
        with torch.no_grad():
            return self._product(input)


def _find_onednn() -> Any:
    # Not public: Torch's compiler calls it. Without it, F.linear does the same, slower.
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    operators = torch.ops.mkldnn
    if not hasattr(operators, "_reorder_linear_weight"):
        return None
    return getattr(operators, "_linear_pointwise", None)


_ONEDNN_LINEAR: Any = _find_onednn()
