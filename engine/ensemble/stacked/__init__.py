"""Fast back ends: all members in one pass, each prefix of the tree once.

``linear`` has the adapters stacked on the base layers (``base_product``: their product),
``node_table`` the tree, ``path_cache`` and ``prompt_cache`` the keys and values, ``attention`` the
sums over them, ``prefill`` the reading of whole prompts; ``t5`` and ``llama`` put them together
for a family, ``support`` says what neither can read.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.ensemble.backend import Forward
from engine.ensemble.stacked.llama import StackedLlama
from engine.ensemble.stacked.support import T5_CLASSES, unsupported_reason
from engine.ensemble.stacked.t5 import StackedT5
from engine.errors import ModelError
from engine.policy import Policy

__all__ = ["StackedLlama", "StackedT5", "stacked_forward", "unsupported_reason"]


def stacked_forward(policy: Policy, members: Sequence[str]) -> Forward:
    """Return the fast back end for these members.

    Args:
        policy: Base model with the adapters on it.
        members: Adapter names or ``BASE``, in the order of the weights.

    Raises:
        ModelError: If there is an ``unsupported_reason``.
    """
    reason = unsupported_reason(policy, members)
    if reason is not None:
        raise ModelError(f"{policy.config.model!r} needs the generic back end: {reason}.")
    if type(policy.base).__name__ in T5_CLASSES:
        return StackedT5(policy, members)
    return StackedLlama(policy, members)
