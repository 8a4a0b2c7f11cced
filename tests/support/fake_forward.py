"""A back end without a model: states come from a hash of prompt, prefix and member.

All numbers are small integers, so that sums of them are exact in float32, and ties are real ties.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from emorl.decoding.screen import Screen


class FakeForward:
    """Implements ``emorl.decoding.backend.Forward``, and complains about wrong use."""

    bytes_of_base = bytes_of_adapters = bytes_per_read = 0
    keeps_nodes = True
    screen: Screen | None = None

    def __init__(
        self,
        n_members: int,
        *,
        vocabulary: int = 6,
        disagreement: int = 8,
        with_bias: bool = False,
        bytes_per_node: int = 1024,
        seed: int = 0,
    ) -> None:
        """Make one.

        Args:
            n_members: Number of members.
            vocabulary: Number of tokens; token 0 ends a response.
            disagreement: How far a member's logits are from those that all share, which are
                between -16 and 16; the more, the more cells an atlas has.
            with_bias: Whether the head has one.
            bytes_per_node: What a held node is said to take.
            seed: Another seed, other states.
        """
        self.n_members = n_members
        self.bytes_per_node = bytes_per_node
        self.most_held = 0
        """Most nodes held at any time, prompts not counted."""
        self.after_grow: Callable[[], None] = lambda: None
        """Called at the end of each ``grow``."""
        self.n_reads = 0
        self._disagreement = disagreement
        self._seed = seed
        self._width = vocabulary
        self.head: nn.Module = _integer_head(vocabulary, with_bias, seed)
        self._paths: list[tuple[int, ...]] = []
        self._held: set[int] = set()
        self._n_prompts = 0

    @property
    def bytes_taken(self) -> int:
        """See ``backend.Forward``."""
        return (len(self._held) - self._n_prompts) * self.bytes_per_node

    def allow(self, room: float, beside: float) -> None:
        """See ``backend.Forward``."""

    def start(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """See ``backend.Forward``."""
        assert input_ids.shape == attention_mask.shape
        self._n_prompts = len(input_ids)
        # The separator keeps a longer prompt apart from a response to a shorter one.
        self._paths = [(*row, -1) for row in input_ids.tolist()]
        self._held = set(range(self._n_prompts))
        return self._states(range(self._n_prompts))

    def grow(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """See ``backend.Forward``."""
        first = len(self._paths)
        for parent, token in zip(parents.tolist(), tokens.tolist(), strict=True):
            if parent not in self._held:
                raise ValueError(f"Node {parent} is not held.")
            self._paths.append((*self._paths[parent], token))
        new = range(first, len(self._paths))
        self._held |= set(new)
        self.most_held = max(self.most_held, len(self._held) - self._n_prompts)
        states = self._states(new)
        self.after_grow()
        return states

    def keep(self, nodes: Tensor) -> None:
        """See ``backend.Forward``."""
        assert set(nodes.tolist()) <= self._held
        self._held = set(nodes.tolist()) | set(range(self._n_prompts))

    def _states(self, nodes: range) -> Tensor:
        self.n_reads += len(nodes)
        width = self._width
        found = np.empty((self.n_members, len(nodes), width))
        for place, node in enumerate(nodes):
            path = np.array(self._paths[node], dtype=np.int64)
            rng = np.random.default_rng([zlib.crc32(path.tobytes()), self._seed])
            own = rng.integers(
                -self._disagreement, self._disagreement + 1, size=(self.n_members, width)
            )
            found[:, place] = rng.integers(-16, 17, size=width) + own
        return torch.from_numpy(found).float()


def _integer_head(width: int, with_bias: bool, seed: int) -> nn.Linear:
    rng = np.random.default_rng(seed)
    head = nn.Linear(width, width, bias=with_bias)
    mixing = 2 * np.eye(width) + rng.integers(-1, 2, size=(width, width))
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(mixing))
        if with_bias:
            head.bias.copy_(torch.from_numpy(rng.integers(-8, 9, size=width)))
    return head


def fake_prompts(n_prompts: int) -> tuple[Tensor, Tensor]:
    """Return input ids and attention mask of prompts that differ, ``(n_prompts, 2)`` each."""
    input_ids = torch.stack([torch.arange(n_prompts), torch.arange(n_prompts) * 7 + 1], dim=1)
    return input_ids, torch.ones_like(input_ids)


def fake_text(tokens: Sequence[int]) -> str:
    """Write tokens as text, one to one."""
    return " ".join(str(token) for token in tokens)
