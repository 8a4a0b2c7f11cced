"""The parameter level: merge the adapters' weights, then decode as one model does.

``theta = theta_0 + sum_i w_i scale_i B_i A_i``: Model Soups, rewarded soups. Exact: the merged
adapter stacks the members' matrices, so there are no cross terms. Unlike the other levels it
depends on the size of the weights, not on their direction only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from emorl.decoding.forward import BASE, check_members
from emorl.errors import ModelError
from emorl.huggingface import peft_at_work
from emorl.models.policy import Policy

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
        ModelError: If an adapter is not there, changes the head, or is more than a product of
            two matrices per layer (DoRA): such adapters have no weighted sum.

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
    _check_plain(model, list(parts))
    try:
        _add_sum(model, parts)
        yield _MERGED
    finally:
        if _MERGED in model.peft_config:
            model.delete_adapter(_MERGED)
        model.set_adapter(active[0])


def _check_plain(model: PeftModel, names: Sequence[str]) -> None:
    for place, layer in model.get_base_model().named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        for name in names:
            is_matrix = name not in layer.lora_A or isinstance(layer.lora_A[name], nn.Linear)
            if name in layer.lora_variant or layer.lora_bias.get(name) or not is_matrix:
                raise ModelError(
                    f"Adapter {name!r} is no plain LoRA at {place} (DoRA, a bias or another "
                    "variant), so the level 'parameter' has no weighted sum for it. Use another "
                    "level, or train it without the variant."
                )


def _add_sum(model: PeftModel, parts: dict[str, float]) -> None:
    """Add the adapter ``_MERGED``, whose matrices are the parts' side by side.

    PEFT's own ``cat`` takes the first adapter's settings for the sum: it fails where ranks
    differ by layer, and scales wrongly with rank-stabilised LoRA.
    """
    layers = {
        place: layer
        for place, layer in model.get_base_model().named_modules()
        if isinstance(layer, LoraLayer) and any(name in layer.r for name in parts)
    }
    rank = max(sum(layer.r.get(name, 0) for name in parts) for layer in layers.values())
    # The scaling is alpha / rank = 1; each part's own goes into its matrix.
    lora = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(layers))
    with peft_at_work():
        model.add_adapter(_MERGED, lora)
    with torch.no_grad():
        for layer in layers.values():
            into_a, into_b = _matrices(layer, _MERGED)
            into_a.zero_()
            into_b.zero_()
            first = 0
            for name in filter(layer.r.__contains__, parts):
                a, b = _matrices(layer, name)
                end = first + len(a)
                into_a[first:end] = a * (parts[name] * layer.scaling[name])
                into_b[:, first:end] = b
                first = end


def _matrices(layer: Any, name: str) -> tuple[Tensor, Tensor]:
    """Return an adapter's A ``(rank, in)`` and B ``(out, rank)``."""
    if name in layer.lora_A:
        return layer.lora_A[name].weight, layer.lora_B[name].weight
    return layer.lora_embedding_A[name], layer.lora_embedding_B[name]
