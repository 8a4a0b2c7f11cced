"""The presets: every one parses, is commented, and says what it is named for."""

from __future__ import annotations

import pytest

from emorl.config import RunConfig
from emorl.config.files import PRESETS, config_text, parse_config, preset, preset_text


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_parses_and_survives_a_round_trip(name: str) -> None:
    text = preset_text(name)
    config = parse_config(text, source=name)
    assert config.name == name
    assert parse_config(config_text(config)) == config
    assert text.startswith("# ")


@pytest.mark.parametrize("name", PRESETS)
def test_no_line_of_a_preset_is_wider_than_a_terminal_of_99(name: str) -> None:
    assert max(len(line) for line in preset_text(name).splitlines()) <= 99


@pytest.mark.parametrize("name", ["pair-t5-base", "psych8k-t5-base"])
def test_the_paper_presets_train_as_the_paper_does(name: str) -> None:
    config = preset(name)
    assert config.policy.model == "t5-base"
    assert (config.policy.max_new_tokens, config.training.temperature) == (64, 1.0)
    assert (config.adapter.rank, config.adapter.alpha, config.adapter.dropout) == (8, 32.0, 0.05)
    training = config.training
    assert (training.learning_rate, training.weight_decay) == (1e-4, 0.01)
    assert (training.prompts_per_step, training.samples_per_prompt) == (16, 3)
    assert (training.max_steps, training.validate_every) == (10_000, 8)
    assert (training.convergence_window, training.convergence_threshold) == (20, 0.015)
    assert training.max_gradient_norm == 2.0
    assert training.kl_coefficient == 0.0
    assert [config.rewards[name].kind for name in config.objectives] == [
        "cross_encoder_state_dict",
        "sequence_classifier",
        "perplexity",
    ]
    assert config.rewards["empathy"].model == "MoaazZaki/bert-empathy"
    assert config.rewards["empathy"].output == "clamp"
    assert config.rewards["fluency"].scored_text == "pair"
    assert config.rewards["fluency"].perplexity_ceiling == 50.0


@pytest.mark.parametrize("name", ["embedded", "pair-embedded"])
def test_the_embedded_presets_need_no_download(name: str) -> None:
    config = preset(name)
    models = [config.policy.model, *(reward.model for reward in config.rewards.values())]
    assert all(model.startswith("embedded:") for model in models)


def test_the_causal_preset_tells_the_model_where_to_answer() -> None:
    template = preset("pair-causal").policy.prompt_template
    assert template.format(prompt="I am tired.").endswith("Client: I am tired.\nCounselor:")


def test_presets_differ_where_their_names_do() -> None:
    kinds = {name: preset(name).data.kind for name in PRESETS}
    assert kinds == {
        "embedded": "embedded",
        "pair-embedded": "pair",
        "pair-t5-base": "pair",
        "psych8k-t5-base": "psych8k",
        "pair-causal": "pair",
    }
    assert all(isinstance(preset(name, seed=3), RunConfig) for name in PRESETS)
