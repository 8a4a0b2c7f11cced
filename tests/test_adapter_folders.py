from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor

from emorl.config import PolicyConfig
from emorl.errors import ModelError
from emorl.models.adapters import load_adapters, save_adapter
from emorl.models.policy import Policy, load_policy
from tests.support.tiny_models import save_tiny_llama


def loaded(folder: Path) -> Policy:
    return load_policy(PolicyConfig(model=str(folder), device="cpu"))


def saved_adapter(base: Path, folder: Path, **settings: Any) -> Path:
    policy = loaded(base)
    config = LoraConfig(r=2, task_type="CAUSAL_LM", **settings)
    model = get_peft_model(policy.base, config, adapter_name="trained")
    assert isinstance(model, PeftModel)
    save_adapter(Policy(model, policy.tokenizer, policy.config, policy.device), "trained", folder)
    return folder


def spoil(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    """Change the weights in an adapter's file."""
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})
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


PLACE = "model.layers.1.self_attn.q_proj"
LORA = f"base_model.model.{PLACE}"

SPOILT: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "lacks one": (
        lambda tensors: tensors.pop(f"{LORA}.lora_B.weight"),
        rf"has no weights for {PLACE}\.lora_B\.weight, which its settings call for",
    ),
    "lacks a magnitude": (
        lambda tensors: tensors.pop(f"{LORA}.lora_magnitude_vector"),
        rf"has no weights for {PLACE}\.lora_magnitude_vector",
    ),
    "lacks all": (
        lambda tensors: tensors.clear(),
        r"has no weights for (\S+, ){4}\S+ and 1 more",
    ),
    "another layer's": (
        lambda tensors: tensors.update({f"{LORA.replace('1', '7')}.lora_A.weight": torch.ones(2)}),
        r"neither its settings nor the base have a place for: model\.layers\.7\.\S+lora_A\.weight",
    ),
    "NaN": (
        lambda tensors: tensors[f"{LORA}.lora_A.weight"][1].fill_(torch.nan),
        rf"holds NaN or infinity in {PLACE}\.lora_A\.weight\.",
    ),
    "infinity": (
        lambda tensors: tensors[f"{LORA}.lora_B.weight"][3].fill_(-torch.inf),
        rf"holds NaN or infinity in {PLACE}\.lora_B\.weight\.",
    ),
}
"""How a DoRA's file is spoilt, and what is said of it."""


@pytest.mark.parametrize("before", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("fault", SPOILT)
def test_an_adapter_with_other_weights_than_its_settings_call_for_is_refused(
    tmp_path: Path, fault: str, before: bool
) -> None:
    base = save_tiny_llama(tmp_path / "base")
    settings = {"target_modules": ["q_proj"], "use_dora": True}
    good = saved_adapter(base, tmp_path / "good", **settings)
    change, message = SPOILT[fault]
    spoilt = spoil(saved_adapter(base, tmp_path / "spoilt", **settings), change)
    # Part of the names of many modules: it must not be looked for just anywhere in a name.
    folders = {"plain": good} if before else {}
    with pytest.raises(ModelError, match=message) as told:
        load_adapters(loaded(base), {**folders, "proj": spoilt})
    assert f"Adapter 'proj' in {spoilt} " in str(told.value)
    assert str(told.value).endswith("copy or train the adapter again.")


@pytest.mark.parametrize("before", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("place", ["lm_head", "model.norm", "model.layers.0.self_attn.q_proj"])
def test_an_adapter_that_brings_weights_of_the_base_is_refused(
    tmp_path: Path, place: str, before: bool
) -> None:
    base = save_tiny_llama(tmp_path / "base")
    good = saved_adapter(base, tmp_path / "good", target_modules=["q_proj"])
    other = saved_adapter(base, tmp_path / "other", target_modules=["q_proj"])
    policy = loaded(base)
    own = policy.base.get_parameter(f"{place}.weight")
    key = f"base_model.model.{place}.weight".replace("q_proj.", "q_proj.base_layer.")
    spoil(other, lambda tensors: tensors.update({key: own + 1}))
    folders = {"plain": good} if before else {}
    with pytest.raises(ModelError, match=rf"'warm' .* other weights for {place}\.weight of the"):
        load_adapters(policy, {**folders, "warm": other})


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
def test_a_lora_on_an_embedding_comes_with_the_embedding_itself(tmp_path: Path) -> None:
    base = save_tiny_llama(tmp_path / "base")
    folder = saved_adapter(base, tmp_path / "adapter", target_modules=["q_proj", "embed_tokens"])
    saved = load_file(folder / "adapter_model.safetensors")
    assert "base_model.model.model.embed_tokens.base_layer.weight" in saved
    load_adapters(loaded(base), {"plain": folder, "warm": folder})


def test_whole_adapters_are_loaded_as_they_were_saved(tmp_path: Path) -> None:
    base = save_tiny_llama(tmp_path / "base")
    folders = {
        "proj": saved_adapter(base, tmp_path / "proj", target_modules=["q_proj", "down_proj"]),
        "uneven": saved_adapter(
            base, tmp_path / "uneven", target_modules="all-linear", rank_pattern={"q_proj": 3}
        ),
        "layer": saved_adapter(
            base, tmp_path / "layer", target_modules=["q_proj"], layers_to_transform=[1]
        ),
        "dora": saved_adapter(base, tmp_path / "dora", target_modules=["q_proj"], use_dora=True),
    }
    policy = load_adapters(loaded(base), folders)
    for name, folder in folders.items():
        save_adapter(policy, name, tmp_path / "again")
        again = load_file(tmp_path / "again" / "adapter_model.safetensors")
        saved = load_file(folder / "adapter_model.safetensors")
        assert again.keys() == saved.keys()
        assert all(torch.equal(again[key], saved[key]) for key in saved)


@pytest.mark.parametrize("before", [False, True], ids=["first", "second"])
def test_an_adapter_for_a_base_of_another_shape_names_what_does_not_fit(
    tmp_path: Path, before: bool
) -> None:
    base = save_tiny_llama(tmp_path / "base")
    wide = save_tiny_llama(tmp_path / "wide" / "base", hidden_size=64)
    good = saved_adapter(base, tmp_path / "good", target_modules=["q_proj"])
    other = saved_adapter(wide, tmp_path / "other", target_modules=["q_proj"])
    folders = {"plain": good} if before else {}
    # Torch heads its list with "Error(s) in loading state_dict for ...:".
    mismatch = r"size mismatch for \S+q_proj\.lora_A\.\S+: .*\[2, 64\].*\[2, 32\]\)\. Was it"
    with pytest.raises(ModelError, match=mismatch):
        load_adapters(loaded(base), {**folders, "warm": other})
