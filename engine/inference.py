"""A finished run's models, ready to answer: the ensemble beside base and single adapters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engine.artifacts import RunFolder
from engine.config_file import read_config
from engine.directions import canonical_direction, check_weights
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
        ensemble = Ensemble(self.policy, names).generate([asked], [vector, *one_hot])
        base = base_alone(self.policy).generate([asked], [(1.0,)])
        texts = {"ensemble": ensemble[0][0], "base": base[0][0]}
        texts |= {f"adapter:{n}": t[0] for n, t in zip(names, ensemble[1:], strict=True)}
        return self._scored(asked, texts)

    def _scored(self, prompt: str, texts: dict[str, GeneratedText]) -> dict[str, Response]:
        scores = self.rewards.score(
            [prompt] * len(texts), [generated.text for generated in texts.values()]
        )
        responses = scored_responses([0] * len(texts), list(texts.values()), np.asarray(scores))
        return dict(zip(texts, responses, strict=True))


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
    return RunModels(policy, load_rewards(config, device=str(policy.device)))
