"""Score fluency by the perplexity of a language model: (ceiling - perplexity) / ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM

from emorl.rewards.batching import batches_by_length
from emorl.rewards.kinds.perplexity import Config, ScoredText
from emorl.rewards.loading import (
    check_vocabulary,
    load_model,
    load_tokenizer,
    model_source,
    token_limit,
)
from emorl.rewards.scorer import Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class PerplexityScorer:
    """A decoder-only language model that finds good text likely.

    With ``scored_text`` ``pair``, the text is prompt, space, response, and every token but the
    first counts (EMORL, arXiv:2505.02579, section 5.1). With ``response``, only the tokens of
    the response count, with the prompt as their context.
    """

    model: Any
    tokenizer: Any
    scored_text: ScoredText
    ceiling: float
    """Perplexity that earns 0."""
    limit: int
    batch_size: int
    device: str

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Scores:
        """Return one score per pair."""
        perplexities = self.perplexities(prompts, responses)
        return np.clip((self.ceiling - perplexities) / self.ceiling, 0.0, 1.0)

    def perplexities(self, prompts: Sequence[str], responses: Sequence[str]) -> Scores:
        """Return exp of the mean negative log-likelihood per token; infinite without a token."""
        sequences, first_counted = self._encoded(prompts, responses)
        # A sequence of one token has nothing to predict: it stays infinitely surprising.
        perplexities = np.full(len(prompts), np.inf)
        lengths = [len(sequence) for sequence in sequences]
        counted = [
            [int(max(first, 1) <= position) for position in range(length)]
            for first, length in zip(first_counted, lengths, strict=True)
        ]
        ones = [[1] * length for length in lengths]
        padding = self.tokenizer.pad_token_id or 0  # masked, so that any token does
        with torch.inference_mode():
            for batch in batches_by_length(lengths, self.batch_size, self.limit):
                tokens = batch.tensor(sequences, padding, self.device)
                attention = batch.tensor(ones, 0, self.device)
                mask = batch.tensor(counted, 0, self.device)
                logits = self.model(input_ids=tokens, attention_mask=attention).logits
                for row, (index, mean) in enumerate(
                    zip(batch.rows, _mean_surprises(logits, tokens, mask), strict=False)
                ):
                    if mask[row, 1:].any():
                        # Above exp(700) a float64 overflows; both are far above any ceiling.
                        perplexities[index] = np.exp(min(float(mean), 700.0))
        return perplexities

    def _encoded(
        self, prompts: Sequence[str], responses: Sequence[str]
    ) -> tuple[list[list[int]], list[int]]:
        """Return token sequences and the position of each one's first counted token."""
        if self.scored_text == "pair":
            texts = [f"{p} {r}" for p, r in zip(prompts, responses, strict=True)]
            encoded = self.tokenizer(texts, truncation=True, max_length=self.limit)["input_ids"]
            return encoded, [0] * len(encoded)
        contexts = self.tokenizer(list(prompts), verbose=False)["input_ids"]
        answers = self.tokenizer(
            [f" {response}" for response in responses],
            add_special_tokens=False,
            truncation=True,
            max_length=self.limit - 1,
        )["input_ids"]
        # A prompt that does not fit loses its beginning: its end is the nearer context.
        fitting = [
            context[max(0, len(context) + len(answer) - self.limit) :]
            for context, answer in zip(contexts, answers, strict=True)
        ]
        joined = [context + answer for context, answer in zip(fitting, answers, strict=True)]
        return joined, [len(context) for context in fitting]


def load_perplexity(objective: str, config: Config, device: str) -> PerplexityScorer:
    """Load the language model that ``config.model`` names.

    Raises:
        RewardError: If it cannot be loaded.
    """
    source = model_source(objective, config.model)
    tokenizer = load_tokenizer(objective, source)
    model = load_model(objective, AutoModelForCausalLM, source, device)
    check_vocabulary(objective, model, tokenizer)
    return PerplexityScorer(
        model=model,
        tokenizer=tokenizer,
        scored_text=config.scored_text,
        ceiling=config.perplexity_ceiling,
        limit=token_limit(model.config, tokenizer, config.max_tokens),
        batch_size=config.batch_size,
        device=device,
    )


def _mean_surprises(logits: Tensor, tokens: Tensor, mask: Tensor) -> list[Tensor]:
    """Return each row's mean negative log-likelihood of the tokens where ``mask`` is 1.

    Row by row, because a second copy of all logits (rows x tokens x vocabulary) may not fit.
    """
    means = []
    for row_logits, row_tokens, row_mask in zip(logits, tokens, mask, strict=True):
        surprises = functional.cross_entropy(
            row_logits[:-1].float(), row_tokens[1:], reduction="none"
        )
        counts = row_mask[1:]
        means.append((surprises * counts).sum() / counts.sum().clamp(min=1))
    return means
