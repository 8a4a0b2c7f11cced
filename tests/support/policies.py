"""Tiny policies with several adapters that disagree, for tests of ensembles and training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from emorl.config import AdapterConfig, PolicyConfig
from emorl.models.adapters import add_adapter
from emorl.models.policy import Policy, load_policy
from tests.support.tiny_models import save_tiny_llama, save_tiny_t5

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "encoder-decoder": save_tiny_t5,
    "decoder-only": save_tiny_llama,
}
"""How to save a tiny base of each family."""

ADAPTERS = ("warm", "brief", "plain")
PROMPTS = (
    "I want to quit smoking.",
    "My family is worried about me, and I can not sleep at all.",
    "Hello",
    "I have tried to lose weight for years. Nothing works!",
)


def tiny_policy(
    family: str, folder: Path, adapters: Sequence[str] = ADAPTERS, max_new_tokens: int = 16
) -> Policy:
    """Return a random base with random adapters, large enough to change every text."""
    model = FAMILIES[family](folder / family)
    policy = load_policy(
        PolicyConfig(model=str(model), max_new_tokens=max_new_tokens, device="cpu")
    )
    for seed, name in enumerate(adapters):
        policy = add_adapter(policy, name, AdapterConfig(rank=4), seed=seed)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return policy
