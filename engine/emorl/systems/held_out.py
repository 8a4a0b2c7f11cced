"""The systems of a run on held-out prompts: base, each adapter alone, the best ensemble.

All decode greedily with adapters of one size, so that they differ in nothing but the weights;
base and adapters are sampled as well, because training raises the reward of samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from emorl.decoding.forward import BASE
from emorl.models.policy import Policy
from emorl.records import SystemScore, Weights
from emorl.rewards import RewardTable
from emorl.statistics import mean_and_error
from emorl.systems.ensemble import Ensemble, GeneratedText
from emorl.systems.evaluation import Evaluator, scored_responses
from emorl.training.sampling import SampleRequest, sample_responses

SAMPLES_PER_PROMPT = 3
"""Responses sampled at temperature 1 for each prompt."""


def system_scores(
    policy: Policy,
    rewards: RewardTable,
    prompts: Sequence[str],
    best_weights: Weights,
    *,
    seed: int,
    skip: set[tuple[str, str]],
) -> Iterator[SystemScore]:
    """Score every system, but those (system, decoding) pairs in ``skip``.

    Args:
        policy: The base with all adapters on it.
        rewards: Scores of all objectives.
        prompts: Inference split.
        best_weights: Weights of the best ensemble.
        seed: Seed of the samples.
        skip: What an interrupted run has scored already.
    """
    objectives = rewards.objectives
    for system, members, weights in (
        ("base", (BASE,), None),
        *((f"adapter:{name}", (name,), _one_hot(objectives, name)) for name in objectives),
        ("best", objectives, best_weights),
    ):
        if (system, "greedy") not in skip:
            vector = best_weights if system == "best" else (1.0,)
            measured = Evaluator(Ensemble(policy, members, overlong="cut"), rewards, prompts)(
                [vector]
            )[0]
            yield SystemScore(
                system=system,
                decoding="greedy",
                weights=weights,
                means=measured.means,
                standard_errors=measured.standard_errors,
                responses=measured.responses,
            )
        if system != "best" and (system, "sampled") not in skip:
            yield _sampled(policy, rewards, prompts, system, members[0], weights, seed)


def _one_hot(objectives: Sequence[str], name: str) -> Weights:
    return tuple(float(objective == name) for objective in objectives)


def _sampled(
    policy: Policy,
    rewards: RewardTable,
    prompts: Sequence[str],
    system: str,
    member: str,
    weights: Weights | None,
    seed: int,
) -> SystemScore:
    request = SampleRequest(member, prompts, temperature=1.0, seed=seed)
    sampled = sample_responses(policy, [request], samples_per_prompt=SAMPLES_PER_PROMPT)[0]
    indices = [index for index in range(len(prompts)) for _ in range(SAMPLES_PER_PROMPT)]
    scores = rewards.score([prompts[index] for index in indices], sampled.texts)
    lengths = sampled.mask.sum(dim=1).tolist()
    texts = [
        GeneratedText(text, length) for text, length in zip(sampled.texts, lengths, strict=True)
    ]
    per_prompt = scores.reshape(len(prompts), SAMPLES_PER_PROMPT, -1).mean(axis=1)
    means, errors = mean_and_error(np.asarray(per_prompt))
    return SystemScore(
        system=system,
        decoding="sampled",
        weights=weights,
        means=means,
        standard_errors=errors,
        responses=tuple(scored_responses(indices, texts, scores)),
    )
