"""The reflection checkpoint: the published layout, prefixes, and files that do not fit."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer, RobertaModel

from emorl.errors import RewardError
from emorl.rewards.cross_encoder import CrossEncoderScorer, load_cross_encoder
from tests.rewards.settings import Pairs, reward
from tests.support import tiny_models

FILE = "reflection_scorer_weight.pt"
WIDTH = 32


def _state(folder: Path) -> dict[str, Tensor]:
    """Weights under the names of the published checkpoint."""
    encoder = RobertaModel.from_pretrained(folder, add_pooling_layer=False)
    generator = torch.Generator().manual_seed(1)
    state = {f"cross_encoder.{key}": value for key, value in encoder.state_dict().items()}
    for name, shape in (
        ("l1.weight", (512, WIDTH)),
        ("l1.bias", (512,)),
        ("l2.weight", (1, 512)),
        ("l2.bias", (1,)),
    ):
        state[name] = 0.1 * torch.randn(shape, generator=generator)
    return state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Config and tokenizer of a tiny RoBERTa, without weights of its own."""
    tiny_models.save_tiny_roberta(tmp_path)
    torch.save(_state(tmp_path), tmp_path / FILE)
    (tmp_path / "model.safetensors").unlink()
    return tmp_path


def _load(model: Path) -> CrossEncoderScorer:
    config = reward(model, kind="cross_encoder_state_dict", batch_size=5)
    return load_cross_encoder("reflection", config, "cpu")


def test_scores_are_the_sigmoid_of_two_layers_on_the_first_state(
    tmp_path: Path, pairs: Pairs
) -> None:
    tiny_models.save_tiny_roberta(tmp_path)
    state = _state(tmp_path)
    torch.save(state, tmp_path / FILE)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    encoder = RobertaModel.from_pretrained(tmp_path, add_pooling_layer=False)
    expected = []
    with torch.no_grad():
        for prompt, response in zip(*pairs, strict=True):
            ids = torch.tensor([tokenizer(prompt, response)["input_ids"]])
            first = encoder(input_ids=ids).last_hidden_state[0, 0]
            inner = state["l1.weight"] @ first + state["l1.bias"]
            inner = torch.where(inner > 0, inner, inner.exp() - 1)  # ELU
            expected.append((state["l2.weight"] @ inner + state["l2.bias"]).sigmoid().item())
    scores = _load(tmp_path)(*pairs)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert np.ptp(scores) > 0.05


def test_every_way_the_weights_are_saved_gives_the_same_scores(folder: Path, pairs: Pairs) -> None:
    expected = _load(folder)(*pairs).tolist()
    state: dict[str, Tensor] = torch.load(folder / FILE, weights_only=True)
    older = {
        "cross_encoder.embeddings.position_ids": torch.arange(514)[None],
        "cross_encoder.pooler.dense.bias": torch.zeros(WIDTH),
    }
    variants: dict[str, Any] = {
        "DataParallel": {f"module.{key}": value for key, value in state.items()},
        "training checkpoint": {"epoch": 3, "model_state_dict": state},
        "older Transformers": state | older,
    }
    for variant in variants.values():
        torch.save(variant, folder / FILE)
        assert _load(folder)(*pairs).tolist() == expected
    (folder / FILE).rename(folder / "weights.bin")
    assert _load(folder)(*pairs).tolist() == expected
    torch.save({}, folder / "other.bin")
    assert _load(folder / "weights.bin")(*pairs).tolist() == expected


def _change(change: Any) -> Any:
    def apply(folder: Path) -> None:
        state = torch.load(folder / FILE, weights_only=True)
        change(state)
        torch.save(state, folder / FILE)

    return apply


class _Executes:
    def __reduce__(self) -> Any:
        return (print, ("this code must not run",))


def _pickled(folder: Path) -> None:
    (folder / FILE).write_bytes(pickle.dumps(_Executes(), protocol=2))


def _other_type(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))


UNUSABLE: dict[str, tuple[Any, str]] = {
    "missing keys": (_change(lambda s: s.pop("l1.weight")), "missing keys: l1.weight"),
    "unexpected keys": (
        _change(lambda s: s.update({"l3.weight": torch.zeros(1)})),
        "unexpected keys: l3.weight",
    ),
    "bare encoder": (
        _change(lambda s: [s.update({k[14:]: s.pop(k)}) for k in list(s) if k[0] == "c"]),
        r"missing keys: cross_encoder\.\S+, .* and \d+ more; unexpected keys: ",
    ),
    "other shape": (
        _change(lambda s: s.update({"l2.weight": torch.zeros(1, 8)})),
        r"other shapes: l2.weight \(1, 8\) instead of \(1, 512\)",
    ),
    "no state_dict": (lambda f: torch.save([1, 2], f / FILE), "but holds list"),
    "empty state_dict": (lambda f: torch.save({}, f / FILE), "must hold a state_dict"),
    "code in the file": (_pickled, "cannot be read as a file of weights"),
    "not a file of Torch": (lambda f: (f / FILE).write_text("hello"), "cannot be read"),
    "empty file": (lambda f: (f / FILE).write_bytes(b""), "cannot be read"),
    "no weights": (lambda f: (f / FILE).unlink(), "must hold one weights file .* found none"),
    "two files": (
        lambda f: (f / "more.pt").write_bytes(b""),
        "found more.pt, reflection_scorer_weight.pt",
    ),
    "no config": (lambda f: (f / "config.json").unlink(), "needs config.json and the tokenizer"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "holds no usable model"),
    "other architecture": (_other_type, "is of type 'bert'"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_folder_that_does_not_fit_is_refused(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, message = UNUSABLE[name]
    spoil(folder)
    with pytest.raises(RewardError, match=message) as caught:
        _load(folder)
    assert str(caught.value).startswith("Reward 'reflection': ")
    assert "must not run" not in capsys.readouterr().out


def test_a_missing_folder_is_refused_without_asking_the_hub() -> None:
    with pytest.raises(RewardError, match="there is no folder models/none"):
        _load(Path("models/none"))
