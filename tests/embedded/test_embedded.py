"""The shipped models do what the model card says, on exchanges that they have not seen."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from emorl.config import PolicyConfig, RunConfig
from emorl.config.kinds import REWARDS
from emorl.data.corpus import embedded_prompts, generate_exchanges
from emorl.decoding.forward import BASE
from emorl.embedded import EMBEDDED_NAMES, embedded_path
from emorl.embedded.build import build, build_vocabulary
from emorl.embedded.examples import TRICKS, Example, draw_examples, draw_trick
from emorl.embedded.tokenizer import tokenizer_for
from emorl.errors import ModelError
from emorl.models.policy import load_policy
from emorl.rewards import RewardTable, load_rewards
from emorl.systems.ensemble import Ensemble

MEGABYTE = 1_000_000
FRESH_SEED = 1_000_003
CEILING = 30.0
MAX_NEW_TOKENS = 52
OBJECTIVES = ("reflection", "empathy", "fluency")


@cache
def shipped_rewards() -> RewardTable:
    return rewards_in(embedded_path("embedded:reflection").parent)


def rewards_in(folder: Path) -> RewardTable:
    tables = {
        "reflection": REWARDS.config("sequence_classifier", model=str(folder / "reflection")),
        "empathy": REWARDS.config("sequence_classifier", model=str(folder / "empathy")),
        "fluency": REWARDS.config(
            "perplexity",
            model=str(folder / "fluency"),
            scored_text="response",
            perplexity_ceiling=CEILING,
        ),
    }
    return load_rewards(RunConfig(rewards=tables), device="cpu")


@cache
def greedy_responses() -> tuple[list[str], list[str]]:
    prompts = [prompt for prompt, _ in embedded_prompts(48, FRESH_SEED)]
    config = PolicyConfig(model="embedded:base", device="cpu", max_new_tokens=MAX_NEW_TOKENS)
    generated = Ensemble(load_policy(config), [BASE]).generate(prompts, [(1.0,)])[0]
    return prompts, [response.text for response in generated]


def honest_examples(n: int) -> list[Example]:
    return [e for e in draw_examples(3 * n, FRESH_SEED) if not e.trick][:n]


def scores_of(objective: str, examples: list[Example]) -> np.ndarray:
    return shipped_rewards().score_objective(
        objective, [e.prompt for e in examples], [e.response for e in examples]
    )


@pytest.mark.parametrize("name", EMBEDDED_NAMES)
def test_each_name_leads_to_a_complete_folder(name: str) -> None:
    folder = embedded_path(f"embedded:{name}")
    for file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert (folder / file).is_file()


def test_an_unknown_name_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ModelError, match="embedded:base"):
        embedded_path("embedded:politeness")


def test_the_package_of_paths_imports_nothing_heavy() -> None:
    code = "import sys, emorl.embedded; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_models_together_take_at_most_8_megabytes() -> None:
    sizes = [
        file.stat().st_size
        for name in EMBEDDED_NAMES
        for file in embedded_path(f"embedded:{name}").iterdir()
    ]
    assert sum(sizes) <= 8 * MEGABYTE


@pytest.mark.parametrize(("objective", "floor"), [("reflection", 0.93), ("empathy", 0.93)])
def test_a_scorer_tells_the_levels_of_fresh_exchanges(objective: str, floor: float) -> None:
    examples = honest_examples(400)
    levels = np.array([getattr(example, objective) for example in examples])
    nearest = np.rint(2 * scores_of(objective, examples))
    assert (nearest == levels).mean() >= floor


@pytest.mark.parametrize("trick", list(TRICKS))
@pytest.mark.parametrize("objective", ["reflection", "empathy"])
def test_a_trick_earns_about_what_it_deserves(objective: str, trick: str) -> None:
    rng = Random(f"{FRESH_SEED}/{trick}")
    examples = [draw_trick(rng, trick) for _ in range(60)]
    deserved = np.array([getattr(example, objective) for example in examples]) / 2
    # Glued or shuffled texts may stay good: halves of two good responses to one prompt. That the
    # empathy scorer half forgives a wrong subject is a weakness; the model card says so.
    allowed = 0.35 if trick in ("splice", "shuffle", "wrong subject") else 0.2
    assert (scores_of(objective, examples) - deserved).mean() <= allowed


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_saying_nothing_earns_nothing(objective: str) -> None:
    prompts = [prompt for prompt, _ in embedded_prompts(8, FRESH_SEED)]
    assert shipped_rewards().score_objective(objective, prompts, [""] * 8).max() <= 0.05


def test_fluent_responses_score_high_and_broken_ones_low() -> None:
    exchanges = generate_exchanges(400, FRESH_SEED)
    scores = shipped_rewards().score_objective(
        "fluency", [e.prompt for e in exchanges], [e.response for e in exchanges]
    )
    fluent = np.array([exchange.fluent for exchange in exchanges])
    assert scores[fluent].mean() >= 0.85
    assert scores[~fluent].mean() <= 0.2


def test_a_good_answer_is_as_fluent_as_a_stock_sentence() -> None:
    # Otherwise training for fluency would reward saying the same short thing to everyone.
    pairs = embedded_prompts(48, FRESH_SEED)
    prompts = [prompt for prompt, _ in pairs]
    score = shipped_rewards().score_objective
    good = score("fluency", prompts, [reference for _, reference in pairs])
    stock = score("fluency", prompts, ["What does your doctor say?"] * 48)
    assert good.mean() >= stock.mean() - 0.03


def test_the_base_answers_each_prompt_in_its_own_way() -> None:
    _, responses = greedy_responses()
    assert all(responses)
    assert len(set(responses)) >= 0.8 * len(responses)


def test_the_base_is_readable_and_leaves_room_to_improve() -> None:
    prompts, responses = greedy_responses()
    reflection, empathy, fluency = shipped_rewards().score(prompts, responses).mean(axis=0)
    assert reflection <= 0.7
    assert empathy <= 0.3
    assert fluency >= 0.85
    # Greedy, the base does one thing or the other, seldom both: that is the ensemble's to find.
    assert reflection + empathy <= 0.9


@pytest.mark.parametrize("text", ["I smoke a pack a day.", "café, 3 + 5 = 8 😀"])
def test_the_tokenizer_gives_any_text_back(text: str) -> None:
    tokenizer = tokenizer_for(build_vocabulary(generate_exchanges(200, 0)), "encoder")
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert ids[-1] == tokenizer.eos_token_id == 1


@pytest.mark.nightly
def test_the_seeded_command_rebuilds_the_fluency_scorer(tmp_path: Path) -> None:
    n_threads = torch.get_num_threads()
    build(tmp_path, names=["fluency"])
    assert torch.get_num_threads() == n_threads
    exchanges = generate_exchanges(200, FRESH_SEED)
    prompts, responses = [e.prompt for e in exchanges], [e.response for e in exchanges]
    for name in ("reflection", "empathy"):
        (tmp_path / name).symlink_to(embedded_path(f"embedded:{name}"))
    rebuilt = rewards_in(tmp_path).score_objective("fluency", prompts, responses)
    shipped = shipped_rewards().score_objective("fluency", prompts, responses)
    # Bit-identical on the processor that built it; other processors round differently.
    np.testing.assert_allclose(rebuilt, shipped, atol=0.1)
    assert np.abs(rebuilt - shipped).mean() <= 0.02
