"""Which member decided which token: exact, without gradients.

A token's combined logit is ``sum_i w_i z_i[v]``: it is a sum of one part per member, and so is its
margin over any other token. Nothing is approximated.

A model with a soft cap (Gemma 2) has the logit ``c tanh(sum / c)``. The cap bends the sum and none
of its parts, so each part is scaled by logit / sum, and each part of a margin by capped / uncapped
margin: they add up to the model's own numbers, and their signs, order and proportions stay. Where
a model bends its scores in another way, all numbers are those before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emorl.decoding.tree import PrefixTree
from emorl.weights import canonical_direction, check_weights

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
    tree: PrefixTree,
    prompt: int,
    weights: Sequence[float],
    tokens: Sequence[int],
    *,
    cap: float | None = None,
) -> list[TokenAttribution]:
    """Split the logits of a response by member.

    Args:
        tree: What it has read already is not read again.
        prompt: Position of the prompt among the tree's prompts.
        weights: ``(n_members,)``, not all zero; only their direction matters.
        tokens: The response, as the weights or any others give it; the end token may be included.
        cap: The model's soft cap behind the head's scores, if it has one.

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
            found.append(_attributed(logits[:, step], direction, token, cap))
    return found


def _attributed(
    logits: Tensor, direction: Floats, token: int, cap: float | None
) -> TokenAttribution:
    """Split one token's logit; ``logits`` are ``(n_members, vocab)``, before the cap."""
    exact = logits.double()
    combined = torch.from_numpy(direction).to(exact) @ exact
    combined[token] = -torch.inf
    runner_up = int(combined.argmax())
    own, other = exact[:, [token, runner_up]].cpu().numpy().T
    parts, other_parts = direction * own, direction * other
    margin_parts = parts - other_parts
    logit, runner_up_logit = _capped(parts.sum(), cap), _capped(other_parts.sum(), cap)
    return TokenAttribution(
        token=token,
        logit=logit,
        runner_up=runner_up,
        runner_up_logit=runner_up_logit,
        logit_parts=_scaled(parts, logit, cap),
        margin_parts=_scaled(margin_parts, logit - runner_up_logit, cap),
        alone=tuple(logits.argmax(dim=-1).tolist()),
    )


def _capped(score: float, cap: float | None) -> float:
    return float(score) if cap is None else cap * math.tanh(score / cap)


def _scaled(parts: Floats, total: float, cap: float | None) -> tuple[float, ...]:
    """Scale parts before the cap so that they add up to ``total``; a sum of 0 stays one."""
    before = float(parts.sum())
    factor = 1.0 if cap is None or before == 0 else total / before
    return tuple((factor * parts).tolist())
