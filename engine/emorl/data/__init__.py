"""Prompts of a run: the embedded corpus, PAIR, Psych8k, or a table with named columns."""

from emorl.data.datasets import PromptData, load_prompts
from emorl.data.rows import BadRow

__all__ = ["BadRow", "PromptData", "load_prompts"]
