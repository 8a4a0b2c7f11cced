"""The parameter level: merge the adapters' weights, then decode as one model does.

``theta = theta_0 + sum_i w_i scale_i B_i A_i``: Model Soups, rewarded soups. Exact: the merged
adapter stacks the members' matrices, so there are no cross terms. Unlike the other levels it
depends on the size of the weights, not on their direction only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from peft import PeftModel

from engine.ensemble.forward import BASE, check_members
from engine.errors import ModelError
from engine.policy import Policy

_MERGED = "__merged__"


@contextmanager
def merged_adapter(
    policy: Policy, members: Sequence[str], weights: Sequence[float]
) -> Iterator[str]:
    """Put the weighted sum of adapters on the policy for the length of a block.

    Args:
        policy: Base model with the adapters on it.
        members: Adapter names; the base counts as an adapter of zeros.
        weights: One number per member.

    Yields:
        The name of the merged adapter, or of the base where no adapter has any weight.

    Raises:
        ModelError: If an adapter is not there.

    Source:
        Rame et al. 2023, Rewarded soups, equation 1.
    """
    check_members(policy, members)
    parts = {
        name: float(weight)
        for name, weight in zip(members, weights, strict=True)
        if name != BASE and weight
    }
    model = policy.model
    if not parts:
        yield BASE
        return
    if not isinstance(model, PeftModel):
        raise ModelError("The policy has no adapters to merge.")
    active = model.active_adapters
    model.add_weighted_adapter(list(parts), list(parts.values()), _MERGED, combination_type="cat")
    try:
        yield _MERGED
    finally:
        model.delete_adapter(_MERGED)
        model.set_adapter(active[0])
