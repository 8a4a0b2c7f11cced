"""The embedded scorers: two classifiers of levels and a small language model for fluency.

Reflection and empathy are learned together, by one encoder with two heads, and saved as two
ordinary classifiers with three labels each: it takes half the time, and each helps the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from emorl.data.corpus import Exchange
from emorl.embedded.base import padded
from emorl.embedded.examples import Example
from emorl.embedded.optimization import train
from emorl.embedded.tokenizer import EOS_ID, MAX_TOKENS, PAD_ID

LEVEL_LABELS = {
    "reflection": ("none", "simple", "complex"),
    "empathy": ("none", "named", "attuned"),
}
"""Names of levels 0, 1 and 2, by scorer."""
_N_LEVELS = 3

_PLACE_SHARE = 0.3
"""Size of position and segment beside a token's identity, before training."""

_CLASSIFIER_STEPS, _CLASSIFIER_RATE = 1600, 1.2e-3
_FLUENCY_STEPS, _FLUENCY_RATE = 450, 4e-3
_BATCH_SIZE = 64
_IGNORED = -100


def train_classifiers(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    n_steps: int = _CLASSIFIER_STEPS,
) -> dict[str, BertForSequenceClassification]:
    """Train the reflection and the empathy scorer.

    Returns:
        ``reflection`` and ``empathy``: classifiers of (prompt, response) into level 0, 1 or 2.
    """
    torch.manual_seed(seed)
    both = [f"{name} {level}" for name, levels in LEVEL_LABELS.items() for level in levels]
    model = BertForSequenceClassification(_classifier_config(len(tokenizer), both))
    _look_for_equal_tokens(model)
    encoded = tokenizer(
        [example.prompt for example in examples], [example.response for example in examples]
    )
    ids, types = encoded["input_ids"], encoded["token_type_ids"]
    targets = torch.tensor([[example.reflection, example.empathy] for example in examples])

    def loss_of(batch: list[int]) -> Tensor:
        inputs = padded([ids[index] for index in batch], PAD_ID)
        logits = model(
            input_ids=inputs,
            token_type_ids=padded([types[index] for index in batch], 0),
            attention_mask=(inputs != PAD_ID).long(),
        ).logits
        return cross_entropy(logits.reshape(-1, _N_LEVELS), targets[batch].flatten())

    train(
        model,
        loss_of,
        n_examples=len(examples),
        n_steps=n_steps,
        batch_size=_BATCH_SIZE,
        learning_rate=_CLASSIFIER_RATE,
        seed=seed,
    )
    return {name: _one_head(model, place, name) for place, name in enumerate(LEVEL_LABELS)}


def train_fluency(
    exchanges: Sequence[Exchange],
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    n_steps: int = _FLUENCY_STEPS,
) -> GPT2LMHeadModel:
    """Train a language model to write the fluent responses, given their prompts.

    It reads what the perplexity scorer gives it: the prompt between two end tokens, a space, the
    response. Only the response and its end count.
    """
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(_fluency_config(len(tokenizer)))
    fluent = [exchange for exchange in exchanges if exchange.fluent]
    contexts = tokenizer([exchange.prompt for exchange in fluent])["input_ids"]
    answers = tokenizer(
        [f" {exchange.response}" for exchange in fluent], add_special_tokens=False
    )["input_ids"]

    def loss_of(batch: list[int]) -> Tensor:
        pairs = [(contexts[index], [*answers[index], EOS_ID]) for index in batch]
        inputs = padded([context + answer for context, answer in pairs], PAD_ID)
        targets = padded(
            [[_IGNORED] * len(context) + answer for context, answer in pairs], _IGNORED
        )[:, 1:]
        states = model.transformer(
            input_ids=inputs, attention_mask=(inputs != PAD_ID).long()
        ).last_hidden_state[:, :-1]
        counted = targets != _IGNORED
        return cross_entropy(model.lm_head(states[counted]), targets[counted])

    train(
        model,
        loss_of,
        n_examples=len(fluent),
        n_steps=n_steps,
        batch_size=_BATCH_SIZE,
        learning_rate=_FLUENCY_RATE,
        seed=seed,
    )
    return model


@torch.no_grad()
def _look_for_equal_tokens(model: BertForSequenceClassification) -> None:
    """Let the first layer start by attending from each token to equal ones.

    Whether a response speaks of what this client said is a question of equal phrases. From a
    random start the encoder takes thousands of steps to find that out.
    """
    embeddings: Any = model.bert.embeddings
    for weight in (embeddings.position_embeddings.weight, embeddings.token_type_embeddings.weight):
        weight.mul_(_PLACE_SHARE)
    first_layer: Any = model.bert.encoder.layer[0]
    attention = first_layer.attention.self
    attention.key.weight.copy_(attention.query.weight)


def _one_head(
    model: BertForSequenceClassification, place: int, name: str
) -> BertForSequenceClassification:
    """Return a classifier with the encoder of ``model`` and one of its two heads."""
    single = BertForSequenceClassification(
        _classifier_config(model.config.vocab_size, LEVEL_LABELS[name])
    )
    rows = slice(place * _N_LEVELS, (place + 1) * _N_LEVELS)
    state = model.state_dict()
    for part in ("classifier.weight", "classifier.bias"):
        state[part] = state[part][rows].clone()
    single.load_state_dict(state)
    single.train(mode=False)
    return single


def _classifier_config(vocabulary_size: int, labels: Sequence[str]) -> BertConfig:
    return BertConfig(
        vocab_size=vocabulary_size,
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.1,  # about 1 / sqrt(width); BERT's own 0.02 is made for width 768
        pad_token_id=PAD_ID,
        id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
        problem_type="single_label_classification",
    )


def _fluency_config(vocabulary_size: int) -> GPT2Config:
    return GPT2Config(
        vocab_size=vocabulary_size,
        n_embd=64,
        n_layer=2,
        n_head=4,
        n_positions=MAX_TOKENS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        pad_token_id=PAD_ID,
        bos_token_id=EOS_ID,
        eos_token_id=EOS_ID,
    )
