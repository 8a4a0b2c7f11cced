"""Rewards that are formulas, named in settings as ``tests.support.formula_rewards:<function>``."""

from __future__ import annotations

from collections.abc import Sequence


def letters(_prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """Share of ASCII letters."""
    return [
        sum(c.isascii() and c.isalpha() for c in text) / max(1, len(text)) for text in responses
    ]


def brevity(_prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """1 for an empty text, less the longer it is."""
    return [1 / (1 + len(text) / 20) for text in responses]


def variety(_prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """Different characters over characters."""
    return [len(set(text)) / max(1, len(text)) for text in responses]


def too_high(_prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """No score: above 1."""
    return [1.5] * len(responses)


def too_few(_prompts: Sequence[str], _responses: Sequence[str]) -> list[float]:
    """One score, whatever the number of responses."""
    return [0.5]


def not_a_number(_prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """NaN for every response."""
    return [float("nan")] * len(responses)
