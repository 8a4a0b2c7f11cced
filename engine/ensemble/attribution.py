"""Which member decided which token: exact, without gradients.

A token's combined logit is ``sum_i w_i z_i[v]``: it is a sum of one part per member, and so is its
margin over any other token. Nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.directions import canonical_direction, check_weights
from engine.ensemble.tree import PrefixTree

Floats = NDArray[np.float64]

_STEPS_AT_ONCE = 16
"""Steps whose logits over the whole vocabulary are held at once."""


@dataclass(frozen=True, slots=True)
class TokenAttribution:
    """Where one token's logit, and its margin over the runner-up, come from."""

    token: int
    logit: float
    """At weights that sum to one."""
    runner_up: int
    """Best of all other tokens of the vocabulary."""
    runner_up_logit: float
    logit_parts: tuple[float, ...]
    """Each member's part of the logit, weight included; their sum is the logit."""
    margin_parts: tuple[float, ...]
    """Each member's part of the margin; below 0 where the member prefers the runner-up."""
    alone: tuple[int, ...]
    """The token that each member alone would have chosen here."""

    @property
    def margin(self) -> float:
        """How far the token is ahead; below 0 if these weights do not choose it."""
        return self.logit - self.runner_up_logit

    @property
    def decided_by(self) -> int:
        """The member with the largest part of the margin, the first one where several tie."""
        return max(range(len(self.margin_parts)), key=self.margin_parts.__getitem__)


def attribute(
    tree: PrefixTree, prompt: int, weights: Sequence[float], tokens: Sequence[int]
) -> list[TokenAttribution]:
    """Split the logits of a response by member.

    Args:
        tree: What it has read already is not read again.
        prompt: Position of the prompt among the tree's prompts.
        weights: ``(n_members,)``, not all zero; only their direction matters.
        tokens: The response, as the weights or any others give it; the end token may be included.

    Returns:
        One attribution per token, in order.

    Raises:
        WeightsError: If the weights do not fit or have no direction.
        MemoryBudgetError: If the response does not fit the tree's memory.
    """
    direction = np.array(canonical_direction(check_weights(weights, tree.n_members)))
    nodes = [prompt] if tokens else []
    for token in tokens[:-1]:
        nodes += tree.expand([nodes[-1]], [token])
    found = []
    for start in range(0, len(nodes), _STEPS_AT_ONCE):
        logits = tree.logits(nodes[start : start + _STEPS_AT_ONCE])
        for step, token in enumerate(tokens[start : start + _STEPS_AT_ONCE]):
            found.append(_attributed(logits[:, step], direction, token))
    return found


def _attributed(logits: Tensor, direction: Floats, token: int) -> TokenAttribution:
    """Split one token's logit; ``logits`` are ``(n_members, vocab)``."""
    exact = logits.double()
    combined = torch.from_numpy(direction).to(exact) @ exact
    combined[token] = -torch.inf
    runner_up = int(combined.argmax())
    own, other = exact[:, [token, runner_up]].cpu().numpy().T
    parts, other_parts = direction * own, direction * other
    return TokenAttribution(
        token=token,
        logit=float(parts.sum()),
        runner_up=runner_up,
        runner_up_logit=float(other_parts.sum()),
        logit_parts=tuple(parts.tolist()),
        margin_parts=tuple((parts - other_parts).tolist()),
        alone=tuple(logits.argmax(dim=-1).tolist()),
    )
