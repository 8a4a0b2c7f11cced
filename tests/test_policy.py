from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from engine.config import PolicyConfig
from engine.errors import ModelError
from engine.policy import load_policy
from tests.policies import PROMPTS
from tests.tiny_models import save_tiny_llama, save_tiny_t5

TEMPLATE = "Client: {prompt} Counsellor:"


def test_an_overlong_prompt_is_cut_and_the_template_is_not(tmp_path: Path) -> None:
    model = save_tiny_llama(tmp_path / "llama")
    policy = load_policy(
        PolicyConfig(
            model=str(model), max_prompt_tokens=40, prompt_template=TEMPLATE, device="cpu"
        )
    )
    input_ids, attention_mask = policy.encode(["I can not sleep at all. " * 30, "Hello"])
    assert input_ids.shape[1] <= 40
    texts = [
        policy.decode(row[mask.bool()].tolist())
        for row, mask in zip(input_ids, attention_mask, strict=True)
    ]
    assert all(text.startswith("Client: ") for text in texts)
    assert all(text.endswith("Counsellor:") for text in texts)
    assert texts[1] == "Client: Hello Counsellor:"
    assert "I can not sleep" in texts[0]


def test_encoders_are_padded_on_the_right_and_decoders_on_the_left(tmp_path: Path) -> None:
    for save, first_is_padding in ((save_tiny_t5, False), (save_tiny_llama, True)):
        policy = load_policy(PolicyConfig(model=str(save(tmp_path / save.__name__)), device="cpu"))
        _, mask = policy.encode(PROMPTS)
        shortest = mask.sum(dim=1).argmin()
        assert bool(mask[shortest, 0] == 0) == first_is_padding


def test_a_model_without_an_end_token_is_refused(tmp_path: Path) -> None:
    model = save_tiny_llama(tmp_path / "llama")
    path = model / "tokenizer_config.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"eos_token": "</s>",', ""), encoding="utf-8"
    )
    with pytest.raises(ModelError, match="no end-of-sequence token"):
        load_policy(PolicyConfig(model=str(model), device="cpu"))


def test_a_model_with_missing_weights_is_refused(tmp_path: Path) -> None:
    model = save_tiny_t5(tmp_path / "t5")
    path = model / "model.safetensors"
    tensors = {name: t for name, t in load_file(path).items() if "decoder.block.1" not in name}
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"no trained weights for decoder\.block\.1"):
        load_policy(PolicyConfig(model=str(model), device="cpu"))


def test_a_model_without_its_tokenizer_is_refused(tmp_path: Path) -> None:
    model = save_tiny_t5(tmp_path / "t5")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()
    with pytest.raises(ModelError, match=r"policy\.model"):
        load_policy(PolicyConfig(model=str(model), device="cpu"))


def test_a_tokenizer_of_a_larger_model_is_refused(tmp_path: Path) -> None:
    model = save_tiny_t5(tmp_path / "t5", vocab_size=300)
    shutil.copytree(
        save_tiny_t5(tmp_path / "other"),
        model,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("config.json", "*.safetensors"),
    )
    with pytest.raises(ModelError, match=r"the model\s+knows 300"):
        load_policy(PolicyConfig(model=str(model), device="cpu"))


def test_a_template_that_leaves_no_room_is_refused(tmp_path: Path) -> None:
    model = save_tiny_t5(tmp_path / "t5")
    template = "A long introduction that says much about nothing. " * 5 + "{prompt}"
    with pytest.raises(ModelError, match="leaves room for"):
        load_policy(
            PolicyConfig(
                model=str(model), prompt_template=template, max_prompt_tokens=30, device="cpu"
            )
        )
