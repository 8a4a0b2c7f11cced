"""Models of known shapes with random weights and random adapters: speed needs no training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import (
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from emorl.config import PolicyConfig
from emorl.huggingface import peft_at_work
from emorl.models.policy import Policy

MEMBERS = ("first", "second", "third")
RANK = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """One family and size of models."""

    name: str
    build: Callable[[], PreTrainedModel]
    spreads: Mapping[str, float]
    """Standard deviation of the adapters' B matrices, in units of 1 / (rank sqrt(width)). Close: a
    prompt has about as many responses over the simplex as with adapters that were trained (8 on
    average, of the embedded run); far: about a hundred."""
    prompt_tokens: int = 24


def _t5(
    width: int, d_kv: int, d_ff: int, layers: int, heads: int
) -> Callable[[], PreTrainedModel]:
    def build() -> PreTrainedModel:
        model = T5ForConditionalGeneration(
            T5Config(
                vocab_size=32128,
                d_model=width,
                d_kv=d_kv,
                d_ff=d_ff,
                num_layers=layers,
                num_heads=heads,
            )
        )
        # A random head tied to the embeddings repeats its last token for ever.
        model.config.decoder_start_token_id = 0
        model.generation_config.decoder_start_token_id = 0
        model.lm_head = torch.nn.Linear(width, model.config.vocab_size, bias=False)
        torch.nn.init.normal_(model.lm_head.weight)
        return model

    return build


def _qwen(
    width: int, d_ff: int, layers: int, heads: int, kv_heads: int, vocabulary: int
) -> Callable[[], PreTrainedModel]:
    def build() -> PreTrainedModel:
        return Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=vocabulary,
                hidden_size=width,
                intermediate_size=d_ff,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                num_key_value_heads=kv_heads,
                tie_word_embeddings=False,
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=0,
            )
        )

    return build


_T5_SPREADS = {"close": 0.2, "far": 1.0}
_QWEN_SPREADS = {"close": 0.03, "far": 0.1}

SHAPES = {
    shape.name: shape
    for shape in (
        Shape("t5-small", _t5(512, 64, 2048, 6, 8), _T5_SPREADS),
        Shape("t5-base", _t5(768, 64, 3072, 12, 12), _T5_SPREADS),
        Shape("decoder-50m", _qwen(512, 1408, 12, 8, 2, 32000), _QWEN_SPREADS),
        Shape("decoder-500m", _qwen(896, 4864, 24, 14, 2, 151936), _QWEN_SPREADS),
    )
}


def build_policy(shape: Shape, spread: str, *, device: str = "cpu", seed: int = 0) -> Policy:
    """Return a random base of a shape with random adapters ``MEMBERS`` on every linear layer."""
    torch.manual_seed(seed)
    base: Any = shape.build()
    base.eval().requires_grad_(requires_grad=False)
    kind = TaskType.SEQ_2_SEQ_LM if base.config.is_encoder_decoder else TaskType.CAUSAL_LM
    lora = LoraConfig(r=RANK, lora_alpha=32, target_modules="all-linear", task_type=kind)
    with peft_at_work():
        model: Any = get_peft_model(base, lora, adapter_name=MEMBERS[0])
        for name in MEMBERS[1:]:
            model.add_adapter(name, lora)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0.0, shape.spreads[spread] * parameter.shape[0] ** -0.5 / RANK)
    model.to(device).eval()
    # Prompts and responses are tokens here: no tokenizer is asked.
    config = PolicyConfig(model=shape.name, max_new_tokens=32, device=device)
    return Policy(model, cast(Any, None), config, torch.device(device))


def prompts(policy: Policy, shape: Shape, n_prompts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random prompts without padding, ``(n_prompts, prompt_tokens)``, and their mask."""
    generator = torch.Generator().manual_seed(1)
    size = (n_prompts, shape.prompt_tokens)
    ids = torch.randint(3, policy.base.config.vocab_size, size, generator=generator)
    ids = ids.to(policy.device)
    return ids, torch.ones_like(ids)


class Numbers:
    """A tokenizer of texts that are token numbers, ``"17 4 9"``, all of one length."""

    pad_token_id = 0
    eos_token_id = 1

    def __init__(self, vocabulary: int) -> None:
        """Remember how many tokens there are."""
        self._vocabulary = vocabulary

    def __len__(self) -> int:
        return self._vocabulary

    def __call__(self, texts: str | Sequence[str], **_: Any) -> dict[str, Any]:
        """Return token numbers: a list for one text, tensors for several."""
        if isinstance(texts, str):
            return {"input_ids": self._tokens(texts)}
        ids = torch.tensor([self._tokens(text) for text in texts])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def decode(self, tokens: Sequence[int], **_: Any) -> str:
        """Write tokens as numbers."""
        return " ".join(map(str, tokens))

    @staticmethod
    def _tokens(text: str) -> list[int]:
        return [int(word) for word in text.split()]
