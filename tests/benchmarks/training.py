"""What a training step costs: three adapters in one batch, one after the other, and the reference.

Run ``python -m tests.benchmarks.training --quick`` for the T5-small shape (about three minutes on
one thread), or without ``--quick`` for more shapes and steps of the paper's size; ``--json`` for
scripts. All candidates run interleaved in this process; a figure is the median of its ratios to
one adapter's step of the same repetition. Rewards are formulas, so that the policy is what is
measured.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from emorl.config import PolicyConfig, RunConfig, TrainingConfig
from emorl.config.kinds import REWARDS
from emorl.models.policy import Policy
from emorl.policies import PolicySpec
from emorl.rewards import load_rewards
from emorl.scalarizers import single
from emorl.training.losses import group_advantages, log_rewards
from emorl.training.scst import ScstTrainer
from tests.benchmarks.shapes import MEMBERS, SHAPES, Numbers, Shape, build_policy

PROMPTS = 16
SAMPLES = 3
"""Of the paper: 16 prompts a step, 3 samples each."""

QUICK_PROMPTS = 4
"""A step of the paper's size takes a minute in all, for one thread."""

LEARNING_RATE = 1e-6
"""So small that the hundredth step is as long as the first."""


@dataclass(frozen=True, slots=True)
class Case:
    """Prompts and models of one shape."""

    policy: Policy
    texts: list[str]


def build_case(shape: Shape, *, device: str, n_prompts: int, n_tokens: int) -> Case:
    """Return a shape's policy with three adapters, and random prompts."""
    policy = build_policy(shape, "close", device=device)
    policy = Policy(
        policy.model,
        Numbers(policy.base.config.vocab_size),  # type: ignore[arg-type]
        PolicyConfig(model=shape.name, max_new_tokens=n_tokens, device=device),
        policy.device,
    )
    generator = torch.Generator().manual_seed(1)
    size = (n_prompts, shape.prompt_tokens)
    ids = torch.randint(3, policy.base.config.vocab_size, size, generator=generator)
    return Case(policy, [" ".join(map(str, row)) for row in ids.tolist()])


def turns(case: Case, adapters: Sequence[str]) -> Callable[[], Any]:
    """Return a function that lets ``adapters`` do one step each, together."""
    rewards = {
        name: REWARDS.config("callable", target="tests.support.formula_rewards:letters")
        for name in MEMBERS
    }
    config = TrainingConfig(
        prompts_per_step=len(case.texts),
        samples_per_prompt=SAMPLES,
        learning_rate=LEARNING_RATE,
        validate_every=1_000_000,
        validation_samples=1,
    )
    trainer = ScstTrainer(
        case.policy,
        {
            name: PolicySpec(label=name, scalarizer=single.Config(objective=name), training=config)
            for name in adapters
        },
        load_rewards(RunConfig(objectives=MEMBERS, rewards=rewards), device="cpu"),
        train_prompts=case.texts,
        validation_prompts=case.texts[:1],
    )
    going_on = trainer.run()
    next(going_on)  # the first validation
    return lambda: next(going_on)


def reference_turn(case: Case) -> Callable[[], None]:
    """Return a function that does one step of the published loop, re-written, for one adapter.

    As there: sampling by ``generate`` with dropout on, every sample's prompt through the encoder,
    a whole second model as the reference policy. Texts are not tokenised again.
    """
    policy = case.policy
    model: Any = copy.deepcopy(policy.model)
    model.set_adapter(MEMBERS[0])
    adapted: Any = copy.deepcopy(policy.model)
    base = adapted.unload()
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], LEARNING_RATE
    )
    ids, mask = policy.encode(case.texts)
    n_tokens = policy.config.max_new_tokens

    def step() -> None:
        model.train()
        with torch.no_grad():
            written = model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=True,
                top_k=0,
                num_return_sequences=SAMPLES,
                max_new_tokens=n_tokens,
                min_new_tokens=n_tokens,
                pad_token_id=0,
            )[:, -n_tokens:]
        texts = [policy.decode(row) for row in written.tolist()]
        rewards = torch.tensor([len(set(text)) / (1 + len(text)) for text in texts])
        advantages = group_advantages(log_rewards(rewards.reshape(-1, SAMPLES))).flatten()
        inputs = (ids.repeat_interleave(SAMPLES, 0), mask.repeat_interleave(SAMPLES, 0), written)
        logits = _logits(model, policy.is_encoder_decoder, *inputs)
        with torch.no_grad():
            reference = _logits(base, policy.is_encoder_decoder, *inputs)
        log_p = logits.log_softmax(dim=-1)
        kl = (log_p.exp() * (log_p - reference.log_softmax(dim=-1))).sum(dim=-1).sum(dim=1).mean()
        of_responses = log_p.gather(-1, written.unsqueeze(-1)).squeeze(-1).sum(dim=1)
        loss = -(advantages.to(ids.device) * of_responses).mean()
        optimizer.zero_grad()
        (loss + 0.2 * kl).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()

    return step


def _logits(
    model: Any, is_encoder_decoder: bool, ids: Tensor, mask: Tensor, written: Tensor
) -> Tensor:
    if is_encoder_decoder:
        first = torch.zeros_like(written[:, :1])
        shifted = torch.cat([first, written[:, :-1]], dim=1)
        output = model(input_ids=ids, attention_mask=mask, decoder_input_ids=shifted)
        logits: Tensor = output.logits
        return logits
    whole = torch.cat([ids, written], dim=1)
    full_mask = torch.cat([mask, torch.ones_like(written)], dim=1)
    causal: Tensor = model(input_ids=whole, attention_mask=full_mask).logits
    return causal[:, ids.shape[1] - 1 : -1]


def measure(case: Case, repetitions: int) -> dict[str, Any]:
    """Time every candidate ``repetitions`` times, one after the other in each repetition."""
    alone = [turns(case, [name]) for name in MEMBERS]
    candidates: dict[str, Callable[[], Any]] = {
        "one": alone[0],
        "three_together": turns(case, MEMBERS),
        "three_in_turn": lambda: [turn() for turn in alone],
        "reference_one": reference_turn(case),
    }
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for repetition in range(repetitions + 1):
        for name, candidate in candidates.items():
            _wait(case)
            started = time.perf_counter()
            candidate()
            _wait(case)
            if repetition:  # the first call loads code
                seconds[name].append(time.perf_counter() - started)
    return _report(seconds)


def _wait(case: Case) -> None:
    if case.policy.device.type == "cuda":
        torch.cuda.synchronize()


def _report(seconds: dict[str, list[float]]) -> dict[str, Any]:
    found: dict[str, Any] = {"one_seconds": statistics.median(seconds["one"])}
    for name in ("three_together", "three_in_turn", "reference_one"):
        ratios = [own / unit for own, unit in zip(seconds[name], seconds["one"], strict=True)]
        found[name] = statistics.median(ratios)
        found[f"{name}_spread"] = [min(ratios), max(ratios)]
    # The reference trains one adapter at a time: three cost three times one.
    found["reference_over_together"] = 3 * found["reference_one"] / found["three_together"]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="T5-small shape only")
    parser.add_argument("--json", action="store_true", help="one JSON object per shape and line")
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, help="only these shapes")
    parser.add_argument("--prompts", type=int, help="of a step; default: 16, quick: 4")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--repetitions", type=int, help="default: 5, quick: 3")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = options.shapes or (["t5-small"] if options.quick else ["t5-small", "decoder-50m"])
    for name in names:
        case = build_case(
            SHAPES[name],
            device=options.device,
            n_prompts=options.prompts or (QUICK_PROMPTS if options.quick else PROMPTS),
            n_tokens=options.tokens,
        )
        found = {"shape": name} | measure(case, options.repetitions or (3 if options.quick else 5))
        print(json.dumps(found) if options.json else _table(found), flush=True)


def _table(found: dict[str, Any]) -> str:
    lines = [f"{found['shape']}, one adapter's step {found['one_seconds']:.3f} s"]
    for name in ("three_together", "three_in_turn", "reference_one"):
        low, high = found[f"{name}_spread"]
        lines.append(f"  {name:<26}{found[name]:>8.2f}   [{low:.2f}, {high:.2f}]")
    lines.append(f"  {'reference_over_together':<26}{found['reference_over_together']:>8.2f}")
    lines.append("  (of the reference, one adapter's step is measured, and taken three times)")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
