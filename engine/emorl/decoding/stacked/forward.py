"""What the fast back ends of both families share: the tree, its caches, the members."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from emorl.decoding.memory import bytes_of_reading
from emorl.decoding.screen import Screen
from emorl.decoding.stacked import buckets
from emorl.decoding.stacked.attention import bias_against
from emorl.decoding.stacked.base_product import FastHead
from emorl.decoding.stacked.linear import Members
from emorl.decoding.stacked.node_table import MOST_AT_ONCE, Limits, NodeTable, Step
from emorl.decoding.stacked.path_cache import PathCache
from emorl.decoding.stacked.prompt_cache import Groups, PromptCache
from emorl.models.policy import Policy

_MOST_KEPT_BYTES = 2**29
"""Most memory for gathered paths, beside the cache, from one call to the next."""
_SHARE_OF_KEPT = 1 / 8
"""Most of the memory budget that they may take: without them a step takes longer."""
_SHARE_OF_BESIDE = 0.45
"""Most that they may take of what there is beside nodes, where that is bounded."""
_SHARE_OF_GATHERED = 1 / 16
"""The same for what is gathered at a time on a CPU."""


class StackedForward(ABC):
    """Reads a tree of prefixes with all members in one pass; implements ``backend.Forward``.

    ``start`` may be called again for other prompts: it forgets the tree. The adapters are copied
    when the object is made, so make a new one after they have changed. Not thread-safe.
    """

    head: nn.Module
    screen: Screen | None
    n_members: int
    bytes_per_node: int
    bytes_per_read: int
    keeps_nodes = True

    @property
    def bytes_of_base(self) -> int:
        """Copies of base weights, shared by all back ends of a model; see ``backend.Forward``."""
        return self._members.room.taken

    @property
    def bytes_of_adapters(self) -> int:
        """Copies of the adapters, of this back end alone; see ``backend.Forward``."""
        return self._members.n_bytes

    def __init__(
        self,
        policy: Policy,
        members: Members,
        *,
        n_layers: int,
        n_kv_heads: int,
        d_head: int,
    ) -> None:
        """Prepare decoding; ``unsupported_reason`` must be None for these arguments.

        Args:
            policy: Base model with the adapters on it.
            members: In the order of the weights; side by side they are one member to the
                caller, who gives all their prompts, those of the first one first.
            n_layers: Layers that keep keys and values of the response.
            n_kv_heads: Key-value heads per layer.
            d_head: Width of a head.
        """
        base: Any = policy.base
        head: nn.Linear = base.get_output_embeddings()
        self.screen = Screen(head) if Screen.pays_for(head) else None
        if self.screen is not None:
            members.room.asked.append(self.screen)
        self.head = FastHead(head, members.room)
        self._members = members
        self.n_members = members.n_blocks
        self._embed: nn.Module = base.get_input_embeddings()
        self._dtype: torch.dtype = base.get_input_embeddings().weight.dtype
        self.bytes_per_node = (
            self.n_members * n_layers * 2 * n_kv_heads * d_head * self._dtype.itemsize
        )
        self._most_kept = min(_MOST_KEPT_BYTES, _SHARE_OF_KEPT * policy.config.memory_mib * 2**20)
        self._limits = Limits(int(self._most_kept / self.bytes_per_node))
        self._longest_path = policy.config.max_new_tokens
        self._bytes_of_reading = bytes_of_reading(policy)
        self._n_layers = n_layers
        self._n_kv_heads = n_kv_heads
        self._d_head = d_head

    def _start(
        self, attention_mask: Tensor, root_length: int
    ) -> tuple[NodeTable, PathCache, PromptCache]:
        n_prompts, prompt_length = attention_mask.shape
        device = attention_mask.device
        self._nodes = NodeTable(n_prompts, root_length, self._limits, device)
        n_rows = self.n_members * self._n_kv_heads
        self._paths = PathCache(self._n_layers, n_rows, self._d_head, self._limits)
        per_token, per_pair = self._bytes_of_reading
        seen = prompt_length + self._longest_path
        self.bytes_per_read = self.n_members * (per_token + seen * per_pair)
        if device.type != "cpu":  # where whole paths are gathered at once
            self.bytes_per_read += self._longest_path * self.bytes_per_node // self._n_layers
        self._prompts = PromptCache(attention_mask)
        self._groups: Groups | None = None
        return self._nodes, self._paths, self._prompts

    @property
    def bytes_taken(self) -> int:
        """Memory that nodes take, and slots that were theirs; see ``backend.Forward``."""
        return self._paths.bytes_taken(self._nodes.n_slots_taking_memory)

    def allow(self, room: float, beside: float) -> None:
        """Say how much memory nodes may take; see ``backend.Forward``."""
        self._limits.most_nodes = room / self.bytes_per_node
        most_kept = min(self._most_kept, _SHARE_OF_BESIDE * beside)
        self._limits.most_kept = int(most_kept / self.bytes_per_node)
        self._limits.bytes_at_once = min(MOST_AT_ONCE, int(_SHARE_OF_GATHERED * beside))

    @abstractmethod
    def start(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read the prompts; see ``backend.Forward``."""

    @torch.no_grad()
    def grow(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Read nodes that add a token to a held node each; see ``backend.Forward``."""
        if not len(parents):
            width = self._embed(tokens).shape[-1]
            return torch.empty(self.n_members, 0, width, dtype=self._dtype, device=tokens.device)
        return self._read(tokens, self._nodes.grow(parents))

    @torch.no_grad()
    def keep(self, nodes: Tensor) -> None:
        """Forget all nodes but these, their paths and the roots; see ``backend.Forward``."""
        self._nodes.keep(nodes)

    def _read(self, tokens: Tensor, step: Step) -> Tensor:
        """Return the states ``(n, m, d_model)`` of new nodes and store their keys and values."""
        n_new = len(tokens)
        if buckets.pay_on(tokens.device):
            tokens, step = buckets.filled(tokens, step)
        if self._groups is None or step.n_steady == 0:
            self._groups = self._prompts.group(step.prompts)
            self._prompt_bias = self._bias_against(self._prompts.is_padding)
        if self._members.n_prompts is not None:
            n_prompts = sum(self._members.n_prompts)
            self._share_out(torch.bincount(step.prompts, minlength=n_prompts))
        hidden = self._embed(tokens).unsqueeze(0)  # the same for all members
        return self._through_layers(hidden, step, self._groups)[:, :n_new]

    def _share_out(self, n_rows: Tensor) -> None:
        """Tell the linear layers whose rows are whose.

        Args:
            n_rows: Rows of each prompt in the next products, ``(n_prompts,)``; rows are in the
                order of prompts.
        """
        if self._members.n_prompts is not None:
            own = torch.split(n_rows, list(self._members.n_prompts))
            self._members.n_rows = torch.stack([rows.sum() for rows in own]).tolist()

    @abstractmethod
    def _through_layers(self, hidden: Tensor, step: Step, groups: Groups) -> Tensor:
        """Turn embeddings ``(1, m, d_model)`` into head inputs."""

    def _bias_against(self, is_padding: Tensor | None) -> Tensor | None:
        """Return what to add to the scores of ``(rows, columns)``: ``(rows, 1, columns)``."""
        return None if is_padding is None else bias_against(is_padding, self._dtype).unsqueeze(1)
