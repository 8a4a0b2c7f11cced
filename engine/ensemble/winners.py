"""Which tokens can be chosen after a prefix, whatever the weights."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@torch.no_grad()
def vocabulary_size(head: nn.Module, states: Tensor) -> int:
    """Return the number of tokens that a head scores."""
    if isinstance(head, nn.Linear):
        return head.out_features
    return int(head(states[:1, :1]).shape[-1])


def possible_winners(logits: Tensor) -> list[tuple[Integers, Floats]]:
    """Return, per node, the tokens that can have the largest ``sum_i w_i z_i`` for some w >= 0.

    A token whose logits are all below those of one other token never wins. It is enough to
    compare with the winners at equal weights and at the corners: few tokens are left.

    Args:
        logits: ``(n_members, n_nodes, vocab)``.

    Returns:
        Tokens in ascending order ``(n_tokens,)`` and their logits ``(n_tokens, n_members)``.
    """
    n_nodes = logits.shape[1]
    everywhere = torch.arange(n_nodes, device=logits.device)
    middle = logits.sum(0).argmax(-1)
    threshold = logits[:, everywhere, middle].unsqueeze(-1)
    rows, tokens = (logits >= threshold).any(0).nonzero(as_tuple=True)
    values = logits[:, rows, tokens]
    kept = torch.ones_like(rows, dtype=torch.bool)
    for corner in logits.argmax(-1):
        kept &= (values >= logits[:, rows, corner[rows]]).any(0)
    rows, tokens, values = rows[kept], tokens[kept], values[:, kept]
    bounds = np.searchsorted(rows.cpu().numpy(), np.arange(n_nodes + 1))
    all_tokens = tokens.cpu().numpy()
    vectors = values.T.double().cpu().numpy()
    return [
        (all_tokens[low:high].copy(), vectors[low:high].copy())
        for low, high in itertools.pairwise(bounds.tolist())
    ]
