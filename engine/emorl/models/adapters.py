"""LoRA adapters on a policy: added, saved and loaded in PEFT's own safetensors layout."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from emorl.config import AdapterConfig
from emorl.errors import DiskError, ModelError
from emorl.huggingface import LOAD_ERRORS, first_line, not_finite, peft_at_work, some_of
from emorl.models.adapter_folders import check_adapter_folder
from emorl.models.policy import Policy, seeded
from emorl.names import check_objective


def add_adapter(policy: Policy, name: str, config: AdapterConfig, *, seed: int) -> Policy:
    """Return the policy with a new, active LoRA adapter on every linear layer but the head.

    A new adapter changes nothing: its B matrices are zero. The seed sets its A matrices.

    Raises:
        ConfigError: If the name cannot be an adapter's.
    """
    check_objective(name)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]
        lora_dropout=config.dropout,
        bias="none",
        target_modules="all-linear",
        task_type=TaskType.SEQ_2_SEQ_LM if policy.is_encoder_decoder else TaskType.CAUSAL_LM,
    )
    with seeded(seed, policy.device), peft_at_work():
        if isinstance(policy.model, PeftModel):
            policy.model.add_adapter(name, lora)
            model = policy.model
        else:
            model = get_peft_model(policy.model, lora, adapter_name=name)
    model.set_adapter(name)
    model.eval()
    return Policy(model, policy.tokenizer, policy.config, policy.device)


def save_adapter(policy: Policy, name: str, folder: Path) -> None:
    """Write one adapter as ``folder``, in PEFT's layout; an older one there is replaced."""
    if not isinstance(policy.model, PeftModel):
        raise ModelError(f"Cannot save adapter {name!r}: the policy has no adapters.")
    beside = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        policy.model.save_pretrained(str(beside), selected_adapters=[name])
        shutil.rmtree(folder, ignore_errors=True)
        # PEFT puts an adapter of any name but "default" into a folder of that name.
        (beside / name).rename(folder)
        shutil.rmtree(beside)
    except (OSError, SafetensorError) as error:
        raise DiskError(
            f"Cannot write the adapter {folder}: {error}. Free some room and start the same "
            "command again, it goes on from the last checkpoint."
        ) from error


def load_adapters(policy: Policy, folders: dict[str, Path]) -> Policy:
    """Return the policy with the adapters of ``folders`` (name -> folder) on it.

    Raises:
        ConfigError: If a name cannot be an adapter's.
        ModelError: If a folder is missing, no LoRA adapter, incomplete, made for a base of
            another shape, holds weights that are no finite numbers, or changes the base's head,
            biases or other weights (an ensemble shares them).
    """
    model: Any = policy.model
    base, head = str(policy.base.config.name_or_path), _head_name(policy.base)
    for name, folder in folders.items():
        check_objective(name)
        check_adapter_folder(name, folder, base=base, head=head)
        try:
            with peft_at_work():
                _check_base_kept(policy.base, name, folder)
                model, missing, unknown = _with_adapter(model, name, folder, policy.device)
        except LOAD_ERRORS as error:
            raise ModelError(
                f"Cannot put adapter {name!r} ({folder}) on {policy.config.model!r}: "
                f"{first_line(error)} Was it trained on another base?"
            ) from error
        _check_weights(model, name, folder, missing, unknown)
    model.eval()
    return Policy(model, policy.tokenizer, policy.config, policy.device)


def _with_adapter(
    model: Any, name: str, folder: Path, device: torch.device
) -> tuple[Any, list[str], list[str]]:
    """Return the model with an adapter, what its file lacks, and what has no place in the model.

    Both lists have the names that the file uses; PEFT itself goes on without a word.
    """
    if not isinstance(model, PeftModel):
        model = PeftModel.from_pretrained(model, str(folder), name, torch_device=str(device))
    # The first adapter is read twice: only this function returns what did not fit.
    result = model.load_adapter(str(folder), name, torch_device=str(device))
    missing = [place for place in result.missing_keys if _is_part(place, name)]
    return model, _in_file(missing, name), _in_file(result.unexpected_keys, name)


def _check_base_kept(base: PreTrainedModel, name: str, folder: Path) -> None:
    """Refuse an adapter whose file has weights of the base, which PEFT would put over its own.

    The very same weights are let pass: PEFT saves an embedding beside the LoRA that is on it.
    """
    with safe_open(str(folder / SAFETENSORS_WEIGHTS_NAME), framework="pt") as tensors:
        places = sorted(tensors.keys())
        beside = {_in_base(place): place for place in places if ".lora_" not in place}
        own = {_in_base(place): weight for place, weight in base.state_dict().items()}
        changed = [
            place
            for place in sorted(beside.keys() & own.keys())
            if not torch.equal(tensors.get_tensor(beside[place]).to(own[place]), own[place])
        ]
    if changed:
        raise ModelError(
            f"Adapter {name!r} in {folder} brings other weights for {some_of(changed)} of the "
            "base, which all other members would read too. Train it again as a LoRA alone, on "
            "the base as it is (policy.model)."
        )


def _in_base(place: str) -> str:
    """Return the name of a weight as the base has it when there is no adapter on it."""
    return place.removeprefix("base_model.model.").replace(".base_layer.", ".")


def _check_weights(
    model: PeftModel, name: str, folder: Path, missing: list[str], unknown: list[str]
) -> None:
    weights = [pair for pair in model.named_parameters() if _is_part(pair[0], name)]
    spoiled = _in_file(not_finite(weights), name)
    if missing:
        fault = f"has no weights for {some_of(missing)}, which its settings call for"
    elif unknown:
        fault = (
            f"has weights that neither its settings nor the base have a place for: "
            f"{some_of(unknown)}"
        )
    elif spoiled:
        fault = f"holds NaN or infinity in {some_of(spoiled)}"
    else:
        return
    raise ModelError(
        f"Adapter {name!r} in {folder} {fault}. Its files are damaged or not from one training "
        "on this base; copy or train the adapter again."
    )


def _is_part(place: str, name: str) -> bool:
    """Say whether a tensor of a model is a LoRA weight of the adapter ``name``."""
    return re.search(rf"\.lora_\w+\.{re.escape(name)}(\.|$)", place) is not None


def _in_file(places: Iterable[str], name: str) -> list[str]:
    """Return tensors of a model as an adapter's file names them, less what all begin with."""
    return sorted(
        re.sub(rf"(\.lora_\w+)\.{re.escape(name)}(?=\.|$)", r"\1", place).removeprefix(
            "base_model.model."
        )
        for place in places
    )


def _head_name(base: PreTrainedModel) -> str | None:
    head: Any = base.get_output_embeddings()  # type: ignore[no-untyped-call]
    names = (name for name, module in base.named_modules() if module is head)
    return next(names, None)
