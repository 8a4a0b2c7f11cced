"""Attention of new nodes to their paths and to their prompts.

Letters in shapes: n members, k key-value heads, g queries that share one of them, m nodes,
L tokens on the longest path, S prompt tokens, p prompts, c cells per prompt, d width of a head.
Queries come scaled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from emorl.decoding.stacked.prompt_cache import Groups


def by_head(rows: Tensor, n_kv_heads: int) -> Tensor:
    """Turn queries ``(n, m, k * g, d)`` into ``(n * k, m, g, d)``."""
    n, m, heads, d = rows.shape
    grouped = rows.view(n, m, n_kv_heads, heads // n_kv_heads, d).transpose(1, 2)
    return grouped.reshape(n * n_kv_heads, m, heads // n_kv_heads, d).contiguous()


def by_node(heads: Tensor, n_members: int) -> Tensor:
    """Undo ``by_head`` and join the heads: ``(n * k, m, g, d)`` -> ``(n, m, k * g * d)``."""
    rows, m, g, d = heads.shape
    split = heads.view(n_members, rows // n_members, m, g, d).transpose(1, 2)
    return split.reshape(n_members, m, -1)


def path_scores(queries: Tensor, keys: Tensor) -> Tensor:
    """Score queries ``(n * k, m, g, d)`` against ``(n * k * m, L, d)``: ``(n * k, m, g, L)``."""
    scores = torch.bmm(queries.flatten(0, 1), keys.transpose(1, 2))
    return scores.view(*queries.shape[:3], -1)


def path_values(weights: Tensor, values: Tensor) -> Tensor:
    """Weigh values ``(n * k * m, L, d)`` with ``(n * k, m, g, L)``: ``(n * k, m, g, d)``."""
    mixed = torch.bmm(weights.flatten(0, 1), values)
    return mixed.view(*weights.shape[:3], -1)


def prompt_scores(cells: Tensor, keys: Tensor, groups: Groups, bias: Tensor | None) -> Tensor:
    """Score queries laid out by prompt.

    Args:
        cells: ``(n * k, p * c, g, d)``.
        keys: ``(n * k * p, S, d)``.
        groups: The layout.
        bias: What to add, ``(p, 1, S)``, or None.

    Returns:
        ``(n * k, p * c, g, S)``.
    """
    rows, _, g, d = cells.shape
    n_queries = groups.n_cells * g
    queries = cells.view(rows * groups.n_prompts, n_queries, d)
    scores = torch.bmm(queries, keys.transpose(1, 2))
    if bias is not None:
        scores.view(rows, groups.n_prompts, n_queries, -1).add_(bias)
    return scores.view(*cells.shape[:3], -1)


def prompt_values(weights: Tensor, values: Tensor, groups: Groups) -> Tensor:
    """Weigh values ``(n * k * p, S, d)`` with ``(n * k, p * c, g, S)``; see ``prompt_scores``."""
    rows, _, g, length = weights.shape
    mixed = torch.bmm(weights.view(rows * groups.n_prompts, groups.n_cells * g, length), values)
    return mixed.view(*weights.shape[:3], -1)


def bias_against(is_padding: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what to add to scores so that padding gets no weight; same shape."""
    zeros = torch.zeros(is_padding.shape, dtype=dtype, device=is_padding.device)
    return zeros.masked_fill_(is_padding, torch.finfo(dtype).min)


def softmax(scores: Tensor) -> Tensor:
    """Turn scores into weights over the last dimension, computed in float32."""
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)
