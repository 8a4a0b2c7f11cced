"""Adapters that are no plain LoRA of one rank: DoRA, ranks by layer, rank-stabilised scaling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora import LoraLayer

from emorl.decoding.forward import BASE, HuggingFaceForward
from emorl.decoding.levels.hidden_state import hidden_state_scores
from emorl.decoding.loop import decode
from emorl.decoding.merging import merged_adapter
from emorl.errors import ModelError
from emorl.models.policy import Policy
from emorl.systems.ensemble import Ensemble
from tests.support.policies import ADAPTERS, FAMILIES, PROMPTS, tiny_policy

pytestmark = pytest.mark.slow

MEMBERS = ("warm", BASE, "dora")
MIXED = [(0.5, 0.2, 0.3), (0.2, 0.2, 0.6), (0.6, 0.3, 0.1)]


def add(policy: Policy, name: str, **settings: Any) -> PeftModel:
    """Put a random adapter of any kind on a policy, not active."""
    model = policy.model
    assert isinstance(model, PeftModel)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model.add_adapter(name, LoraConfig(**settings))
        with torch.no_grad():
            for place, parameter in model.named_parameters():
                if f".{name}" in place and "lora_B" in place:
                    parameter.normal_(std=0.3)
                elif f".{name}" in place and "magnitude" in place:
                    parameter.mul_(1.5)
    model.eval()
    return model


@pytest.fixture(params=FAMILIES)
def policy(request: pytest.FixtureRequest, tmp_path: Path) -> Policy:
    return tiny_policy(request.param, tmp_path)


def alone(policy: Policy, member: str) -> list[str]:
    """Return what Transformers writes with one adapter active, prompt by prompt."""
    model: Any = policy.model
    before = model.active_adapters[0]
    written = []
    for prompt in PROMPTS:
        input_ids, mask = policy.encode([prompt])
        limits = {"max_new_tokens": policy.config.max_new_tokens, "do_sample": False}
        if member == BASE:
            with model.disable_adapter():
                tokens = model.generate(input_ids=input_ids, attention_mask=mask, **limits)
        else:
            model.set_adapter(member)
            tokens = model.generate(input_ids=input_ids, attention_mask=mask, **limits)
        first = 1 if policy.is_encoder_decoder else input_ids.shape[1]
        written.append(policy.decode(tokens[0, first:].tolist()))
    model.set_adapter(before)
    return written


def test_a_dora_among_others_writes_what_it_writes_alone(policy: Policy) -> None:
    kind = "SEQ_2_SEQ_LM" if policy.is_encoder_decoder else "CAUSAL_LM"  # tells where the head is
    model = add(policy, "dora", r=3, target_modules="all-linear", task_type=kind, use_dora=True)
    before = {name: p.requires_grad for name, p in model.named_parameters()}
    active = model.active_adapters
    ensemble = Ensemble(policy, MEMBERS)
    one_hot = [tuple(float(a == b) for b in MEMBERS) for a in MEMBERS]
    found = [[text.text for text in texts] for texts in ensemble.generate(PROMPTS, one_hot)]
    assert {name: p.requires_grad for name, p in model.named_parameters()} == before
    assert model.active_adapters == active
    assert found == [alone(policy, member) for member in MEMBERS]
    assert len({tuple(texts) for texts in found}) == 3
    [dora] = Ensemble(policy, ("dora",)).generate(PROMPTS, [(1.0,)])
    assert [text.text for text in dora] == found[2]
    assert ensemble.generate(PROMPTS, MIXED)


def test_members_read_in_turns_write_what_they_write_in_one_batch(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written() -> list[list[list[int]]]:
        return decode(
            HuggingFaceForward(policy, (*ADAPTERS[:2], BASE)),
            hidden_state_scores,
            *policy.encode(PROMPTS),
            torch.tensor(MIXED),
            max_new_tokens=policy.config.max_new_tokens,
            eos_token_ids=policy.eos_token_ids,
        )

    together = written()
    monkeypatch.setattr("emorl.decoding.forward._can_mix", lambda *_: False)
    assert written() == together


def test_adapters_of_different_kinds_add_up(policy: Policy) -> None:
    targets = ["q", "wo"] if policy.is_encoder_decoder else ["q_proj", "down_proj"]
    # The first one's settings (one layer, other scaling) must not become those of the sum.
    add(policy, "some", r=2, target_modules=targets, layers_to_transform=[1], use_rslora=True)
    model = add(
        policy, "uneven", r=4, target_modules=targets, rank_pattern={targets[1]: 7}, lora_alpha=5
    )
    parts = {"some": 0.5, "uneven": 0.3, "warm": 0.2}
    layers: list[Any] = [m for m in model.modules() if isinstance(m, LoraLayer)]
    deltas = [
        {part: layer.get_delta_weight(part) for part in parts if part in layer.lora_A}
        for layer in layers
    ]
    with merged_adapter(policy, tuple(parts), tuple(parts.values())) as name:
        for layer, delta in zip(layers, deltas, strict=True):
            expected = sum(parts[part] * delta[part] for part in delta)
            torch.testing.assert_close(
                layer.get_delta_weight(name), expected, atol=1e-5, rtol=1e-4
            )
    assert name not in model.peft_config
    assert not any(name in layer.lora_A for layer in layers)
    merged = Ensemble(policy, ("some", "uneven"), "parameter")
    hidden = Ensemble(policy, ("some", "uneven"), backend="generic")
    one_hot = [(1.0, 0.0), (0.0, 1.0)]
    assert merged.generate(PROMPTS, one_hot) == hidden.generate(PROMPTS, one_hot)


def test_a_dora_has_no_weighted_sum(policy: Policy) -> None:
    targets = ["q"] if policy.is_encoder_decoder else ["q_proj"]
    add(policy, "dora", r=3, target_modules=targets, use_dora=True)
    merged = Ensemble(policy, ("warm", "dora"), "parameter")
    with pytest.raises(ModelError, match="'dora' is no plain LoRA"):
        merged.generate(PROMPTS, [(0.5, 0.5)])
    # Without weight it takes no part.
    assert merged.generate(PROMPTS, [(1.0, 0.0)])
