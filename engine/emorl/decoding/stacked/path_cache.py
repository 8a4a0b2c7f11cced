"""Keys and values of response tokens: one pool per layer, one slot per node.

Letters in shapes: n members, k key-value heads, m new nodes, L tokens on the longest path, d width
of a head. A key and its value lie side by side, as one row of width ``2 d``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from emorl.decoding.allocator import give_back
from emorl.decoding.stacked.node_table import MORE_COLUMNS, Limits, Step

_SCARCE = 0.25
"""Share of the slots that there may be, from which on memory is scarce."""
_SLACK = 1.5
"""How much larger than needed the memory for gathered paths is made."""


@dataclass(frozen=True, slots=True)
class PathPart:
    """Keys and values of whole paths for some rows, valid until the next part is asked for."""

    rows: slice
    """Which of the ``n * k`` rows."""
    keys: Tensor
    """``(n_rows * m, L, d)``, aligned at their ends."""
    values: Tensor
    """Same shape."""


class PathCache:
    """Stores a key and a value per node and layer; gathers those of whole paths."""

    def __init__(self, n_layers: int, n_rows: int, d_head: int, limits: Limits) -> None:
        """Start empty.

        Args:
            n_layers: Layers with keys of their own.
            n_rows: Members times key-value heads, ``n * k``.
            d_head: Width of a head.
            limits: They may change later.
        """
        self._n_rows = n_rows
        self._limits = limits
        self._d_head = d_head
        self._pools: list[Tensor | None] = [None] * n_layers
        self._kept: list[Tensor | None] = [None] * n_layers
        self._room: Tensor | None = None

    def bytes_taken(self, n_slots: int) -> int:
        """Return what so many slots take, the paths that are kept and the last ones gathered."""
        pools = [pool[:, :n_slots] for pool in self._pools if pool is not None]
        held = [*pools, *self._kept, self._room]
        return sum(one.nbytes for one in held if one is not None)

    def extend(
        self, layer: int, keys: Tensor, values: Tensor, step: Step, capacity: int
    ) -> Iterator[PathPart]:
        """Store the new nodes' keys and values and give those of their whole paths, in parts.

        All parts must be asked for: nothing is stored before the first.

        Args:
            layer: Which layer.
            keys: ``(n, m, k, d)``.
            values: Same shape.
            step: The new nodes.
            capacity: Number of slots there must be.
        """
        pool = self._pool(layer, keys, capacity)
        new = self._stored(pool, keys, values, step)
        if step.paths is None:
            yield self._part(slice(None), self._longer(layer, new, step.longest), step.longest)
        elif step.is_kept:
            paths = pool.index_select(1, step.paths.flatten())
            paths = paths.view(self._n_rows, *step.paths.shape, -1)
            self._kept[layer] = kept = _with_more_columns(paths)
            yield self._part(slice(None), kept, step.longest)
        else:
            self._kept[layer] = None
            slots = step.paths.flatten()
            n_at_once = self._rows_at_once(pool, len(slots))
            for start in range(0, self._n_rows, n_at_once):
                rows = slice(start, start + n_at_once)
                paths = self._gathered(pool[rows], slots)
                yield self._part(rows, paths.view(len(paths), *step.paths.shape, -1), step.longest)

    def _stored(self, pool: Tensor, keys: Tensor, values: Tensor, step: Step) -> Tensor:
        """Store the new nodes' keys and values; return them as rows, ``(n * k, m, 2 d)``."""
        if step.run is None:
            both = torch.cat((keys, values), dim=-1).transpose(1, 2)
            new = both.reshape(self._n_rows, len(step.slots), 2 * self._d_head)
            pool.index_copy_(1, step.slots, new)
            return new
        new = pool[:, step.run]
        by_member = new.view(keys.shape[0], -1, *new.shape[1:])
        by_member[..., : self._d_head] = keys.transpose(1, 2)
        by_member[..., self._d_head :] = values.transpose(1, 2)
        return new

    def _part(self, rows: slice, paths: Tensor, longest: int) -> PathPart:
        both = paths.flatten(0, 1)[:, :longest]
        return PathPart(rows, both[..., : self._d_head], both[..., self._d_head :])

    def _rows_at_once(self, pool: Tensor, n_slots: int) -> int:
        if pool.device.type != "cpu":
            return self._n_rows  # more kernels would cost more
        bytes_per_row = n_slots * pool.shape[2] * pool.element_size()
        n_parts = -(-self._n_rows * bytes_per_row // max(1, self._limits.bytes_at_once))
        return -(-self._n_rows // min(n_parts, self._n_rows))

    def _pool(self, layer: int, like: Tensor, capacity: int) -> Tensor:
        pool = self._pools[layer]
        if pool is None or pool.shape[1] < capacity:
            larger = like.new_empty(self._n_rows, capacity, 2 * self._d_head)
            is_regrown = pool is not None
            if pool is not None:
                larger[:, : pool.shape[1]] = pool
            self._pools[layer] = pool = larger
            is_scarce = capacity > _SCARCE * self._limits.most_nodes
            if is_regrown and is_scarce and layer == len(self._pools) - 1:
                give_back()  # the smaller ones of all layers
        return pool

    def _gathered(self, pool: Tensor, slots: Tensor) -> Tensor:
        """Return the keys and values in some slots, ``(rows, n_slots, 2 d)``."""
        n_rows, _, width = pool.shape
        n_numbers = n_rows * len(slots) * width
        if self._room is None or self._room.numel() < n_numbers:
            self._room = pool.new_empty(int(_SLACK * n_numbers))
        gathered = self._room[:n_numbers].view(n_rows, len(slots), width)
        torch.index_select(pool, 1, slots, out=gathered)
        return gathered

    def _longer(self, layer: int, new: Tensor, longest: int) -> Tensor:
        kept = self._kept[layer]
        assert kept is not None
        if kept.shape[2] < longest:
            self._kept[layer] = kept = _with_more_columns(kept)
        kept[:, :, longest - 1] = new
        return kept


def _with_more_columns(paths: Tensor) -> Tensor:
    n_rows, n_nodes, length, width = paths.shape
    larger = paths.new_empty(n_rows, n_nodes, length + MORE_COLUMNS, width)
    larger[:, :, :length] = paths
    return larger
