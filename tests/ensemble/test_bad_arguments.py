"""What an ensemble, its samples and its atlases refuse, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorl.config import AdapterConfig, RunConfig
from emorl.decoding.atlas import AtlasBudget
from emorl.errors import ConfigError, ModelError, PromptError, RunNotFoundError, WeightsError
from emorl.inference import load_ensemble, make_ensemble
from emorl.models.adapters import add_adapter, load_adapters, save_adapter
from emorl.models.policy import Policy, load_policy
from emorl.search.certified import SearchBudget
from emorl.systems.ensemble import BFLOAT16_WARNING, Ensemble
from tests.support.atlas_fields import fake_atlases
from tests.support.policies import ADAPTERS, PROMPTS, tiny_policy

WEIGHTS = (0.5, 0.3, 0.2)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return tiny_policy("encoder-decoder", tmp_path_factory.mktemp("policy"), max_new_tokens=4)


@pytest.fixture(scope="module")
def folders(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    for name in ADAPTERS:
        save_adapter(policy, name, root / name)
    return {name: root / name for name in ADAPTERS}


@pytest.mark.parametrize(
    "queries",
    [
        [[math.nan, 1.0, 0.0]],
        [[math.inf, 1.0, 0.0]],
        [[-1.0, 2.0, 0.0]],
        [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]],
        [[1.0, 0.0]],
        [1.0, 0.6, 0.1],
        [["a", "b", "c"]],
    ],
)
def test_a_look_up_refuses_what_is_no_direction(queries: Any) -> None:
    [atlas] = fake_atlases(3, 1)
    with pytest.raises(WeightsError):
        atlas.lookup(queries)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature must be a finite number above 0"),
        ({"temperature": 0}, "temperature must be a finite number above 0"),
        ({"temperature": math.inf}, "temperature must be a finite number above 0"),
        ({"temperature": math.nan}, "temperature must be a finite number above 0"),
        ({"temperature": "1"}, "temperature must be a number"),
        ({"n_samples": -1}, "n_samples must be at least 0"),
        ({"n_samples": 1.5}, "n_samples must be a whole number"),
        ({"seed": None}, "seed must be a whole number"),
    ],
)
def test_impossible_samples_are_refused(policy: Policy, settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ensemble(policy, ADAPTERS).sample(PROMPTS[:1], WEIGHTS, **settings)


def test_any_whole_seed_and_any_low_temperature_will_do(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    cold = ensemble.sample(PROMPTS[:1], WEIGHTS, temperature=1e-320, seed=2**70)
    assert cold == ensemble.generate(PROMPTS[:1], [WEIGHTS])
    assert ensemble.sample(PROMPTS[:1], WEIGHTS, n_samples=0, seed=-1) == []


@pytest.mark.parametrize(
    "weights", [None, 1.0, WEIGHTS, [None], "abc", ["100"], [b"abc"], [[10**400, 1, 1]]]
)
def test_what_is_no_list_of_weight_vectors_is_refused(policy: Policy, weights: Any) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    for ask in (
        lambda: ensemble.generate(PROMPTS[:1], weights),
        lambda: ensemble.sample(PROMPTS[:1], weights if weights != WEIGHTS else weights[0]),
        lambda: ensemble.attribute(PROMPTS[0], weights if weights != WEIGHTS else weights[0]),
    ):
        with pytest.raises(WeightsError):
            ask()


def test_weight_vectors_may_be_arrays_and_come_one_by_one(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    expected = ensemble.generate(PROMPTS, [WEIGHTS])
    assert ensemble.generate(PROMPTS, np.array([WEIGHTS])) == expected  # type: ignore[arg-type]
    assert ensemble.generate(PROMPTS, (row for row in [WEIGHTS])) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "prompts", ["Iam", None, 5, np.array("Iam"), [None], [5], [], [" "], ["a\udcff"]]
)
def test_what_is_no_list_of_texts_is_refused(policy: Policy, prompts: Any) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    for ask in (
        lambda: ensemble.generate(prompts, [WEIGHTS]),
        lambda: ensemble.sample(prompts, WEIGHTS),
        lambda: ensemble.atlases(prompts),
    ):
        with pytest.raises(PromptError):
            ask()


def test_overlong_prompts_are_refused_unless_they_are_to_be_cut(policy: Policy) -> None:
    overlong = [PROMPTS[0], "I can not sleep. " * 100]
    ensemble = Ensemble(policy, ADAPTERS)
    for ask in (
        lambda: ensemble.generate(overlong, [WEIGHTS]),
        lambda: ensemble.sample(overlong, WEIGHTS),
        lambda: ensemble.atlases(overlong),
        lambda: ensemble.attribute(overlong[1], WEIGHTS),
    ):
        with pytest.raises(PromptError, match="max_prompt_tokens"):
            ask()
    cutting = Ensemble(policy, ADAPTERS, overlong="cut")
    assert len(cutting.generate(overlong, [WEIGHTS])[0]) == 2


@pytest.mark.parametrize("setting", ["stop", "backend", "overlong"])
def test_an_unknown_choice_names_those_there_are(policy: Policy, setting: str) -> None:
    settings: dict[str, Any] = {setting: "bogus"}
    with pytest.raises(ConfigError, match=rf"{setting} must be one of \['.*got 'bogus'"):
        Ensemble(policy, ADAPTERS, **settings)


def test_an_unknown_level_names_those_there_are(policy: Policy) -> None:
    with pytest.raises(ConfigError, match=r"no level of kind 'logits'\. Did you mean 'logit'"):
        Ensemble(policy, ADAPTERS, "logits")
    level: Any = 5
    with pytest.raises(ConfigError, match=r"level must be the name of a level.*got 5"):
        Ensemble(policy, ADAPTERS, level)


@pytest.mark.parametrize("members", [(), "warm", None, 5, [1, 2], [["warm"], "plain"]])
def test_members_are_a_sequence_of_names(policy: Policy, members: Any) -> None:
    with pytest.raises(ModelError, match="members must be a sequence"):
        Ensemble(policy, members)


@pytest.mark.parametrize(
    "limits",
    [
        {"nodes_per_prompt": -1},
        {"nodes_per_prompt": 1.5},
        {"seconds": -1.0},
        {"seconds": math.nan},
        {"seconds": "x"},
    ],
)
def test_impossible_budgets_are_refused(limits: Any) -> None:
    with pytest.raises(ConfigError, match=f"AtlasBudget.{next(iter(limits))} must be"):
        AtlasBudget(**limits)


@pytest.mark.parametrize("limits", [{"regions": -1}, {"seconds": math.nan}, {"seconds": "x"}])
def test_impossible_budgets_of_a_search_are_refused(limits: Any) -> None:
    with pytest.raises(ConfigError, match=f"SearchBudget.{next(iter(limits))} must be"):
        SearchBudget(**limits)


def test_arguments_of_another_kind_are_refused(
    policy: Policy, folders: Mapping[str, Path]
) -> None:
    wrong: Any
    for wrong in (None, "t5-small"):
        with pytest.raises(ModelError, match="policy must be a Policy"):
            Ensemble(wrong, ADAPTERS)
        with pytest.raises(ConfigError, match="policy must be a PolicyConfig"):
            make_ensemble(wrong, folders)
    for wrong in (None, 3):
        with pytest.raises(ModelError, match="folder of adapter 'warm' must be a path"):
            make_ensemble(policy.config, {"warm": wrong})
        with pytest.raises(RunNotFoundError, match="must be the folder of a run"):
            load_ensemble(wrong)
    wrong = 5
    with pytest.raises(ConfigError, match="budget must be an AtlasBudget or None"):
        Ensemble(policy, ADAPTERS).atlases(PROMPTS, wrong)


def test_a_cut_prompt_that_is_no_text_is_refused(policy: Policy) -> None:
    with pytest.raises(PromptError, match="no Unicode text: character 2"):
        Ensemble(policy, ADAPTERS, overlong="cut").generate(["a\udcff"], [WEIGHTS])


def test_adapter_folders_may_be_texts(policy: Policy, folders: Mapping[str, Path]) -> None:
    ensemble = make_ensemble(policy.config, {name: str(path) for name, path in folders.items()})
    expected = Ensemble(policy, ADAPTERS).generate(PROMPTS, [WEIGHTS])
    assert ensemble.generate(PROMPTS, [WEIGHTS]) == expected


def test_an_ensemble_needs_adapters_whose_names_fit(
    policy: Policy, folders: Mapping[str, Path]
) -> None:
    with pytest.raises(ModelError, match="at least one adapter"):
        make_ensemble(policy.config, {})
    unnamed: Any = [folders["warm"]]
    with pytest.raises(ModelError, match=r"got \[.*Give \{name: folder\}"):
        make_ensemble(policy.config, unnamed)
    bogus: Any = "bogus"
    with pytest.raises(ConfigError, match="no level of kind 'bogus'"):
        make_ensemble(policy.config, folders, bogus)


def test_an_adapter_with_a_dot_in_its_name_is_told_why_and_what_to_call_it(
    policy: Policy, folders: Mapping[str, Path]
) -> None:
    dotted = {"my.adapter": folders["warm"]}
    for give in (
        lambda: make_ensemble(policy.config, dotted),
        lambda: load_adapters(load_policy(policy.config), dotted),
        lambda: add_adapter(policy, "my.adapter", AdapterConfig(), seed=0),
        lambda: RunConfig(objectives=("my.adapter", "warm")),
    ):
        with pytest.raises(ConfigError, match=r"dots part the names of modules.*'my_adapter'"):
            give()


def test_bfloat16_says_that_it_is_not_exact(policy: Policy, folders: Mapping[str, Path]) -> None:
    config = replace(policy.config, precision="bfloat16")
    with pytest.warns(UserWarning, match="not exact") as caught:
        make_ensemble(config, folders)
    [own] = [warning for warning in caught if str(warning.message) == BFLOAT16_WARNING]
    assert Path(own.filename) == Path(__file__)


def test_a_folder_without_a_run_names_the_runs_beside_it(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match=r"no run in .*Make one with `emorl"):
        load_ensemble(tmp_path / "runs" / "none")
    for name in ("second", "first"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.toml").touch()
    with pytest.raises(RunNotFoundError, match="there are: first, second"):
        load_ensemble(str(tmp_path / "runs" / "none"))


def test_prompts_that_need_no_atlas_are_not_read_in_trees_of_their_own(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emorl.decoding.prefix_tree_cache.PROMPTS_PER_TREE", 1)
    ensemble = Ensemble(policy, ADAPTERS)
    expected = ensemble.atlases(PROMPTS)[2]
    ensemble.forget()
    [([place], [atlas])] = ensemble.atlases_by_part(PROMPTS, skip={0, 1, 3})
    assert place == 2
    assert [cell.text for cell in atlas.cells] == [cell.text for cell in expected.cells]
    assert len(ensemble.trees.trees) == 1


@pytest.mark.parametrize("most", [0, -1, 1.5])
def test_an_impossible_number_of_atlases_at_once_is_refused(policy: Policy, most: Any) -> None:
    with pytest.raises(ConfigError, match="most_at_once must be"):
        list(Ensemble(policy, ADAPTERS).atlases_by_part(PROMPTS, None, most))


def test_the_seconds_of_a_budget_are_those_of_all_prompts(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock that takes a second per look: the first tree leaves nothing to the others.
    monkeypatch.setattr("emorl.decoding.prefix_tree_cache.PROMPTS_PER_TREE", 1)
    looks = iter(np.arange(10_000.0))
    monkeypatch.setattr("emorl.decoding.atlas_parts.time.monotonic", lambda: next(looks))
    atlases = Ensemble(policy, ADAPTERS).atlases(PROMPTS, AtlasBudget(seconds=3.0))
    assert not any(atlas.is_complete for atlas in atlases[1:])
