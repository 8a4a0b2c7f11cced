"""Score with a sequence classifier that reads prompt and response as a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from emorl.errors import RewardError
from emorl.rewards.batching import PairReader
from emorl.rewards.kinds.sequence_classifier import ClassifierOutput, Config
from emorl.rewards.loading import (
    check_vocabulary,
    load_model,
    load_tokenizer,
    model_source,
    token_limit,
)
from emorl.rewards.scorer import Scores


@dataclass(frozen=True, slots=True)
class SequenceClassifierScorer:
    """A classifier whose outputs become one number in [0, 1]."""

    model: Any
    reader: PairReader
    output: ClassifierOutput

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Scores:
        """Return one score per pair."""
        scores = np.empty(len(prompts))
        with torch.inference_mode():
            for batch, inputs in self.reader.batches(prompts, responses):
                values = score_of_logits(self.model(**inputs).logits, self.output)
                scores[list(batch.rows)] = values[: len(batch.rows)].cpu().numpy()
        return scores


def score_of_logits(logits: Tensor, output: ClassifierOutput) -> Tensor:
    """Turn a classifier's outputs into scores.

    Args:
        logits: Shape ``(n_pairs, n_labels)``; one label for ``sigmoid`` and ``clamp``.
        output: ``sigmoid`` of the one output; ``clamp`` of the one number to [0, 1]; or
            ``expected_level``, sum over k of p_k k / (K - 1) with softmax p over K ordered labels.

    Returns:
        Scores, shape ``(n_pairs,)``.
    """
    if output == "sigmoid":
        return logits[:, 0].sigmoid()
    if output == "clamp":
        return logits[:, 0].clamp(0.0, 1.0)
    levels = torch.linspace(0.0, 1.0, logits.shape[1], device=logits.device)
    # Probabilities may add up to a little more than one.
    return (logits.softmax(dim=-1) * levels).sum(dim=-1).clamp(max=1.0)


def load_sequence_classifier(
    objective: str, config: Config, device: str
) -> SequenceClassifierScorer:
    """Load the classifier that ``config.model`` names.

    Raises:
        RewardError: If it cannot be loaded or has not as many outputs as ``config.output`` reads.
    """
    source = model_source(objective, config.model)
    tokenizer = load_tokenizer(objective, source)
    model = load_model(objective, AutoModelForSequenceClassification, source, device)
    check_vocabulary(objective, model, tokenizer)
    _check_labels(objective, config, int(model.config.num_labels))
    if model.config.pad_token_id is None:
        # Decoder-only classifiers read the last token that is not padding.
        model.config.pad_token_id = tokenizer.pad_token_id or 0
    reader = PairReader(
        tokenizer=tokenizer,
        limit=token_limit(model.config, tokenizer, config.max_tokens),
        batch_size=config.batch_size,
        device=device,
        with_types=getattr(model.config, "type_vocab_size", 0) >= 2,
    )
    return SequenceClassifierScorer(model, reader, config.output)


def _check_labels(objective: str, config: Config, n_labels: int) -> None:
    if config.output == "expected_level" and n_labels < 2:
        raise RewardError(
            f"Reward {objective!r}: output = 'expected_level' needs at least two ordered labels, "
            f"but {config.model} has {n_labels}. Set rewards.{objective}.output to 'sigmoid' or "
            "'clamp'."
        )
    if config.output != "expected_level" and n_labels != 1:
        raise RewardError(
            f"Reward {objective!r}: output = {config.output!r} needs a model with one output, but "
            f"{config.model} has {n_labels}. Set rewards.{objective}.output to 'expected_level' "
            "if its labels are ordered levels."
        )
