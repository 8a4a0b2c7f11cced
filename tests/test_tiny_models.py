"""The tiny models that other tests build on: complete folders, seeded, any text survives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from tests.support import tiny_models

SAVERS = {
    "t5": (tiny_models.save_tiny_t5, AutoModelForSeq2SeqLM),
    "llama": (tiny_models.save_tiny_llama, AutoModelForCausalLM),
    "gpt2": (tiny_models.save_tiny_gpt2, AutoModelForCausalLM),
    "bert": (tiny_models.save_tiny_bert, AutoModelForSequenceClassification),
    "roberta": (tiny_models.save_tiny_roberta, AutoModel),
}


@pytest.mark.parametrize("name", SAVERS)
def test_a_saved_folder_loads_and_the_seed_decides_the_weights(name: str, tmp_path: Path) -> None:
    save, auto_class = SAVERS[name]
    first, again, other = (
        auto_class.from_pretrained(save(tmp_path / f"{number}", seed=seed)).state_dict()
        for number, seed in enumerate((0, 0, 1))
    )
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", SAVERS)
def test_any_text_survives_the_saved_tokenizer(name: str, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(SAVERS[name][0](tmp_path))
    text = "I won't trust \u201cthem\u201d, e.g. Zoë & 50% of all.  Two spaces\nand a line!"
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)


def test_the_encoder_decoder_input_ends_in_the_end_token(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_models.save_tiny_t5(tmp_path))
    assert tokenizer("I am fine.")["input_ids"][-1] == tiny_models.EOS_ID


def test_pairs_are_told_apart(tmp_path: Path) -> None:
    bert = AutoTokenizer.from_pretrained(tiny_models.save_tiny_bert(tmp_path / "bert"))
    types = bert("you", "me")["token_type_ids"]
    assert types[:2] == [0, 0]
    assert types[-2:] == [1, 1]
    roberta = AutoTokenizer.from_pretrained(tiny_models.save_tiny_roberta(tmp_path / "roberta"))
    ids = roberta("you", "me")["input_ids"]
    assert ids.count(tiny_models.EOS_ID) == 3
