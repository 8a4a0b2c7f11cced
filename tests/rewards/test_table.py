"""The table of rewards: order, shape, range, every kind loaded, every unusable model refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import torch

from emorl.config import RunConfig
from emorl.config.files import config_text, parse_config
from emorl.config.kinds import REWARDS
from emorl.errors import ConfigError, RewardError
from emorl.rewards import RewardTable, load_rewards
from tests.rewards.settings import Pairs, reward
from tests.support import tiny_models


def half(prompts: list[str], _responses: list[str]) -> list[float]:
    return [0.5] * len(prompts)


def _run_config(**rewards: Any) -> RunConfig:
    return RunConfig(objectives=tuple(rewards), rewards=rewards)


def test_naming_kinds_and_reading_their_settings_loads_no_model_library() -> None:
    code = (
        "import sys; from emorl.config.files import preset;"
        "from emorl.config.kinds import REWARDS;"
        "preset('pair-t5-base'); print(*REWARDS.names(), sep=',');"
        "print(*{'torch', 'transformers', 'peft'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = "callable,cross_encoder_state_dict,perplexity,sequence_classifier"
    assert done.stdout == f"{names}\n\n"


def test_files_of_the_first_release_hold_every_key_for_every_kind() -> None:
    every = """
        description = "how few words it takes"
        {model}
        output = "expected_level"
        scored_text = "{text}"
        perplexity_ceiling = 50.0
        batch_size = 64
        max_tokens = 512
    """
    text = 'objectives = ["short", "fluent"]\n[rewards.short]\nkind = "callable"\n'
    target = 'model = ""\ntarget = "mine:brevity"\nmodule_folder = "/x"'
    text += every.format(model=target, text="pair")
    text += '[rewards.fluent]\nkind = "perplexity"\n'
    text += every.format(model='model = "lm"\ntarget = ""\nmodule_folder = ""', text="response")
    config = parse_config(text)
    assert config.rewards["short"] == REWARDS.config(
        "callable", target="mine:brevity", module_folder="/x"
    )
    assert config.rewards["fluent"] == REWARDS.config(
        "perplexity", model="lm", scored_text="response"
    )
    assert parse_config(config_text(config)) == config
    with pytest.raises(ConfigError, match=r"unknown key 'rewards\.short\.scored_text'"):
        parse_config(text.replace('scored_text = "pair"', 'scored_text = "response"'))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "perplexity"}, r"rewards\.a\.model is needed for kind = 'perplexity'"),
        ({"kind": "callable"}, r"rewards\.a\.target is needed for kind = 'callable'"),
        ({"kind": "callable", "target": "x"}, r"rewards\.a\.target must be 'module:function'"),
        ({"model": "m", "output": "level"}, r"rewards\.a\.output must be one of"),
        ({"model": "m", "max_tokens": 2}, r"rewards\.a\.max_tokens"),
        ({"kind": "perplexitie"}, r"rewards\.a\.kind: There is no reward of kind 'perplexitie'"),
    ],
)
def test_impossible_settings_are_named_with_their_key(
    settings: dict[str, Any], words: str
) -> None:
    lines = "".join(f"{key} = {value!r}\n" for key, value in settings.items())
    text = f'objectives = ["a", "b"]\n[rewards.b]\nmodel = "m"\n[rewards.a]\n{lines}'
    with pytest.raises(ConfigError, match=words):
        parse_config(text)


def test_scores_of_all_objectives_stand_in_the_order_of_the_settings(
    pairs: Pairs, classifier: Path, language_model: Path
) -> None:
    rewards = {
        "level": reward(classifier),
        "halved": REWARDS.config("callable", target="tests.rewards.test_table:half"),
        "fluency": reward(language_model, kind="perplexity", perplexity_ceiling=1e4),
    }
    for order in (("level", "halved", "fluency"), ("fluency", "level", "halved")):
        table = load_rewards(_run_config(**{name: rewards[name] for name in order}), device="cpu")
        scores = table.score(*pairs)
        assert table.objectives == order
        assert (scores.shape, scores.dtype) == ((24, 3), np.dtype(np.float64))
        assert ((scores >= 0) & (scores <= 1)).all()
        assert set(scores[:, order.index("halved")]) == {0.5}
        for column, name in enumerate(order):
            alone = table.score_objective(name, *pairs)
            np.testing.assert_array_equal(scores[:, column], alone)


def test_no_pairs_give_an_empty_table_and_blank_responses_zeros(classifier: Path) -> None:
    table = load_rewards(_run_config(one=reward(classifier), two=reward(classifier)), device="cpu")
    assert table.score([], []).shape == (0, 2)
    np.testing.assert_array_equal(table.score(["p"], [" "]), [[0.0, 0.0]])


def test_scoring_leaves_the_random_state_and_the_grad_mode_alone(classifier: Path) -> None:
    table = load_rewards(_run_config(one=reward(classifier), two=reward(classifier)), device="cpu")
    state = torch.get_rng_state()
    table.score(["p"], ["r"])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()


def test_an_unknown_objective_is_refused() -> None:
    table = RewardTable({"a": lambda prompts, _responses: np.zeros(len(prompts))})
    with pytest.raises(RewardError, match=r"no objective 'b'; the objectives are \['a'\]"):
        table.score_objective("b", ["p"], ["r"])


def _empty(folder: Path) -> str:
    return str(folder)


def _garbage_weights(folder: Path) -> str:
    tiny_models.save_tiny_bert(folder)
    (folder / "model.safetensors").write_bytes(b"garbage")
    return str(folder)


def _cut_off_weights(folder: Path) -> str:
    tiny_models.save_tiny_bert(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    return str(folder)


def _broken_config(folder: Path) -> str:
    tiny_models.save_tiny_bert(folder)
    (folder / "config.json").write_text("{")
    return str(folder)


def _no_tokenizer(folder: Path) -> str:
    tiny_models.save_tiny_bert(folder)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    return str(folder)


UNUSABLE: dict[str, tuple[Any, str]] = {
    "missing folder": (lambda folder: f"{folder}/none", "there is no model folder .*/none"),
    "missing relative folder": (lambda _: "./none", "there is no model folder ./none"),
    "file": (lambda folder: str(_file(folder)), "holds no usable model"),
    "empty folder": (_empty, "holds no usable model"),
    "garbage weights": (_garbage_weights, "holds no usable model"),
    "cut-off weights": (_cut_off_weights, "holds no usable model"),
    "broken config": (_broken_config, "holds no usable model"),
    "no tokenizer": (_no_tokenizer, "holds no usable model"),
    "unknown embedded model": (lambda _: "embedded:wit", "no embedded model 'embedded:wit'"),
    "hub without network": (
        lambda _: "nobody/no-such-model",
        "is no folder here, and could not be fetched from the model hub",
    ),
}


def _file(folder: Path) -> Path:
    path = folder / "file"
    path.write_text("hello")
    return path


@pytest.mark.parametrize("kind", ["sequence_classifier", "perplexity"])
@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_model_is_a_reward_error_that_names_the_objective(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    prepare, message = UNUSABLE[name]
    config = _run_config(first=reward(prepare(tmp_path), kind=kind), second=reward("unused"))
    with pytest.raises(RewardError, match=message) as caught:
        load_rewards(config, device="cpu")
    assert "Reward 'first': " in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_an_encoder_is_no_language_model(classifier: Path) -> None:
    config = _run_config(first=reward(classifier, kind="perplexity"), second=reward("unused"))
    with pytest.raises(RewardError, match=r"'first': .* has no trained weights for"):
        load_rewards(config, device="cpu")


def test_a_device_that_is_not_there_is_named(classifier: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    config = _run_config(first=reward(classifier), second=reward(classifier))
    with pytest.raises(RewardError, match=r"on device 'cuda:0'.*policy\.device"):
        load_rewards(config, device="cuda:0")
