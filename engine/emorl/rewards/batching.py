"""Batches in which a pair's score does not depend on the pairs beside it.

A matrix product rounds differently for other shapes, so a score would change in its last digits
with the company it is scored in, and a resumed run would drift away from an undisturbed one.
Two rules keep the shape a matter of the pair alone, as far as rounding goes: a pair is padded to
its own length rounded up, and the rows of a batch are filled up to a multiple of eight. What is
left are 1e-7, on processors whose smallest products round a row by its place in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_TOKEN_QUANTUM = 16
_ROW_QUANTUM = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs that are scored together."""

    rows: tuple[int, ...]
    """Positions of the pairs among all."""
    n_rows: int
    """Rows of the tensors; those behind ``rows`` repeat the last pair and are ignored."""
    n_tokens: int
    """Padded length."""

    def tensor(self, sequences: Sequence[Sequence[int]], padding: int, device: str) -> Tensor:
        """Return the pairs' sequences, padded on the right; shape ``(n_rows, n_tokens)``."""
        filled = self.rows + (self.rows[-1],) * (self.n_rows - len(self.rows))
        padded = torch.full((self.n_rows, self.n_tokens), padding, dtype=torch.long)
        for position, row in enumerate(filled):
            padded[position, : len(sequences[row])] = torch.tensor(sequences[row])
        return padded.to(device)


def batches_by_length(lengths: Sequence[int], batch_size: int, limit: int) -> Iterator[Batch]:
    """Group sequences of similar length, shortest first; the order of equals is kept.

    Args:
        lengths: Tokens of each sequence, each at most ``limit``.
        batch_size: Sequences of one batch at most.
        limit: Tokens that the model can read.
    """
    groups: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        groups.setdefault(min(_rounded_up(length, _TOKEN_QUANTUM), limit), []).append(row)
    quantum = min(_ROW_QUANTUM, batch_size)
    for n_tokens in sorted(groups):
        group = groups[n_tokens]
        for start in range(0, len(group), batch_size):
            rows = tuple(group[start : start + batch_size])
            yield Batch(rows, _rounded_up(len(rows), quantum), n_tokens)


@dataclass(frozen=True, slots=True)
class PairReader:
    """Tokenises prompt and response as a pair and puts them in batches."""

    tokenizer: Any
    limit: int
    """Tokens of a pair at most; the longer of the two texts is cut."""
    batch_size: int
    device: str
    with_types: bool
    """Whether the model tells the two texts apart by token types."""

    def batches(
        self, prompts: Sequence[str], responses: Sequence[str]
    ) -> Iterator[tuple[Batch, dict[str, Tensor]]]:
        """Yield each batch with the model's inputs."""
        encoded = self.tokenizer(
            list(prompts), list(responses), truncation=True, max_length=self.limit
        )
        ids: list[list[int]] = encoded["input_ids"]
        padding = self.tokenizer.pad_token_id or 0  # masked, so that any token does
        ones = [[1] * len(sequence) for sequence in ids]
        for batch in batches_by_length([len(row) for row in ids], self.batch_size, self.limit):
            inputs = {
                "input_ids": batch.tensor(ids, padding, self.device),
                "attention_mask": batch.tensor(ones, 0, self.device),
            }
            if self.with_types and "token_type_ids" in encoded:
                inputs["token_type_ids"] = batch.tensor(encoded["token_type_ids"], 0, self.device)
            yield batch, inputs


def _rounded_up(number: int, quantum: int) -> int:
    return -(-max(number, 1) // quantum) * quantum
