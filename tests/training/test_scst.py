"""The training loop on tiny random models of both families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emorl.config import AdapterConfig, PolicyConfig, RunConfig, TrainingConfig
from emorl.config.kinds import REWARDS
from emorl.decoding.forward import HuggingFaceForward
from emorl.errors import ConfigError, PlugInError, TrainingError
from emorl.models.adapters import add_adapter
from emorl.models.policy import Policy, load_policy
from emorl.policies import PolicySpec
from emorl.records import TrainingStep, Validation
from emorl.rewards import load_rewards
from emorl.scalarizers import log_sum, single
from emorl.training.checkpoint import Checkpoint
from emorl.training.sampling import SampledResponses, SampleRequest, sample_responses
from emorl.training.scst import ScstTrainer
from tests.support import tilting
from tests.support.policies import FAMILIES, PROMPTS, tiny_policy
from tests.support.tiny_models import save_tiny_granite, save_tiny_llama

pytestmark = pytest.mark.slow

# With its usual small weights a random tiny Llama is all but uniform, whatever its adapter does.
BASES = FAMILIES | {"decoder-only": partial(save_tiny_llama, initializer_range=0.2)}
CONFIG = TrainingConfig(
    prompts_per_step=4,
    samples_per_prompt=8,
    max_steps=30,
    learning_rate=5e-2,
    kl_coefficient=0.0,
    validate_every=10,
    validation_samples=8,
)
OBJECTIVES = ("letters", "brevity")
REWARD_SETTINGS = {
    name: REWARDS.config("callable", target=f"tests.support.formula_rewards:{name}")
    for name in OBJECTIVES
}


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return BASES[request.param](tmp_path / "base")


def spec_of(
    name: str, config: TrainingConfig = CONFIG, seed: int = 0, **changes: Any
) -> PolicySpec:
    spec = PolicySpec(
        label=name, scalarizer=single.Config(objective=name), training=config, seed=seed
    )
    return replace(spec, **changes)


def trainer(
    base: Path,
    config: TrainingConfig = CONFIG,
    seed: int = 0,
    adapters: Sequence[str] = ("letters",),
    specs: Mapping[str, PolicySpec] | None = None,
) -> ScstTrainer:
    policy = load_policy(PolicyConfig(model=str(base), max_new_tokens=8, device="cpu"))
    for place, name in enumerate(specs or adapters):
        own_seed = seed + (place if specs else OBJECTIVES.index(name))
        policy = add_adapter(policy, name, AdapterConfig(rank=4), seed=own_seed)
    run = RunConfig(objectives=OBJECTIVES, rewards=REWARD_SETTINGS)
    return ScstTrainer(
        policy,
        specs or {name: spec_of(name, config, seed) for name in adapters},
        load_rewards(run, device="cpu"),
        train_prompts=PROMPTS,
        validation_prompts=PROMPTS[:3],
    )


def records(training: ScstTrainer) -> tuple[list[TrainingStep], list[Validation]]:
    steps: list[TrainingStep] = []
    validations: list[Validation] = []
    for record in (record for turn in training.run() for record in turn):
        if isinstance(record, TrainingStep):
            steps.append(replace(record, seconds=0.0))
        else:
            validations.append(replace(record[0], seconds=0.0))
    return steps, validations


def test_training_raises_its_own_reward(base: Path) -> None:
    # In half as many steps, what a seed gains depends on how the processor rounds.
    _, validations = records(trainer(base, replace(CONFIG, max_steps=60)))
    assert validations[-1].means[0] > validations[0].means[0] + 0.08


def test_a_larger_kl_coefficient_keeps_the_policy_nearer_to_the_base(base: Path) -> None:
    config = replace(CONFIG, learning_rate=1e-2, validate_every=30)
    free, _ = records(trainer(base, config))
    held, _ = records(trainer(base, replace(config, kl_coefficient=1.0)))
    assert 0 < held[-1].kl < 0.5 * free[-1].kl


def test_one_seed_gives_one_training(base: Path) -> None:
    short = replace(CONFIG, max_steps=3)
    assert records(trainer(base, short)) == records(trainer(base, short))
    assert records(trainer(base, short)) != records(trainer(base, short, seed=1))


def test_a_restored_training_goes_on_as_if_undisturbed(base: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, max_steps=6, validate_every=2)
    expected = records(trainer(base, config))
    first = trainer(base, config)
    for turn in first.run():
        if isinstance(turn[0], TrainingStep) and turn[0].step == 3:
            break
    first.checkpoint().write(tmp_path / "checkpoint.safetensors")
    second = trainer(base, config)
    checkpoint = Checkpoint.read(tmp_path / "checkpoint.safetensors")
    assert checkpoint is not None
    second.restore(checkpoint)
    steps, validations = records(second)
    assert steps == expected[0][3:]
    assert validations == expected[1][2:]


def test_the_callers_random_numbers_are_left_alone(base: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    records(trainer(base, replace(CONFIG, max_steps=1)))
    assert torch.equal(torch.rand(3), expected)


def test_training_stops_when_converged(base: Path) -> None:
    # A learning rate that changes nothing, and a rule that any two equal means meet.
    config = replace(
        CONFIG,
        learning_rate=1e-12,
        validate_every=1,
        convergence_window=2,
        convergence_threshold=10.0,
    )
    steps, validations = records(trainer(base, config))
    assert len(steps) == 1
    assert [v.converged for v in validations] == [False, True]


def test_a_broken_loss_stops_training_with_advice(base: Path) -> None:
    training = trainer(base)
    with torch.no_grad():
        for name, parameter in training._policy.model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(1e30)
    with pytest.raises(TrainingError, match=r"broke at step 0: .*training.learning_rate"):
        records(training)


def sampled(
    policy: Policy, prompts: Sequence[str], *, samples_per_prompt: int, temperature: float = 1.0
) -> SampledResponses:
    request = SampleRequest("warm", prompts, temperature, seed=0)
    return sample_responses(policy, [request], samples_per_prompt=samples_per_prompt)[0]


def test_a_single_member_writes_with_the_models_own_logits(tmp_path: Path) -> None:
    # Granite divides its logits by 8 behind the head: sampling has to see the divided ones.
    save_tiny_granite(tmp_path / "granite")
    policy = load_policy(
        PolicyConfig(model=str(tmp_path / "granite"), max_new_tokens=4, device="cpu")
    )
    policy = add_adapter(policy, "letters", AdapterConfig(rank=4), seed=0)
    forward = HuggingFaceForward(policy, ("letters",))
    input_ids, attention_mask = policy.encode(PROMPTS[:2])
    with torch.no_grad():
        first = forward.head(forward.start(input_ids, attention_mask)[0])
        own = policy.base(input_ids=input_ids, attention_mask=attention_mask).logits[:, -1]
    torch.testing.assert_close(first, own, atol=1e-5, rtol=1e-5)


def test_samples_end_with_the_end_token_or_at_the_limit(tmp_path: Path) -> None:
    policy = tiny_policy("encoder-decoder", tmp_path)
    responses = sampled(policy, PROMPTS, samples_per_prompt=20, temperature=2.0)
    ends = set(policy.eos_token_ids)
    lengths = set()
    for row, mask in zip(responses.tokens.tolist(), responses.mask.tolist(), strict=True):
        tokens = [token for token, kept in zip(row, mask, strict=True) if kept]
        lengths.add(len(tokens))
        assert not ends & set(tokens[:-1])
        assert tokens[-1] in ends or len(tokens) == policy.config.max_new_tokens
    assert len(lengths) > 1


def adapters_of(training: ScstTrainer, name: str) -> list[torch.Tensor]:
    return [
        parameter.detach().clone()
        for key, parameter in training._policy.model.named_parameters()
        if f".{name}." in key
    ]


def test_what_a_policy_is_called_changes_nothing_that_it_learns(base: Path) -> None:
    config = replace(CONFIG, max_steps=3, validate_every=2)
    trained = []
    for name in ("letters", "p_of_another_name"):
        training = trainer(base, specs={name: spec_of("letters", config, label=name)})
        steps, validations = records(training)
        taken = [replace(step, adapter="") for step in steps]
        judged = [replace(validation, adapter="") for validation in validations]
        trained.append(((taken, judged), adapters_of(training, name)))
    assert trained[0][0] == trained[1][0]
    for one, other in zip(trained[0][1], trained[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_one_policy_on_the_sum_of_log_rewards_raises_their_product(base: Path) -> None:
    spec = PolicySpec(label="uniform", scalarizer=log_sum.Config(), training=CONFIG)
    steps, validations = records(trainer(base, specs={"uniform": spec}))
    first, last = validations[0].means, validations[-1].means
    assert np.prod(last) > 1.05 * np.prod(first)
    # What people watch is the mean over both objectives.
    assert steps[-1].reward > steps[0].reward


def test_the_state_of_a_scalarizer_is_logged_checkpointed_and_restored(base: Path) -> None:
    config = replace(CONFIG, max_steps=4, validate_every=1)
    spec = spec_of("policy", config, scalarizer=tilting.Config())
    undisturbed, _ = records(trainer(base, specs={"policy": spec}))
    logged = [step.weights_now for step in undisturbed]
    assert len(set(logged)) == len(logged)  # each validation moves the weights
    stopped = trainer(base, specs={"policy": spec})
    turns = stopped.run()
    for _ in range(3):  # a first validation, and two steps
        next(turns)
    resumed = trainer(base, specs={"policy": spec})
    resumed.restore(stopped.checkpoint())
    again, _ = records(resumed)
    assert again == undisturbed[2:]


def test_a_state_that_does_not_load_is_refused_in_words(base: Path) -> None:
    config = replace(CONFIG, max_steps=2, validate_every=1)
    stateful = trainer(
        base, specs={"policy": spec_of("policy", config, scalarizer=tilting.Config())}
    )
    next(stateful.run())
    checkpoint = stateful.checkpoint()
    other = trainer(base, specs={"policy": spec_of("letters", config)})
    with pytest.raises(ConfigError, match=r"has no state, got one with \['weights'\]"):
        other.restore(checkpoint)
    checkpoint.state["policy"]["scalarizer"] = {"weights": None}
    with pytest.raises(ConfigError, match=r"cannot be loaded: TypeError.*delete the run's"):
        stateful.restore(checkpoint)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("shape", r"one number per response, shape \(4, 8\), got float64 of shape \(3, 8\)"),
        ("nan", "returned NaN or infinity"),
        ("raises", "failed: ZeroDivisionError"),
    ],
)
def test_a_scalarizer_that_fails_is_named(base: Path, fault: str, words: str) -> None:
    spec = spec_of("policy", scalarizer=tilting.Config(fault=fault))
    with pytest.raises(PlugInError, match=words):
        list(trainer(base, specs={"policy": spec}).run())
