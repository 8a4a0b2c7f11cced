"""Keys and values of the prompts, once per prompt and member, and nodes grouped by their prompt.

Nodes are never given a copy of their prompt's keys: the queries of all nodes of a prompt are laid
side by side, as many cells for every prompt as the largest group needs, and meet them together.

Letters in shapes: n members, k key-value heads, p prompts in use, S prompt tokens, m nodes,
c cells per prompt, d width of a head; "..." stands for whatever else a node has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST_USE = 0.75
"""Share of the prompts in use below which the others are put aside."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Nodes laid out by prompt."""

    n_prompts: int
    """Prompts in use, p."""

    n_cells: int
    """Cells per prompt, c."""

    node_of_cell: Tensor | None
    """``(p * c,)``, any node for an empty cell; None if cells and nodes are the same."""

    cell_of_node: Tensor | None
    """``(m,)``; None as above."""

    def to_cells(self, nodes: Tensor) -> Tensor:
        """Lay ``(n * k, m, ...)`` out by prompt: ``(n * k, p * c, ...)``."""
        return nodes if self.node_of_cell is None else nodes.index_select(1, self.node_of_cell)

    def to_nodes(self, cells: Tensor) -> Tensor:
        """Undo ``to_cells``."""
        return cells if self.cell_of_node is None else cells.index_select(1, self.cell_of_node)


class PromptCache:
    """Keys and values of all prompts in every layer."""

    def __init__(self, attention_mask: Tensor) -> None:
        """Start without layers.

        Args:
            attention_mask: ``(n_prompts, S)``, 0 at padding.
        """
        self._n_prompts = len(attention_mask)
        is_real = attention_mask.bool()
        self._is_padding = None if bool(is_real.all()) else ~is_real
        self._layers: list[tuple[Tensor, Tensor]] = []
        self._used: list[int] | None = None
        self._used_layers: list[tuple[Tensor, Tensor]] = []
        self._used_padding = self._is_padding

    def add_layer(self, keys: Tensor, values: Tensor) -> None:
        """Add the next layer's keys and values, ``(n * k, n_prompts, S, d)`` each."""
        self._layers.append((keys, values))
        self._used_layers = self._layers

    def layer(self, index: int) -> tuple[Tensor, Tensor]:
        """Return keys and values of the prompts in use, ``(n * k * p, S, d)`` each."""
        keys, values = self._used_layers[index]
        return keys.flatten(0, 1), values.flatten(0, 1)

    @property
    def is_padding(self) -> Tensor | None:
        """True at padding of the prompts in use, ``(p, S)``; None if there is none at all."""
        return self._used_padding

    def group(self, prompts: Tensor) -> Groups:
        """Group nodes by their prompt, ``(m,)``, and put aside prompts that have none left."""
        counts = prompts.new_zeros(self._n_prompts)
        counts.scatter_add_(0, prompts, torch.ones_like(prompts))
        is_sorted = (prompts[1:] >= prompts[:-1]).all().long().unsqueeze(0)
        in_order, *n_nodes = torch.cat([is_sorted, counts]).tolist()
        self._use([prompt for prompt, n in enumerate(n_nodes) if n])
        used = range(self._n_prompts) if self._used is None else self._used
        n_prompts, n_cells = len(used), max(n_nodes)
        if in_order and n_prompts * n_cells == len(prompts):
            return Groups(n_prompts, n_cells, None, None)
        rank_of_prompt = torch.zeros_like(counts)
        chosen = torch.tensor(list(used), device=prompts.device)
        rank_of_prompt[chosen] = torch.arange(n_prompts, device=prompts.device)
        order = prompts.argsort(stable=True)
        in_turn = prompts[order]
        places = torch.arange(len(prompts), device=prompts.device)
        place_in_group = places - (counts.cumsum(0) - counts)[in_turn]
        cell_of_node = torch.empty_like(prompts)
        cell_of_node[order] = rank_of_prompt[in_turn] * n_cells + place_in_group
        node_of_cell = prompts.new_zeros(n_prompts * n_cells)
        node_of_cell[cell_of_node] = places
        return Groups(n_prompts, n_cells, node_of_cell, cell_of_node)

    def _use(self, active: list[int]) -> None:
        """Select prompts anew if one is missing or too many are idle."""
        used = set(range(self._n_prompts) if self._used is None else self._used)
        if used.issuperset(active) and len(active) >= _LEAST_USE * len(used):
            return
        if len(active) >= _LEAST_USE * self._n_prompts:
            self._used, self._used_layers = None, self._layers
            self._used_padding = self._is_padding
            return
        self._used = active
        device = self._layers[0][0].device
        chosen = torch.tensor(active, device=device)
        self._used_layers = [
            (keys.index_select(1, chosen), values.index_select(1, chosen))
            for keys, values in self._layers
        ]
        if self._is_padding is not None:
            self._used_padding = self._is_padding[chosen]
