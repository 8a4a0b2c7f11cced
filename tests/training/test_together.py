"""Adapters that train in one batch learn what each of them learns alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from emorl.config import AdapterConfig, PolicyConfig, RunConfig, TrainingConfig
from emorl.config.kinds import REWARDS
from emorl.models.adapters import add_adapter
from emorl.models.policy import load_policy
from emorl.policies import PolicySpec
from emorl.records import TrainingStep, Validation
from emorl.rewards import load_rewards
from emorl.scalarizers import single
from emorl.training.scst import ScstTrainer
from tests.support.policies import FAMILIES, PROMPTS
from tests.support.tiny_models import save_tiny_granite, save_tiny_llama

pytestmark = pytest.mark.slow

OBJECTIVES = ("letters", "brevity")
CONFIG = TrainingConfig(
    prompts_per_step=3,
    samples_per_prompt=4,
    max_steps=4,
    learning_rate=1e-2,
    kl_coefficient=0.1,
    validate_every=2,
    validation_samples=2,
)
BASES = FAMILIES | {
    "decoder-only": partial(save_tiny_llama, initializer_range=0.2),
    "without a fast back end": save_tiny_granite,
}


def trained(
    base: Path, configs: dict[str, TrainingConfig]
) -> tuple[dict[str, list[TrainingStep | Validation]], dict[str, torch.Tensor]]:
    """Train, and return each adapter's records and all adapters' parameters."""
    policy = load_policy(PolicyConfig(model=str(base), max_new_tokens=8, device="cpu"))
    for name in configs:
        adapter = AdapterConfig(rank=4, dropout=0.2)
        policy = add_adapter(policy, name, adapter, seed=OBJECTIVES.index(name))
    run = RunConfig(
        objectives=OBJECTIVES,
        rewards={
            name: REWARDS.config("callable", target=f"tests.support.formula_rewards:{name}")
            for name in OBJECTIVES
        },
    )
    trainer = ScstTrainer(
        policy,
        {
            name: PolicySpec(label=name, scalarizer=single.Config(objective=name), training=config)
            for name, config in configs.items()
        },
        load_rewards(run, device="cpu"),
        train_prompts=PROMPTS,
        validation_prompts=PROMPTS[:3],
    )
    found: dict[str, list[TrainingStep | Validation]] = {name: [] for name in configs}
    for turn in trainer.run():
        for record in turn:
            told = record if isinstance(record, TrainingStep) else record[0]
            found[told.adapter].append(replace(told, seconds=0.0))
    parameters = {
        name: parameter.detach().clone()
        for name, parameter in policy.model.named_parameters()
        if "lora_" in name
    }
    return found, parameters


def assert_same(one: Sequence[object], other: Sequence[object]) -> None:
    """Compare records: whole numbers exactly, the others up to float32 rounding."""
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        for name in left.__dataclass_fields__:  # type: ignore[attr-defined]
            mine, its = getattr(left, name), getattr(right, name)
            if isinstance(mine, float | tuple):
                assert mine == pytest.approx(its, rel=1e-4, abs=1e-5), name
            else:
                assert mine == its, name


@pytest.mark.parametrize("family", BASES)
def test_together_is_alone(family: str, tmp_path: Path) -> None:
    base = BASES[family](tmp_path / "base")
    together, parameters = trained(base, dict.fromkeys(OBJECTIVES, CONFIG))
    for name in OBJECTIVES:
        alone, own = trained(base, {name: CONFIG})
        assert_same(together[name], alone[name])
        moved = [part for key, part in own.items() if "lora_B" in key]
        assert any(part.abs().max() > 1e-3 for part in moved), "nothing was learned"
        for key, expected in own.items():
            torch.testing.assert_close(parameters[key], expected, atol=2e-5, rtol=1e-3)


def test_adapters_with_other_settings_keep_their_own(tmp_path: Path) -> None:
    base = FAMILIES["encoder-decoder"](tmp_path / "base")
    configs = {
        "letters": CONFIG,
        "brevity": replace(
            CONFIG, prompts_per_step=2, samples_per_prompt=3, max_steps=3, temperature=1.5
        ),
    }
    together, _ = trained(base, configs)
    for name, config in configs.items():
        assert_same(together[name], trained(base, {name: config})[0][name])


def test_an_adapter_that_has_converged_leaves_the_others_to_go_on(tmp_path: Path) -> None:
    base = FAMILIES["encoder-decoder"](tmp_path / "base")
    at_once = replace(CONFIG, validate_every=1, convergence_window=2, convergence_threshold=1e9)
    together, _ = trained(base, {"letters": at_once, "brevity": CONFIG})
    steps = {
        name: sum(isinstance(record, TrainingStep) for record in records)
        for name, records in together.items()
    }
    assert steps == {"letters": 1, "brevity": 4}
    assert_same(together["brevity"], trained(base, {"brevity": CONFIG})[0]["brevity"])
