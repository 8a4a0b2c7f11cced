from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from emorl.config.files import PRESETS, config_text, parse_config, preset, preset_text, read_config
from emorl.errors import ConfigError
from emorl.names import RESERVED_NAMES
from emorl.runs.schema import COLUMNS
from emorl.search import hierarchical

REWARDS = """
[rewards.calm]
kind = "callable"
target = "module:calm"
[rewards.bright]
kind = "callable"
target = "module:bright"
"""
SMALL = 'objectives = ["calm", "bright"]\n' + REWARDS


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_commented_and_reads_back_equal(name: str) -> None:
    text = preset_text(name)
    assert text.count("#") >= 5
    config = parse_config(text)
    assert parse_config(config_text(config)) == config


def test_settings_left_out_have_their_defaults() -> None:
    config = parse_config(SMALL)
    assert config.search == hierarchical.Config()
    assert config.objectives == ("calm", "bright")


def test_single_settings_can_be_changed_by_key() -> None:
    config = parse_config(
        SMALL, changes=["search.n_rounds=2", "policy.model=my/model", "data.on_bad_row='skip'"]
    )
    assert (config.search.n_rounds, config.policy.model) == (2, "my/model")
    assert config.data.on_bad_row == "skip"


def test_overrides_change_one_objective_only() -> None:
    config = parse_config(SMALL + "[training_overrides.calm]\nlearning_rate = 0.5\n")
    assert config.training_for("calm").learning_rate == 0.5
    assert config.training_for("bright").learning_rate == config.training.learning_rate


def test_a_preset_takes_changes() -> None:
    assert preset("embedded", seed=7, name="seven").seed == 7


BAD = {
    "no TOML": ("objectives = [", "not valid TOML"),
    "unknown top-level key": (SMALL.replace("objectives", "objektives", 1), "objektives"),
    "unknown key with a near miss": (SMALL + "[search]\nn_round = 3", "Did you mean 'n_rounds'"),
    "unknown table": (SMALL + "[serach]\nn_rounds = 3", "unknown key 'serach'"),
    "text for a number": (SMALL + "[search]\nn_rounds = 'five'", "must be a whole number"),
    "fraction for a whole number": (SMALL + "[search]\nn_rounds = 2.5", "must be a whole number"),
    "true for a number": (SMALL + "[search]\nn_rounds = true", "search.n_rounds"),
    "number for a text": (SMALL + "[policy]\nmodel = 5", "policy.model must be a text"),
    "too small": (SMALL + "[search]\npoints_per_axis = 1", "at least 2, got 1"),
    "not a choice": (SMALL + "[search]\nmode = 'fast'", "must be one of ['exact', 'reference']"),
    "negative rate": (SMALL + "[training]\nlearning_rate = -1.0", "above 0, got -1.0"),
    "infinite rate": (SMALL + "[training]\nlearning_rate = inf", "finite"),
    "NaN rate": (SMALL + "[training]\nlearning_rate = nan", "finite"),
    "fractions that leave nothing": (
        SMALL + "[data]\ntrain_fraction = 0.9\naggregation_fraction = 0.1",
        "must be below 1",
    ),
    "file without a path": (SMALL + "[data]\nkind = 'csv'", "data.path is needed"),
    "no prompt in the template": (SMALL + "[policy]\nprompt_template = 'Hi'", "'{prompt}'"),
    "unknown device": (SMALL + "[policy]\ndevice = 'gpu'", "policy.device must be"),
    "one objective": ("objectives = ['calm']" + REWARDS, "at least two"),
    "the same objective twice": ("objectives = ['calm', 'calm']" + REWARDS, "at least two"),
    "an objective that is a column": (
        "objectives = ['calm', 'round']" + REWARDS,
        "choose another",
    ),
    "an objective that a layer has": ("objectives = ['calm', 'values']" + REWARDS, "another"),
    "objectives that differ in case": ("objectives = ['calm', 'Calm']" + REWARDS, "at least two"),
    "too many threads": ("threads = 1000000\n" + SMALL, "1 to 1024"),
    "an endless number": ("threads = " + "9" * 5000 + "\n" + SMALL, "not valid TOML"),
    "endless brackets": ("threads = " + "[" * 5000 + "\n" + SMALL, "not valid TOML"),
    "an objective with a space": ("objectives = ['calm', 'b b']" + REWARDS, "got 'b b'"),
    "an objective named lora": ("objectives = ['calm', 'lora']" + REWARDS, "no part of 'lora_'"),
    "objectives that are no texts": ("objectives = [1, 2]" + REWARDS, "list of texts"),
    "a reward too many": (SMALL.replace('"calm", ', '"other", "calm", ', 1), "one [rewards.NAME]"),
    "a callable without a target": (
        SMALL.replace('target = "module:calm"', ""),
        "rewards.calm.target is needed",
    ),
    "a target that names no function": (SMALL.replace("module:calm", "module"), "module:function"),
    "an unknown reward kind": (
        SMALL.replace('kind = "callable"', 'kind = "magic"', 1),
        "rewards.calm.kind: There is no reward of kind 'magic'",
    ),
    "overrides of no objective": (SMALL + "[training_overrides.dark]", "which is no objective"),
    "an unknown override": (
        SMALL + "[training_overrides.calm]\nlerning_rate = 1.0",
        "Did you mean 'learning_rate'",
    ),
    "an impossible override": (
        SMALL + "[training_overrides.calm]\nmax_steps = 0",
        "training.max_steps must be at least 1",
    ),
    "a name that leaves the folder": ("name = '../up'\n" + SMALL, "got '../up'"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_settings_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(text, source="my.toml")
    assert message in str(raised.value)
    assert str(raised.value).startswith("my.toml")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="emorl preset embedded"):
        read_config(tmp_path / "none.toml")


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="pair-t5-base"):
        preset_text("small")


@pytest.mark.parametrize("change", ["n_rounds", "=3", "search..n_rounds=3"])
def test_a_change_without_key_or_value_is_refused(change: str) -> None:
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_config(SMALL, changes=[change])


def test_no_objective_can_hide_an_attribute_of_a_layer() -> None:
    # PEFT keeps a layer's adapters in a ModuleDict, by name.
    public = {name.lower() for name in dir(nn.ModuleDict()) if not name.startswith("_")}
    assert public <= RESERVED_NAMES


def test_no_objective_can_hide_a_column_of_the_results() -> None:
    columns = {name for schema in COLUMNS.values() for name in schema.names}
    allowed = {name for name in columns - RESERVED_NAMES if not name.endswith("_se")}
    # Columns of tables without one column per objective.
    assert allowed <= {
        "steps",
        "data_points",
        "samples",
        "tokens",
        "loss",
        "reward",
        "kl",
        "gradient_norm",
        "converged",
        "box_lower",
        "box_upper",
        "chosen_lower",
        "chosen_upper",
        "best_weights",
        "best_mean_reward",
    }
