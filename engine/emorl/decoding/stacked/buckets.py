"""Few sizes of a call, for devices where each new size costs.

A tree grows by another number of nodes at every step. On a GPU a step of few nodes is bound by
the launching of its kernels, and memory and kernels are chosen anew for every shape: there, calls
are filled up to one of few sizes. What fills them is the last new node again, which is read into
the same place with the same result, and not handed out.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from emorl.decoding.stacked.node_table import Step


def pay_on(device: torch.device) -> bool:
    """Tell whether a call should be filled up there: more nodes cost a CPU more time."""
    return device.type == "cuda"


def bucket_size(n_nodes: int) -> int:
    """Return the smallest of 1, 2, 3, 4, 6, 8, 12, 16, 24, ... that is not below ``n_nodes``."""
    power = 1 << (n_nodes - 1).bit_length()
    return power * 3 // 4 if power >= 4 and n_nodes <= power * 3 // 4 else power


def filled(tokens: Tensor, step: Step) -> tuple[Tensor, Step]:
    """Repeat the last of the new nodes until a bucket is full.

    Args:
        tokens: Of the new nodes, ``(n_new,)``, at least one.
        step: The new nodes.

    Returns:
        Both with ``bucket_size(n_new)`` nodes; the first ``n_new`` are the new ones.
    """
    n_new = len(tokens)
    rows = torch.arange(bucket_size(n_new), device=tokens.device).clamp_(max=n_new - 1)
    return tokens[rows], replace(
        step,
        slots=step.slots[rows],
        run=None,
        lengths=step.lengths[rows],
        prompts=step.prompts[rows],
        paths=None if step.paths is None else step.paths[rows],
        is_padding=None if step.is_padding is None else step.is_padding[rows],
    )
