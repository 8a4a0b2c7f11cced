from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig, PeftModel, get_peft_model

from engine.adapters import load_adapters, save_adapter
from engine.config import PolicyConfig
from engine.errors import ModelError
from engine.policy import Policy, load_policy
from tests.tiny_models import save_tiny_llama


def loaded(folder: Path) -> Policy:
    return load_policy(PolicyConfig(model=str(folder), device="cpu"))


def saved_adapter(base: Path, folder: Path, **settings: Any) -> Path:
    policy = loaded(base)
    config = LoraConfig(r=2, task_type="CAUSAL_LM", **settings)
    model = get_peft_model(policy.base, config, adapter_name="trained")
    assert isinstance(model, PeftModel)
    save_adapter(Policy(model, policy.tokenizer, policy.config, policy.device), "trained", folder)
    return folder


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
@pytest.mark.parametrize("targets", [["q_proj", "lm_head"], r".*(q_proj|lm_head)"])
def test_an_adapter_that_changes_the_head_is_refused(tmp_path: Path, targets: Any) -> None:
    base = save_tiny_llama(tmp_path / "base")
    folder = saved_adapter(base, tmp_path / "adapter", target_modules=targets)
    with pytest.raises(ModelError, match=r"'warm' .* changes the head .*without 'lm_head'"):
        load_adapters(loaded(base), {"warm": folder})


def test_an_adapter_that_changes_the_bases_biases_is_refused(tmp_path: Path) -> None:
    base = save_tiny_llama(tmp_path / "base", attention_bias=True)
    targets = ["q_proj"]
    folder = saved_adapter(base, tmp_path / "adapter", target_modules=targets, bias="lora_only")
    with pytest.raises(ModelError, match=r"'warm' .* brings biases .*'lora_only'"):
        load_adapters(loaded(base), {"warm": folder})


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    base = save_tiny_llama(tmp_path / "base")
    folder = saved_adapter(base, tmp_path / "adapter", target_modules=["q_proj"])
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"Cannot read .*adapter_model\.safetensors"):
        load_adapters(loaded(base), {"warm": folder})


def test_an_adapter_that_is_gone_is_told_in_plain_words(tmp_path: Path) -> None:
    base = save_tiny_llama(tmp_path / "base")
    with pytest.raises(ModelError, match=r"no adapter 'warm'.*`emorl run`") as told:
        load_adapters(loaded(base), {"warm": tmp_path / "gone"})
    assert "Errno" not in str(told.value)


def test_an_adapter_of_another_base_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = save_tiny_llama(tmp_path / "base")
    other = save_tiny_llama(tmp_path / "other", seed=1)
    folder = saved_adapter(other, tmp_path / "adapter", target_modules=["q_proj"])
    with caplog.at_level(logging.WARNING):
        load_adapters(loaded(base), {"warm": folder})
    [warning] = caplog.messages
    assert f"was trained on {str(other)!r}, but goes on {str(base)!r}" in warning


@pytest.mark.parametrize(
    "place", ["moved/base", "models--someone--base/snapshots/0123abc", "models--base/snapshots/0"]
)
def test_a_base_that_moved_is_no_other_base(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    base = save_tiny_llama(tmp_path / "base")
    folder = saved_adapter(base, tmp_path / "adapter", target_modules=["q_proj"])
    moved = tmp_path / place
    moved.parent.mkdir(parents=True)
    base.rename(moved)
    with caplog.at_level(logging.WARNING):
        load_adapters(loaded(moved), {"warm": folder})
    assert not caplog.messages
