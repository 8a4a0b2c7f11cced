"""The reflection scorer in the layout that the DynaOpt authors publish: a ``state_dict`` file.

A RoBERTa encoder reads prompt and response as a pair; its first hidden state goes through
``Linear(hidden, 512)``, ELU and ``Linear(512, 1)``; the sigmoid of that is the score. The keys of
the file begin with ``cross_encoder.``, ``l1.`` and ``l2.`` (Min et al. 2024, arXiv:2403.13578).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, RobertaModel

from emorl.errors import RewardError
from emorl.huggingface import LOAD_ERRORS, first_line, some_of
from emorl.rewards.batching import PairReader
from emorl.rewards.kinds.cross_encoder_state_dict import Config
from emorl.rewards.loading import (
    check_vocabulary,
    load_tokenizer,
    model_source,
    prepared,
    token_limit,
)
from emorl.rewards.scorer import Scores

_HEAD_WIDTH = 512
_WRAPPERS = ("model_state_dict", "state_dict")
"""Keys under which training scripts put the weights beside an optimiser's state."""
_UNUSED = ("cross_encoder.pooler.", "cross_encoder.embeddings.position_ids")
"""Keys that older versions wrote and that no score depends on."""


class CrossEncoder(nn.Module):
    """RoBERTa with two linear layers on its first hidden state; names as in the checkpoint."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.cross_encoder = RobertaModel(config, add_pooling_layer=False)
        self.l1 = nn.Linear(config.hidden_size, _HEAD_WIDTH)
        self.l2 = nn.Linear(_HEAD_WIDTH, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return scores in [0, 1], shape ``(n_pairs,)``."""
        states = self.cross_encoder(input_ids=input_ids, attention_mask=attention_mask)
        first: Tensor = states.last_hidden_state[:, 0]
        scores: Tensor = self.l2(functional.elu(self.l1(first)))[:, 0].sigmoid()
        return scores


@dataclass(frozen=True, slots=True)
class CrossEncoderScorer:
    """Scores pairs with a loaded cross-encoder."""

    model: Any
    reader: PairReader

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Scores:
        """Return one score per pair."""
        scores = np.empty(len(prompts))
        with torch.inference_mode():
            for batch, inputs in self.reader.batches(prompts, responses):
                values = self.model(**inputs)
                scores[list(batch.rows)] = values[: len(batch.rows)].cpu().numpy()
        return scores


def load_cross_encoder(objective: str, config: Config, device: str) -> CrossEncoderScorer:
    """Load a cross-encoder from a folder with RoBERTa's config and tokenizer and the weights.

    ``config.model`` names the folder, or the weights file in it.

    Raises:
        RewardError: If something is missing in the folder, or the file does not fit the layout;
            the message names missing and unexpected keys.
    """
    folder, file = _checkpoint(objective, config.model)
    try:
        model_config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except LOAD_ERRORS as error:
        raise RewardError(
            f"Reward {objective!r}: {folder} needs config.json and the tokenizer of the RoBERTa "
            f"model (for the published checkpoint: of roberta-base) beside {file.name}: "
            f"{first_line(error)}"
        ) from error
    if model_config.model_type != "roberta":
        raise RewardError(
            f"Reward {objective!r}: kind = 'cross_encoder_state_dict' reads RoBERTa checkpoints, "
            f"but {folder}/config.json is of type {model_config.model_type!r}. Put the "
            "config.json of roberta-base there."
        )
    tokenizer = load_tokenizer(objective, str(folder))
    model = CrossEncoder(model_config)
    check_vocabulary(objective, model.cross_encoder, tokenizer)
    _fill(objective, model, _state_dict(objective, file), file)
    reader = PairReader(
        tokenizer=tokenizer,
        limit=token_limit(model_config, tokenizer, config.max_tokens),
        batch_size=config.batch_size,
        device=device,
        with_types=False,
    )
    return CrossEncoderScorer(prepared(objective, model, device), reader)


def _checkpoint(objective: str, name: str) -> tuple[Path, Path]:
    """Return the folder and the weights file."""
    path = Path(model_source(objective, name))
    if path.is_file():
        return path.parent, path
    if not path.is_dir():
        raise RewardError(
            f"Reward {objective!r}: there is no folder {name}. kind = 'cross_encoder_state_dict' "
            "reads a local folder with config.json, the tokenizer and the weights file (.pt); "
            f"set rewards.{objective}.model to it."
        )
    files = sorted(path.glob("*.pt")) + sorted(path.glob("*.pth"))
    # A folder of roberta-base may hold RoBERTa's own .bin as well: it is the last resort.
    files = files or sorted(path.glob("*.bin"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise RewardError(
            f"Reward {objective!r}: {path} must hold one weights file (.pt, .pth or .bin), found "
            f"{found}. Set rewards.{objective}.model to the file itself."
        )
    return path, files[0]


def _state_dict(objective: str, file: Path) -> dict[str, Tensor]:
    """Read the weights, without wrappers and without the prefix of a parallel model."""
    try:
        # weights_only: a plain torch.load would run whatever code the file holds.
        content = torch.load(file, map_location="cpu", weights_only=True)
    except LOAD_ERRORS as error:
        raise RewardError(
            f"Reward {objective!r}: {file} cannot be read as a file of weights: "
            f"{first_line(error)} Save it with torch.save(model.state_dict(), file)."
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    is_state = isinstance(content, Mapping) and all(
        isinstance(v, Tensor) for v in content.values()
    )
    if not is_state or not content:
        raise RewardError(
            f"Reward {objective!r}: {file} must hold a state_dict (names to tensors), but holds "
            f"{type(content).__name__}. Save it with torch.save(model.state_dict(), file)."
        )
    named = {str(key).removeprefix("module."): value for key, value in content.items()}
    return {key: value for key, value in named.items() if not key.startswith(_UNUSED)}


def _fill(objective: str, model: CrossEncoder, state: dict[str, Tensor], file: Path) -> None:
    own = model.state_dict()
    missing = [key for key in own if key not in state and not key.startswith(_UNUSED)]
    unexpected = [key for key in state if key not in own]
    reshaped = [
        f"{key} {tuple(value.shape)} instead of {tuple(own[key].shape)}"
        for key, value in state.items()
        if key in own and own[key].shape != value.shape
    ]
    faults = [
        f"{name}: {some_of(keys)}"
        for name, keys in (
            ("missing keys", missing),
            ("unexpected keys", unexpected),
            ("other shapes", reshaped),
        )
        if keys
    ]
    if faults:
        raise RewardError(
            f"Reward {objective!r}: {file} does not fit the reflection scorer's layout "
            f"(cross_encoder.*, l1.*, l2.*) and its config.json; {'; '.join(faults)}. Use the "
            "checkpoint that the DynaOpt authors publish, with the config.json of roberta-base."
        )
    model.load_state_dict(state, strict=False)  # what is not strict was checked above
