"""Responses beside their prompts and scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from emorl_dashboard.frames.numbers import mean_reward_error, spread

_LETTER_PIXELS, _LINE_PIXELS = 6.8, 19
"""Of the browser's tables: what a letter takes of a wrapped line, and the pitch of lines."""
_ASIDE, _AROUND, _ABOVE = 16, 16, 2
"""Pixels beside a text, around one that fits, and above one that is cut off after a line."""
_MOST_LINES = 6


def response_table(
    responses: pd.DataFrame, prompts: pd.DataFrame, objectives: Sequence[str], *, split: str
) -> pd.DataFrame:
    """Join responses with their prompts.

    Args:
        responses: Rows with ``prompt_index``, ``text`` and ``scores``.
        prompts: The table ``prompts``.
        objectives: Names of the scores.
        split: Split that ``prompt_index`` counts in.

    Returns:
        ``prompt``, ``response``, ``mean reward`` and one column per objective.
    """
    known = prompts[prompts["split"] == split].set_index("prompt_index")["prompt"]
    scores = spread(responses["scores"], objectives)
    joined = pd.DataFrame(
        {
            "prompt": responses["prompt_index"].map(known),
            "response": responses["text"],
            "mean reward": scores.mean(axis=1),
        }
    )
    return pd.concat([joined, scores], axis=1).reset_index(drop=True)


def mean_reward_se(responses: pd.DataFrame, objectives: Sequence[str]) -> float:
    """Return the standard error over prompts of the responses' mean reward."""
    return mean_reward_error(spread(responses["scores"], objectives), responses["prompt_index"])


def row_height(table: pd.DataFrame, widths: Mapping[str, int]) -> int:
    """Return a height of rows, in pixels, that cuts no line of text through.

    Args:
        table: From ``response_table``.
        widths: Column of texts -> its width in pixels.
    """
    lines = max(
        (
            math.ceil(len(str(text)) * _LETTER_PIXELS / (width - _ASIDE))
            for name, width in widths.items()
            for text in table[name]
        ),
        default=1,
    )
    if lines > _MOST_LINES:
        return _LINE_PIXELS * _MOST_LINES + _ABOVE
    return _LINE_PIXELS * lines + _AROUND


def prompt_texts(prompts: pd.DataFrame, split: str) -> list[str]:
    """Return the prompts of a split in order of their index."""
    rows = prompts[prompts["split"] == split].sort_values("prompt_index")
    return [str(prompt) for prompt in rows["prompt"]]


def reading(texts: pd.DataFrame, position: int) -> tuple[str, str]:
    """Return prompt and response of one row of ``response_table``."""
    row = texts.iloc[position]
    return str(row["prompt"]), str(row["response"])


def n_distinct(texts: pd.DataFrame) -> int:
    """Return how many different responses a table of ``response_table`` has."""
    return int(texts["response"].nunique())
