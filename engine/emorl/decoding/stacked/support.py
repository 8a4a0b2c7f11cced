"""Which policies the fast back ends can read exactly; all others go through Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import AuxiliaryTrainingWrapper
from torch import nn

from emorl.decoding.forward import BASE
from emorl.decoding.stacked.families import family_of
from emorl.models.policy import Policy

_DTYPES = (torch.float32, torch.bfloat16)


def unsupported_reason(policy: Policy, members: Sequence[str]) -> str | None:
    """Say in plain words why the fast back ends can not read this ensemble.

    Args:
        policy: Base model with the adapters on it.
        members: Adapter names or ``BASE``.

    Returns:
        The first reason found, or None if they can.
    """
    return next(_reasons(policy, members), None)


def _reasons(policy: Policy, members: Sequence[str]) -> Iterator[str]:
    family = family_of(policy)
    if family is None:
        yield f"the architecture {type(policy.base).__name__} has no fast back end"
        return
    yield from _model_reasons(policy.base)
    yield from family.reasons(policy)
    yield from _adapter_reasons(policy, members)
    for name, module in policy.base.named_modules():
        if isinstance(module, BaseTunerLayer):
            yield from _layer_reasons(name, module, members)


def _model_reasons(base: Any) -> Iterator[str]:
    # PEFT keeps adapters in float32 on a bfloat16 base; it is the base's precision that counts.
    own = {name: parameter for name, parameter in base.named_parameters() if ".lora_" not in name}
    dtypes = {parameter.dtype for parameter in own.values()}
    if getattr(base, "quantization_method", None) or any(d not in _DTYPES for d in dtypes):
        yield "the weights are quantised or neither float32 nor bfloat16"
    elif len(dtypes) > 1:
        yield "the weights are of several precisions"
    if len({parameter.device for parameter in own.values()}) > 1:
        yield "the model is spread over several devices"
    if base.training:
        yield "the model is in training mode, with dropout"
    for part in (base.get_input_embeddings(), base.get_output_embeddings()):
        if type(part) not in (nn.Embedding, nn.Linear):
            yield f"the embeddings or the head are no plain layer ({type(part).__name__})"


def _adapter_reasons(policy: Policy, members: Sequence[str]) -> Iterator[str]:
    adapters = [name for name in members if name != BASE]
    configs = policy.model.peft_config if isinstance(policy.model, PeftModel) else {}
    for name in adapters:
        if name not in configs:
            yield f"the policy has no adapter {name!r}"
            return
        config: Any = configs[name]
        if config.peft_type != "LORA":
            yield f"adapter {name!r} is {config.peft_type}, not a plain LoRA"
            return
        if config.modules_to_save or config.trainable_token_indices or config.bias != "none":
            yield f"adapter {name!r} changes weights of the base"
    if any(isinstance(module, AuxiliaryTrainingWrapper) for module in policy.base.modules()):
        yield "an adapter replaces a layer of the base (modules_to_save)"


def _layer_reasons(name: str, layer: Any, members: Sequence[str]) -> Iterator[str]:
    if layer.merged_adapters:
        yield f"an adapter is merged into {name}"
    if not isinstance(layer, LoraLayer):
        yield f"{name} carries an adapter that is no LoRA"
        return
    if type(layer) is not LoraLinear or type(layer.get_base_layer()) is not nn.Linear:
        yield f"{name} carries a LoRA but is no plain linear layer"
    if any(member in layer.lora_variant for member in members):
        yield f"{name} carries a variant of LoRA (such as DoRA)"
    if any(layer.lora_bias.get(member) for member in members):
        yield f"the LoRA of {name} has a bias"
