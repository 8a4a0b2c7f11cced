"""Which tokens can be chosen after a prefix, whatever the weights."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emorl.decoding.screen import Screen

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@torch.no_grad()
def vocabulary_size(head: nn.Module, states: Tensor) -> int:
    """Return the number of tokens that a head scores."""
    if isinstance(head, nn.Linear):
        return head.out_features
    return int(head(states[:1, :1]).shape[-1])


def possible_winners(
    states: Tensor, head: nn.Module, screen: Screen | None = None
) -> list[tuple[Integers, Floats]]:
    """Return, per node, the tokens that can have the largest ``sum_i w_i z_i`` for some w >= 0.

    A token whose logits are all below those of one other token never wins. It is enough to
    compare with the winners at equal weights and at the corners: few tokens are left.

    Args:
        states: Head inputs, ``(n_members, n_nodes, d_model)``.
        head: Turns them into logits.
        screen: Of this head; spares most of its work.

    Returns:
        Tokens in ascending order ``(n_tokens,)`` and their logits ``(n_tokens, n_members)``.
    """
    n_nodes = states.shape[1]
    rows, tokens, logits = _likely(states, head, screen)
    rows, tokens, logits = _undominated(rows, tokens, logits, n_nodes)
    bounds = np.searchsorted(rows.cpu().numpy(), np.arange(n_nodes + 1))
    all_tokens = tokens.cpu().numpy()
    vectors = logits.T.double().cpu().numpy()
    return [
        (all_tokens[low:high].copy(), vectors[low:high].copy())
        for low, high in itertools.pairwise(bounds.tolist())
    ]


def best_tokens(states: Tensor, head: nn.Module, screen: Screen | None = None) -> Tensor:
    """Return the token with the largest logit after each state.

    Args:
        states: Head inputs, ``(n_nodes, d_model)``.
        head: Turns them into logits.
        screen: Of this head; spares most of its work.

    Returns:
        The first of equals, ``(n_nodes,)``.
    """
    found = None if screen is None else screen.candidates(states.unsqueeze(0))
    if found is None:
        return head(states).argmax(dim=-1)  # type: ignore[no-any-return]
    first = _first_best(found.rows, found.scores[0], len(states))
    return found.tokens[first]


def _likely(
    states: Tensor, head: nn.Module, screen: Screen | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return nodes, tokens ``(n,)`` and logits ``(n_members, n)``: all that can win, and more."""
    found = None if screen is None else screen.candidates(states)
    if found is not None:
        return found.rows, found.tokens, found.scores
    logits = head(states)
    everywhere = torch.arange(states.shape[1], device=states.device)
    middle = logits.sum(0).argmax(-1)
    threshold = logits[:, everywhere, middle].unsqueeze(-1)
    rows, tokens = (logits >= threshold).any(0).nonzero(as_tuple=True)
    return rows, tokens, logits[:, rows, tokens]


def _undominated(
    rows: Tensor, tokens: Tensor, logits: Tensor, n_nodes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Leave out what all members score below the winner at equal weights or at a corner."""
    kept = torch.ones_like(rows, dtype=torch.bool)
    for weighted in (logits.sum(0), *logits):
        winner = _first_best(rows, weighted, n_nodes)
        kept &= (logits >= logits[:, winner[rows]]).any(0)
    return rows[kept], tokens[kept], logits[:, kept]


def _first_best(rows: Tensor, scores: Tensor, n_rows: int) -> Tensor:
    """Return the place of each row's largest score, the first of equals; every row has one."""
    best = scores.new_full((n_rows,), -torch.inf).scatter_reduce_(0, rows, scores, "amax")
    places = torch.arange(len(rows), device=rows.device)
    places.masked_fill_(scores < best[rows], len(rows))
    first = places.new_full((n_rows,), len(rows))
    return first.scatter_reduce_(0, rows, places, "amin")
