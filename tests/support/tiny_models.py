"""Tiny Hugging Face models with random weights, saved as folders, for tests without a network.

Every function saves a complete model folder (config, safetensors, tokenizer) that
``from_pretrained`` reads, in well under a second. The same seed gives the same weights. All
models share one byte-level vocabulary, so any text has tokens and comes back unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5ForConditionalGeneration,
)

SPECIAL_TOKENS = {
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "cls_token": "<cls>",
    "sep_token": "<sep>",
}
PAD_ID, EOS_ID, UNK_ID, BOS_ID, CLS_ID, SEP_ID = range(len(SPECIAL_TOKENS))

_SENTENCES = (
    "I don't trust doctors, and I want to quit smoking.",
    "It sounds like you are worried about your family and your health.",
    "You feel tired, and at the same time you hope that things can change.",
    "I have tried to lose weight for years. Nothing works!",
    "What would you like to do next? Have you thought about 3 small steps?",
    "It must be hard for you; I can hear how much you care.",
)


def save_tiny_t5(folder: Path | str, seed: int = 0, **settings: Any) -> Path:
    """Save an encoder-decoder model (T5, 2 + 2 layers, width 32); inputs end in ``</s>``."""
    defaults: dict[str, Any] = {
        "vocab_size": vocabulary_size(),
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_decoder_layers": 2,
        "num_heads": 4,
        "dropout_rate": 0.1,
        "feed_forward_proj": "gated-gelu",
        "pad_token_id": PAD_ID,
        "eos_token_id": EOS_ID,
        "decoder_start_token_id": PAD_ID,
    }
    config = T5Config(**(defaults | settings))
    return _save(folder, T5ForConditionalGeneration, config, seed, pieces=("$A", "</s>"))


def save_tiny_llama(folder: Path | str, seed: int = 0, **settings: Any) -> Path:
    """Save a decoder-only model (Llama, 2 layers, width 32, grouped query attention)."""
    defaults = _decoder_settings(max_position_embeddings=512, tie_word_embeddings=False)
    config = LlamaConfig(**(defaults | settings))
    return _save(folder, LlamaForCausalLM, config, seed, pieces=("<s>", "$A"))


def save_tiny_granite(folder: Path | str, seed: int = 0, **settings: Any) -> Path:
    """Save a decoder-only model (Granite, width 32) that divides its logits behind the head."""
    defaults = _decoder_settings(num_key_value_heads=4, logits_scaling=8.0)
    config = GraniteConfig(**(defaults | settings))
    return _save(folder, GraniteForCausalLM, config, seed, pieces=("<s>", "$A"))


def save_tiny_gemma2(folder: Path | str, seed: int = 0, **settings: Any) -> Path:
    """Save a decoder-only model (Gemma 2, width 32) that caps its logits behind the head."""
    defaults = _decoder_settings(head_dim=8, initializer_range=0.5, final_logit_softcapping=3.0)
    config = Gemma2Config(**(defaults | settings))
    return _save(folder, Gemma2ForCausalLM, config, seed, pieces=("<s>", "$A"))


def save_tiny_gpt2(folder: Path | str, seed: int = 0, **settings: Any) -> Path:
    """Save a language model (GPT-2, 2 layers, width 32, tied head) with a padding token."""
    defaults: dict[str, Any] = {
        "vocab_size": vocabulary_size(),
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 512,
        "pad_token_id": PAD_ID,
        "bos_token_id": EOS_ID,
        "eos_token_id": EOS_ID,
    }
    config = GPT2Config(**(defaults | settings))
    return _save(folder, GPT2LMHeadModel, config, seed, pieces=("$A",))


def save_tiny_bert(
    folder: Path | str, seed: int = 0, *, n_labels: int = 3, **settings: Any
) -> Path:
    """Save a sequence classifier (BERT, 2 layers, width 32) that reads text pairs."""
    defaults: dict[str, Any] = {
        "vocab_size": vocabulary_size(),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "num_labels": n_labels,
        "pad_token_id": PAD_ID,
        # Wide, so that different texts earn visibly different scores.
        "initializer_range": 0.5,
    }
    config = BertConfig(**(defaults | settings))
    return _save(
        folder,
        BertForSequenceClassification,
        config,
        seed,
        pieces=("<cls>", "$A", "<sep>"),
        pair_pieces=("<cls>", "$A", "<sep>", "$B:1", "<sep>:1"),
    )


def save_tiny_roberta(folder: Path | str, seed: int = 0, **settings: Any) -> Path:
    """Save a RoBERTa encoder without a head (2 layers, width 32) that reads text pairs."""
    defaults: dict[str, Any] = {
        "vocab_size": vocabulary_size(),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 514,
        "type_vocab_size": 1,
        "pad_token_id": PAD_ID,
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
        "initializer_range": 0.5,
    }
    config = RobertaConfig(**(defaults | settings))
    return _save(
        folder,
        RobertaModel,
        config,
        seed,
        pieces=("<s>", "$A", "</s>"),
        pair_pieces=("<s>", "$A", "</s>", "</s>", "$B", "</s>"),
    )


def vocabulary_size() -> int:
    """Return the number of entries of the shared vocabulary."""
    return int(Tokenizer.from_str(_trained_tokenizer()).get_vocab_size())


def tiny_tokenizer(
    pieces: Sequence[str] = ("$A",), pair_pieces: Sequence[str] | None = None
) -> PreTrainedTokenizerFast:
    """Return the shared byte-level tokenizer with the given template of special tokens."""
    tokenizer = Tokenizer.from_str(_trained_tokenizer())
    names = list(SPECIAL_TOKENS.values())
    types = ["token_type_ids"] if pair_pieces and "$B:1" in pair_pieces else []
    tokenizer.post_processor = processors.TemplateProcessing(
        single=list(pieces),
        pair=list(
            pair_pieces or [*pieces, *("$B:1" if piece == "$A" else piece for piece in pieces)]
        ),
        special_tokens=[(name, position) for position, name in enumerate(names)],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
        # As BERT's own tokenizer: the default leaves the types of a pair out.
        model_input_names=["input_ids", *types, "attention_mask"],
        **SPECIAL_TOKENS,
    )


@cache
def _trained_tokenizer() -> str:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_SENTENCES, trainer)
    return str(tokenizer.to_str())


def _decoder_settings(**own: Any) -> dict[str, Any]:
    """Return the settings of a decoder-only model of 2 layers, width 32."""
    shared = {
        "vocab_size": vocabulary_size(),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "pad_token_id": PAD_ID,
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
    }
    return shared | own


def _save(
    folder: Path | str,
    model_class: Any,
    config: Any,
    seed: int,
    *,
    pieces: Sequence[str],
    pair_pieces: Sequence[str] | None = None,
) -> Path:
    folder = Path(folder)
    with torch.random.fork_rng(devices=[]):  # leaves the caller's random state as it was
        torch.manual_seed(seed)
        model = model_class(config)
    model.save_pretrained(folder)
    tiny_tokenizer(pieces, pair_pieces).save_pretrained(folder)
    return folder
