"""A finished run's models, ready to answer: the ensemble beside base and single adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engine.artifacts import RunFolder
from engine.config import PolicyConfig
from engine.config_file import read_config
from engine.directions import canonical_direction, check_weights
from engine.ensemble.aggregation import Level
from engine.ensemble.ensemble import Ensemble, GeneratedText, base_alone
from engine.evaluation import scored_responses
from engine.policy import Policy, load_adapters, load_policy
from engine.records import Response, Weights
from engine.rewards import RewardTable, load_rewards


@dataclass(frozen=True, slots=True)
class RunModels:
    """Policy, adapters and rewards of one run; not thread-safe."""

    policy: Policy
    rewards: RewardTable
    ensemble: Ensemble
    """Keeps the prefixes of the last prompts: other weights for them cost little."""
    base: Ensemble

    def compare(self, prompt: str, weights: Weights) -> dict[str, Response]:
        """Answer one prompt with the ensemble, the base and each adapter alone, greedily.

        Args:
            prompt: Any text that fits the policy.
            weights: One number per objective, not all zero.

        Returns:
            Scored responses by system: ``ensemble``, ``base``, ``adapter:<objective>``.

        Raises:
            PromptError: If the prompt is blank or too long.
            WeightsError: If the weights do not fit.
        """
        names = self.rewards.objectives
        asked = self.policy.check_prompt(prompt)
        vector = check_weights(weights, len(names))
        canonical_direction(vector)  # refuses the zero vector
        one_hot = [tuple(float(a == b) for b in names) for a in names]
        together = self.ensemble.generate([asked], [vector, *one_hot])
        base = self.base.generate([asked], [(1.0,)])
        texts = {"ensemble": together[0][0], "base": base[0][0]}
        texts |= {f"adapter:{n}": t[0] for n, t in zip(names, together[1:], strict=True)}
        return self._scored(asked, texts)

    def _scored(self, prompt: str, texts: dict[str, GeneratedText]) -> dict[str, Response]:
        scores = self.rewards.score(
            [prompt] * len(texts), [generated.text for generated in texts.values()]
        )
        responses = scored_responses([0] * len(texts), list(texts.values()), np.asarray(scores))
        return dict(zip(texts, responses, strict=True))


def load_ensemble(run: Path | str, level: Level = "hidden_state") -> Ensemble:
    """Load the ensemble of a run, to generate and to map; no reward is loaded.

    Args:
        run: The run's folder, e.g. ``artifacts/runs/demo``.
        level: How the adapters decide a token.

    Raises:
        ConfigError: If the folder holds no run.
        ModelError: If an adapter is not trained yet, or a model does not fit.
    """
    folder = RunFolder(Path(run))
    config = read_config(folder.config)
    adapters = {name: folder.adapters / name for name in config.objectives}
    return make_ensemble(config.policy, adapters, level)


def make_ensemble(
    policy: PolicyConfig, adapters: Mapping[str, Path], level: Level = "hidden_state"
) -> Ensemble:
    """Put an ensemble together from a base model and LoRA folders in PEFT's layout.

    Args:
        policy: The base model, and how it reads and writes.
        adapters: Folder of each member by name, in the order of the weights.
        level: How the members decide a token.

    Raises:
        ModelError: If a model is missing or does not fit.
    """
    loaded = load_adapters(load_policy(policy), dict(adapters))
    return Ensemble(loaded, tuple(adapters), level)


def load_run_models(folder: RunFolder) -> RunModels:
    """Load what ``emorl run`` has trained.

    Raises:
        ModelError: If an adapter is not trained yet, or a model does not fit.
        RewardError: If a scorer cannot be loaded.
    """
    config = read_config(folder.config)
    torch.set_num_threads(config.threads)
    policy = load_policy(config.policy)
    adapters = {name: folder.adapters / name for name in config.objectives}
    policy = load_adapters(policy, adapters)
    return RunModels(
        policy,
        load_rewards(config, device=str(policy.device)),
        Ensemble(policy, config.objectives),
        base_alone(policy),
    )
