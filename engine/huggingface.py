"""What the policy and the rewards share when they load models of Transformers."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from safetensors import SafetensorError

LOAD_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    ImportError,
    LookupError,
    AttributeError,
    TypeError,
    EOFError,
    SafetensorError,
    pickle.UnpicklingError,
)
"""What Transformers, Safetensors and Torch raise on folders that hold no model, or half of one."""


def untrained_weights(loading_info: Mapping[str, Any]) -> list[str]:
    """Return the weights that a checkpoint lacks; Transformers fills them with random numbers.

    Args:
        loading_info: What ``from_pretrained(..., output_loading_info=True)`` returns second.
    """
    mismatched = sorted(str(key) for key in loading_info["mismatched_keys"])
    return sorted(loading_info["missing_keys"]) + mismatched


def has_vocabulary(tokenizer: Any) -> bool:
    """Say whether a tokenizer knows more than special tokens.

    Transformers makes up an empty tokenizer where a folder has none, and every text would read
    the same.
    """
    return len(tokenizer) - len(tokenizer.all_special_ids) >= 2


def some_of(names: list[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, which ends in a full stop."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


@contextmanager
def peft_at_work() -> Iterator[None]:
    """Keep from our caller what PEFT makes Transformers say and nobody but PEFT can change.

    2026-11: PEFT 0.21 asks Transformers 5.23 for ``is_gradient_checkpointing``, an old name.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is", FutureWarning)
        yield
