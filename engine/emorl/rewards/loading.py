"""Load scorer models: embedded ones, folders, or hub names; every failure is a RewardError."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from emorl.embedded import embedded_path
from emorl.errors import ModelError, RewardError
from emorl.huggingface import LOAD_ERRORS, first_line, has_vocabulary, some_of, untrained_weights


def model_source(objective: str, name: str) -> str:
    """Return the folder of an embedded or local model, or the hub name unchanged.

    Raises:
        RewardError: If there is no embedded model of that name, or if ``name`` can only be a
            folder and there is none.
    """
    if name.startswith("embedded:"):
        try:
            return str(embedded_path(name))
        except ModelError as error:
            raise RewardError(f"Reward {objective!r}: {error}") from error
    path = Path(name).expanduser()
    if path.exists():
        return str(path)
    # A hub name is "name" or "owner/name"; everything else can only be a path.
    if path.is_absolute() or len(path.parts) > 2 or name.startswith((".", "~")) or "\\" in name:
        raise RewardError(
            f"Reward {objective!r}: there is no model folder {name}. Check "
            f"rewards.{objective}.model."
        )
    return name


def load_tokenizer(objective: str, source: str) -> Any:
    """Load the tokenizer of a model.

    Raises:
        RewardError: If it cannot be loaded, or has no vocabulary.
    """
    tokenizer = _from_pretrained(objective, AutoTokenizer, source)
    if not has_vocabulary(tokenizer):
        raise RewardError(
            f"Reward {objective!r}: {source} holds no usable model: it has no tokenizer "
            "(tokenizer.json and tokenizer_config.json, or the vocabulary files of its type). "
            "Copy those of the model there."
        )
    return tokenizer


def check_vocabulary(objective: str, model: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer with more entries than the model has embeddings for.

    Raises:
        RewardError: If the tokenizer is that of another model.
    """
    n_known = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > n_known:
        raise RewardError(
            f"Reward {objective!r}: its tokenizer has {len(tokenizer)} entries, but the model "
            f"knows {n_known}: they do not belong together. Copy the model's own tokenizer files."
        )


def load_model(objective: str, model_class: Any, source: str, device: str) -> Any:
    """Load a model for scoring: all its weights trained, float32, no dropout, on ``device``.

    Raises:
        RewardError: If it cannot be loaded, or if the checkpoint lacks weights. Transformers
            would fill those with random numbers, and the scores would mean nothing.
    """
    model, info = _from_pretrained(
        objective, model_class, source, dtype=torch.float32, output_loading_info=True
    )
    lacking = untrained_weights(info)
    if lacking:
        raise RewardError(
            f"Reward {objective!r}: {source} has no trained weights for {some_of(lacking)}. "
            f"It is no model for this kind of reward; check rewards.{objective}.model and .kind."
        )
    return prepared(objective, model, device)


def prepared(objective: str, model: Any, device: str) -> Any:
    """Return the model on ``device``, in float32 and evaluation mode."""
    try:
        return model.to(device=device, dtype=torch.float32).eval().requires_grad_(False)
    except (RuntimeError, AssertionError) as error:
        raise RewardError(
            f"Reward {objective!r}: the model does not fit on device {device!r}: "
            f"{first_line(error)} Set policy.device to another one."
        ) from error


def token_limit(model_config: Any, tokenizer: Any, max_tokens: int) -> int:
    """Return how many tokens the model may read: at most ``max_tokens`` and what it can."""
    positions = getattr(model_config, "max_position_embeddings", None) or max_tokens
    if "roberta" in model_config.model_type:
        positions -= model_config.pad_token_id + 1  # RoBERTa counts positions from behind the pad
    return min(max_tokens, positions, int(tokenizer.model_max_length))


def _from_pretrained(objective: str, auto_class: Any, source: str, **settings: Any) -> Any:
    is_folder = Path(source).exists()
    try:
        return auto_class.from_pretrained(source, local_files_only=True, **settings)
    except LOAD_ERRORS as error:
        if is_folder:
            raise RewardError(
                f"Reward {objective!r}: the folder {source} holds no usable model: "
                f"{first_line(error)} It must hold config.json, the tokenizer and the weights "
                "as Transformers saves them."
            ) from error
    # Only asked when no copy is cached: a run must not depend on the network more than it needs.
    try:
        return auto_class.from_pretrained(source, **settings)
    except LOAD_ERRORS as error:
        raise RewardError(
            f"Reward {objective!r}: {source!r} is no folder here, and could not be fetched from "
            f"the model hub: {first_line(error)} Check rewards.{objective}.model and the "
            "network, or download the model and give its folder."
        ) from error
