"""Prompts of a run: the embedded corpus, PAIR, Psych8k, or a table with named columns."""

from engine.data.datasets import PromptData, load_prompts
from engine.data.rows import BadRow

__all__ = ["BadRow", "PromptData", "load_prompts"]
