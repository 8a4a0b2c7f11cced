"""What the policy and the rewards share when they load models of Transformers."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

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


def not_finite(weights: Iterable[tuple[str, Tensor]]) -> list[str]:
    """Return the names of weights that hold NaN or infinity.

    One pass over each and no copy: a base has gigabytes.
    """
    # A NaN anywhere makes both ends of the range NaN.
    return [
        name
        for name, weight in weights
        if weight.is_floating_point()
        and weight.numel()
        and not torch.stack(torch.aminmax(weight.detach())).isfinite().all()
    ]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, which ends in a full stop.

    A line that ends in a colon is a heading ("Error(s) in loading state_dict for X:"): what is
    wrong stands in the next one, which comes with it.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if text.endswith(":"):
        text = " ".join(lines[:2]).removesuffix(":")
    return text if text.endswith((".", "!", "?")) else f"{text}."


@contextmanager
def peft_at_work() -> Iterator[None]:
    """Keep from our caller what PEFT makes Transformers say and nobody but PEFT can change.

    2026-11: PEFT 0.21 asks Transformers 5.23 for ``is_gradient_checkpointing``, an old name.
    That an adapter's file lacks weights is an error of ours (``emorl.models.adapters``).
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is", FutureWarning)
        warnings.filterwarnings("ignore", "Found missing adapter keys", UserWarning)
        yield
