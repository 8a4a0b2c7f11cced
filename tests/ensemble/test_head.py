"""Models that change their head's scores before they call them logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    CohereConfig,
    CohereForCausalLM,
)

from emorl.config import AdapterConfig, PolicyConfig
from emorl.decoding.choice import choose_backend
from emorl.decoding.head import shared_head
from emorl.decoding.levels.probability import probability_scores
from emorl.errors import ModelError
from emorl.models.adapters import add_adapter
from emorl.models.policy import Policy, load_policy
from emorl.systems.ensemble import Ensemble
from tests.support.policies import PROMPTS, tiny_policy
from tests.support.tiny_models import (
    BOS_ID,
    EOS_ID,
    PAD_ID,
    save_tiny_gemma2,
    save_tiny_gpt2,
    save_tiny_granite,
    save_tiny_llama,
    save_tiny_t5,
    tiny_tokenizer,
    vocabulary_size,
)

MEMBERS = ("warm", "brief")

_SIZES: dict[str, Any] = {
    "vocab_size": vocabulary_size(),
    "pad_token_id": PAD_ID,
    "bos_token_id": BOS_ID,
    "eos_token_id": EOS_ID,
}
_DECODER: dict[str, Any] = _SIZES | {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.5,
}


def _save(folder: Path, model_class: Any, config: Any) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model_class(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def save_cohere(folder: Path) -> Path:
    return _save(folder, CohereForCausalLM, CohereConfig(**_DECODER, logit_scale=0.0625))


def save_bart(folder: Path) -> Path:
    config = BartConfig(
        **_SIZES,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        decoder_start_token_id=EOS_ID,
        forced_eos_token_id=None,
    )
    return _save(folder, BartForConditionalGeneration, config)


def policy_of(save: Callable[[Path], Path], folder: Path, precision: Any = "float32") -> Policy:
    config = PolicyConfig(
        model=str(save(folder)), max_new_tokens=8, device="cpu", precision=precision
    )
    policy = load_policy(config)
    for seed, name in enumerate(MEMBERS):
        policy = add_adapter(policy, name, AdapterConfig(rank=4), seed=seed)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return policy


def first_logits(policy: Policy, member: str) -> torch.Tensor:
    """Return the model's own logits of the first token, ``(n_prompts, vocab)``."""
    forward = Ensemble(policy, (member,)).backend.make()
    scores: torch.Tensor = forward.head(forward.start(*policy.encode(PROMPTS))[0])
    return scores


@pytest.mark.parametrize("save", [save_tiny_granite, save_cohere])
def test_members_of_a_scaling_model_have_its_own_logits(
    save: Callable[[Path], Path], tmp_path: Path
) -> None:
    policy = policy_of(save, tmp_path / "base")
    forward = choose_backend(policy, MEMBERS).make()
    with torch.no_grad():
        own = torch.stack([first_logits(policy, member) for member in MEMBERS])
        states = forward.start(*policy.encode(PROMPTS))
        torch.testing.assert_close(forward.head(states), own, atol=1e-5, rtol=1e-4)
        half = torch.full((len(PROMPTS), 2), 0.5)
        mixture = probability_scores(states, half, forward.head).exp()
        torch.testing.assert_close(
            mixture, torch.softmax(own, dim=-1).mean(0), atol=1e-6, rtol=1e-4
        )
    one_hot = Ensemble(policy, MEMBERS).sample(PROMPTS, (1.0, 0.0), seed=3)
    assert one_hot == Ensemble(policy, MEMBERS[:1]).sample(PROMPTS, (1.0,), seed=3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_capped_model_decodes_greedily_and_refuses_what_needs_sizes(
    precision: Any, tmp_path: Path
) -> None:
    policy = policy_of(save_tiny_gemma2, tmp_path / "base", precision)
    together = Ensemble(policy, MEMBERS)
    for level in ("probability", "logit"):
        with pytest.raises(ModelError, match=f"the level '{level}' needs the size"):
            Ensemble(policy, MEMBERS, level)
    with pytest.raises(ModelError, match="sampling needs the size"):
        together.sample(PROMPTS, (0.5, 0.5))
    if precision == "float32":
        alone = Ensemble(policy, MEMBERS[:1])
        assert together.generate(PROMPTS, [(1.0, 0.0)]) == alone.generate(PROMPTS, [(1.0,)])
        # One member, and merged ones, write with the model's own logits.
        assert alone.sample(PROMPTS, (1.0,), seed=1)
        assert Ensemble(policy, MEMBERS, "parameter").sample(PROMPTS, (0.5, 0.5), seed=1)


def test_the_parts_of_a_capped_models_logits_add_up_to_its_own(tmp_path: Path) -> None:
    policy = policy_of(save_tiny_gemma2, tmp_path / "base")
    assert shared_head(policy).cap == 3.0
    together = Ensemble(policy, MEMBERS)
    own = first_logits(policy, MEMBERS[0])[0].double()
    first = together.attribute(PROMPTS[0], (1.0, 0.0))[0]
    # The model computes in float32, and attribution in float64.
    assert first.logit == pytest.approx(float(own.max()), abs=1e-5)
    assert first.runner_up_logit == pytest.approx(float(own.topk(2).values[1]), abs=1e-5)
    for step in together.attribute(PROMPTS[1], (0.6, 0.4)):
        assert abs(step.logit) < 3.0
        assert sum(step.logit_parts) == pytest.approx(step.logit, abs=1e-12)
        assert sum(step.margin_parts) == pytest.approx(step.margin, abs=1e-12)
        assert step.margin_parts[step.decided_by] == max(step.margin_parts)


def test_a_model_that_shifts_single_tokens_takes_one_member_only(tmp_path: Path) -> None:
    policy = policy_of(save_bart, tmp_path / "base")
    assert shared_head(policy).gives == "logits"  # its shifts are all zero
    bias: Any = policy.base.final_logits_bias
    bias.copy_(torch.linspace(0.0, 1.0, bias.shape[-1]))
    with pytest.raises(ModelError, match="Use the level 'parameter', or one member"):
        Ensemble(policy, MEMBERS)
    assert Ensemble(policy, MEMBERS[:1]).generate(PROMPTS[:1], [(1.0,)])
    assert Ensemble(policy, MEMBERS, "parameter").generate(PROMPTS[:1], [(0.5, 0.5)])


@pytest.mark.parametrize("save", [save_tiny_t5, save_tiny_llama, save_tiny_gpt2])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_plain_head_stays_as_it_is(
    save: Callable[[Path], Path], precision: Any, tmp_path: Path
) -> None:
    config = PolicyConfig(model=str(save(tmp_path / "base")), device="cpu", precision=precision)
    policy = load_policy(config)
    found = shared_head(policy)
    assert found.gives == "logits"
    assert found.module is policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]


def test_a_scale_is_learnt_in_half_precision_too(tmp_path: Path) -> None:
    policy = policy_of(save_tiny_granite, tmp_path / "base", "bfloat16")
    found = shared_head(policy)
    assert found.gives == "logits"
    assert getattr(found.module, "factor", None) == pytest.approx(1 / 8, rel=1e-3)


def test_a_policy_whose_head_has_an_adapter_is_refused(tmp_path: Path) -> None:
    policy = tiny_policy("decoder-only", tmp_path)
    assert isinstance(policy.model, PeftModel)
    policy.model.add_adapter("loud", LoraConfig(r=2, target_modules=["lm_head"]))
    with pytest.raises(ModelError, match="Adapter 'loud' changes the head"):
        Ensemble(policy, ("warm", "loud"))
