from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from emorl.config import PolicyConfig
from emorl.errors import ModelError, PromptError
from emorl.huggingface import first_line
from emorl.models.policy import check_unicode, load_policy
from tests.support.policies import PROMPTS
from tests.support.tiny_models import save_tiny_llama, save_tiny_t5

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


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_a_model_with_weights_that_are_no_numbers_is_refused(
    tmp_path: Path, number: float, precision: Any
) -> None:
    model = save_tiny_t5(tmp_path / "t5")
    path = model / "model.safetensors"
    tensors = load_file(path)
    tensors["decoder.block.1.layer.0.SelfAttention.q.weight"][2, 3] = number
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(
        ModelError,
        match=r"NaN or infinity in decoder\.block\.1\.layer\.0\.SelfAttention\.q\.weight\.",
    ):
        load_policy(PolicyConfig(model=str(model), device="cpu", precision=precision))


@pytest.mark.parametrize("prompt", [None, 3, b"Hello"])
def test_a_prompt_that_is_no_text_is_refused(tmp_path: Path, prompt: Any) -> None:
    policy = load_policy(PolicyConfig(model=str(save_tiny_t5(tmp_path / "t5")), device="cpu"))
    for check in (policy.check_prompt, check_unicode):
        with pytest.raises(PromptError, match=f"A prompt must be a text, got {prompt!r}"):
            check(prompt)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("no such file\nin any folder", "no such file."),
        ("It is gone.", "It is gone."),
        ("", "ValueError."),
        ("Error(s) in X:\n\tsize mismatch for w\n\tand b", "Error(s) in X: size mismatch for w."),
        ("Error(s) in X:\n\n  no w!", "Error(s) in X: no w!"),
        ("cannot read this:", "cannot read this."),
    ],
)
def test_what_is_told_of_an_error_says_what_is_wrong(message: str, told: str) -> None:
    assert first_line(ValueError(message)) == told


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
