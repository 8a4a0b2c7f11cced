"""LoRA adapters on a policy: added, saved and loaded in PEFT's own safetensors layout."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors import SafetensorError
from transformers import PreTrainedModel

from engine.adapter_folders import check_adapter_folder
from engine.config import AdapterConfig
from engine.errors import DiskError, ModelError
from engine.huggingface import LOAD_ERRORS, first_line, peft_at_work
from engine.names import check_objective
from engine.policy import Policy, seeded


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
        ModelError: If a folder is missing, no LoRA adapter, made for a base of another shape, or
            changes the base's head or biases (an ensemble shares them).
    """
    model: Any = policy.model
    base, head = str(policy.base.config.name_or_path), _head_name(policy.base)
    for name, folder in folders.items():
        check_objective(name)
        check_adapter_folder(name, folder, base=base, head=head)
        try:
            with peft_at_work():
                model = _with_adapter(model, name, folder, policy.device)
        except LOAD_ERRORS as error:
            raise ModelError(
                f"Cannot put adapter {name!r} ({folder}) on {policy.config.model!r}: "
                f"{first_line(error)} Was it trained on another base?"
            ) from error
    model.eval()
    return Policy(model, policy.tokenizer, policy.config, policy.device)


def _with_adapter(model: Any, name: str, folder: Path, device: torch.device) -> Any:
    if isinstance(model, PeftModel):
        model.load_adapter(str(folder), name, torch_device=str(device))
        return model
    return PeftModel.from_pretrained(model, str(folder), name, torch_device=str(device))


def _head_name(base: PreTrainedModel) -> str | None:
    head: Any = base.get_output_embeddings()  # type: ignore[no-untyped-call]
    names = (name for name, module in base.named_modules() if module is head)
    return next(names, None)
