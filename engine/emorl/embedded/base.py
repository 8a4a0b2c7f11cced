"""The embedded base: a tiny T5 that learns the mixture of all levels of the corpus.

It is deliberately not good: it reflects and empathises sometimes, and breaks its sentences
sometimes, so that training one adapter per objective has something to move.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from emorl.data.corpus import Exchange
from emorl.embedded.optimization import train
from emorl.embedded.tokenizer import EOS_ID, PAD_ID

_STEPS = 1200
_BATCH_SIZE = 48
_LEARNING_RATE = 5e-3
_IGNORED = -100
"""Label of a token that counts for nothing in the loss."""


def train_base(
    exchanges: Sequence[Exchange],
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    n_steps: int = _STEPS,
) -> T5ForConditionalGeneration:
    """Train the base to write a response of the corpus to each prompt."""
    torch.manual_seed(seed)
    model = T5ForConditionalGeneration(_config(len(tokenizer)))
    prompts = tokenizer([exchange.prompt for exchange in exchanges])["input_ids"]
    responses = tokenizer([exchange.response for exchange in exchanges])["input_ids"]

    def loss_of(batch: list[int]) -> Tensor:
        inputs = padded([prompts[index] for index in batch], PAD_ID)
        labels = padded([responses[index] for index in batch], _IGNORED)
        loss: Tensor = model(
            input_ids=inputs, attention_mask=(inputs != PAD_ID).long(), labels=labels
        ).loss
        return loss

    train(
        model,
        loss_of,
        n_examples=len(exchanges),
        n_steps=n_steps,
        batch_size=_BATCH_SIZE,
        learning_rate=_LEARNING_RATE,
        seed=seed,
    )
    return model


def padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """Put rows of different lengths into one tensor ``(len(rows), longest)``."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])


def _config(vocabulary_size: int) -> T5Config:
    return T5Config(
        vocab_size=vocabulary_size,
        d_model=96,
        d_kv=24,
        d_ff=256,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=4,
        dropout_rate=0.0,  # every exchange is seen about once or twice: nothing to regularise
        feed_forward_proj="relu",
        pad_token_id=PAD_ID,
        eos_token_id=EOS_ID,
        # A setting of every encoder-decoder that T5's own list of settings leaves out.
        decoder_start_token_id=PAD_ID,  # type: ignore[call-arg]
    )
