"""Keys and values of response tokens: one pool per layer, one slot per node.

Letters in shapes: n members, k key-value heads, m new nodes, L tokens on the longest path, d width
of a head. A key and its value lie side by side, as one row of width ``2 d``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.ensemble.stacked.node_table import MORE_COLUMNS, Step

_SLACK = 1.5
"""How much larger than needed the memory for gathered paths is made."""


class PathCache:
    """Stores a key and a value per node and layer; gathers those of whole paths."""

    def __init__(self, n_layers: int, n_rows: int, d_head: int) -> None:
        """Start empty.

        Args:
            n_layers: Layers with keys of their own.
            n_rows: Members times key-value heads, ``n * k``.
            d_head: Width of a head.
        """
        self._n_rows = n_rows
        self._d_head = d_head
        self._pools: list[Tensor | None] = [None] * n_layers
        self._kept: list[Tensor | None] = [None] * n_layers
        self._room: Tensor | None = None

    def extend(
        self, layer: int, keys: Tensor, values: Tensor, step: Step, capacity: int
    ) -> tuple[Tensor, Tensor]:
        """Store the new nodes' keys and values and return those of their whole paths.

        Args:
            layer: Which layer.
            keys: ``(n, m, k, d)``.
            values: Same shape.
            step: The new nodes.
            capacity: Number of slots there must be.

        Returns:
            Keys and values of the paths, ``(n * k * m, L, d)`` each, aligned at their ends.
        """
        new = torch.cat((keys, values), dim=-1).transpose(1, 2)
        new = new.reshape(self._n_rows, len(step.slots), 2 * self._d_head)
        pool = self._pool(layer, new, capacity)
        pool.index_copy_(1, step.slots, new)
        if step.paths is None:
            paths = self._longer(layer, new, step.longest)
        else:
            paths = self._gathered(pool, step.paths)
            self._kept[layer] = _with_more_columns(paths) if step.is_kept else None
        both = paths.flatten(0, 1)[:, : step.longest]
        return both[..., : self._d_head], both[..., self._d_head :]

    def _pool(self, layer: int, like: Tensor, capacity: int) -> Tensor:
        pool = self._pools[layer]
        if pool is None or pool.shape[1] < capacity:
            larger = like.new_empty(self._n_rows, capacity, 2 * self._d_head)
            if pool is not None:
                larger[:, : pool.shape[1]] = pool
            self._pools[layer] = pool = larger
        return pool

    def _gathered(self, pool: Tensor, paths: Tensor) -> Tensor:
        """Return the paths' keys and values, ``(n * k, m, L, 2 d)``, valid until the next call."""
        n_rows, width = pool.shape[0], pool.shape[2]
        n_numbers = n_rows * paths.numel() * width
        # Fresh memory for every call costs several times what the copying does.
        if self._room is None or self._room.numel() < n_numbers:
            self._room = pool.new_empty(int(_SLACK * n_numbers))
        gathered = self._room[:n_numbers].view(n_rows, paths.numel(), width)
        torch.index_select(pool, 1, paths.flatten(), out=gathered)
        return gathered.view(n_rows, *paths.shape, width)

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
