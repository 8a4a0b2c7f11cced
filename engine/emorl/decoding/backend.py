"""What decoding asks of a back end: all members' states for prefixes that form a tree."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from emorl.decoding.screen import Screen


class Forward(Protocol):
    """Reads prefixes with n members at once, each prefix once.

    A *node* is a prefix: a prompt and the response tokens after it. Nodes are numbered from 0 in
    the order in which they are read, and keep their number; any node that is still held can be
    grown by any token, whatever its depth. One object serves one set of prompts.
    """

    head: nn.Module
    """Turns a (combined) state into scores over the vocabulary; shared by all members."""

    screen: Screen | None
    """Finds the head's largest scores at a fraction of its work; None if there is no such way."""

    n_members: int

    bytes_per_node: int
    """Memory that a held node takes, on the device."""

    bytes_per_read: int
    """Memory that one more node of a call takes while it is read; known once it has started."""

    keeps_nodes: bool
    """Whether any held node grows at the cost of one token; else only those of the last call do,
    and others are read anew from their prompt on."""

    @property
    def bytes_of_base(self) -> int:
        """Memory of copies of the base's weights; all back ends of one model share them."""

    @property
    def bytes_of_adapters(self) -> int:
        """Memory of copies of the adapters, which every back end has of its own."""

    @property
    def bytes_taken(self) -> int:
        """Memory that held nodes take now, with what is free beside them; prompts not counted."""

    def allow(self, room: float, beside: float) -> None:
        """Bound memory from now on; what is asked for is read even where it takes more.

        Args:
            room: Bytes that held nodes may take, prompts not counted.
            beside: Bytes for what is gathered of them and read; a part of it may be kept.
        """

    def start(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read the prompts, which become nodes ``0 .. n_prompts - 1`` and are held for good.

        Args:
            input_ids: ``(n_prompts, length)``, padded as ``Policy.encode`` does.
            attention_mask: Same shape.

        Returns:
            States for the first response token, ``(n_members, n_prompts, d_model)``.
        """

    def grow(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Read nodes that add one token to a held node each.

        Args:
            parents: Numbers of held nodes, ``(n_new,)``; a node may be named several times.
            tokens: The token that each new node adds, ``(n_new,)``.

        Returns:
            States for the token after it, ``(n_members, n_new, d_model)``; the new nodes are
            numbered on from the last one.

        Raises:
            ValueError: If a parent is not held any more.
        """

    def keep(self, nodes: Tensor) -> None:
        """Hold these nodes and the prefixes they need, and forget all others but the prompts."""
