"""Split exchanges by prompt, in file order: train, aggregation, inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from emorl.config import DataConfig
from emorl.errors import DataError
from emorl.records import DataSplit, Prompt


def split_sizes(n_prompts: int, config: DataConfig) -> tuple[int, int, int]:
    """Return the sizes of the train, aggregation and inference splits.

    Train and aggregation are rounded to the nearest whole number; inference is the rest.
    """
    n_train = round(config.train_fraction * n_prompts)
    n_aggregation = round(config.aggregation_fraction * n_prompts)
    return n_train, n_aggregation, n_prompts - n_train - n_aggregation


def split_prompts(exchanges: Sequence[tuple[str, str]], config: DataConfig) -> list[Prompt]:
    """Split ``(prompt, reference)`` pairs by prompt, in the order given.

    Pairs with the same prompt are one prompt, so that no prompt lies in two splits; the
    reference of the first one is kept.

    Raises:
        DataError: If a split would be empty.
    """
    references: dict[str, str] = {}
    for prompt, reference in exchanges:
        references.setdefault(prompt, reference)
    sizes = split_sizes(len(references), config)
    if min(sizes) < 1:
        raise DataError(
            f"Need at least one prompt in every split, but {len(references)} different prompts "
            f"split into {sizes[0]} train, {sizes[1]} aggregation and {sizes[2]} inference "
            f"prompts. Give more prompts (10 are enough for 80/10/10), or change "
            f"data.train_fraction ({config.train_fraction}) and data.aggregation_fraction "
            f"({config.aggregation_fraction})."
        )
    remaining = iter(references.items())
    return [
        Prompt(split=split, index=index, prompt=prompt, reference=reference)
        for split, size in zip(get_args(DataSplit), sizes, strict=True)
        for index, (prompt, reference) in zip(range(size), remaining, strict=False)
    ]
