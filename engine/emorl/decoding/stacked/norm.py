"""The norm of both families."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def rms_normed(hidden: Tensor, norm: Any) -> Tensor:
    """Divide by the root mean square over the last dimension and scale by the norm's weight.

    Args:
        hidden: Any shape that ends in the norm's width.
        norm: A Hugging Face norm: ``weight`` and ``variance_epsilon``, no bias and no mean.
    """
    return F.rms_norm(hidden, norm.weight.shape, norm.weight, norm.variance_epsilon)
