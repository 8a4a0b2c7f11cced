"""A finished run's models, ready to answer: the ensemble beside base and single adapters."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from emorl.atlas.rows import ScoredAtlas
from emorl.config import PolicyConfig
from emorl.config.files import read_config
from emorl.decoding.atlas import AtlasBudget
from emorl.decoding.levels.protocol import load_level
from emorl.errors import ConfigError, ModelError, RunNotFoundError
from emorl.models.adapters import load_adapters
from emorl.models.policy import Policy, load_policy
from emorl.names import check_objective
from emorl.records import DecidedToken, Response, Weights
from emorl.rewards import RewardTable, load_rewards
from emorl.runs.folder import RunFolder
from emorl.systems.ensemble import BFLOAT16_WARNING, Ensemble, GeneratedText, base_alone
from emorl.systems.evaluation import scored_responses
from emorl.systems.mapping import map_prompts
from emorl.weights import canonical_direction, check_weights


@dataclass(frozen=True, slots=True)
class RunModels:
    """Policy, adapters and rewards of one run; not thread-safe.

    A prompt may be any text that fits the policy; weights are one number per objective, not all
    zero. All methods raise ``PromptError`` and ``WeightsError`` for others.
    """

    policy: Policy
    rewards: RewardTable
    ensemble: Ensemble
    """Keeps the prefixes of the last prompts: other weights for them cost little."""
    base: Ensemble

    def answer(self, prompt: str, weights: Weights) -> Response:
        """Answer one prompt with the ensemble, greedily."""
        asked, vector = self._checked(prompt, weights)
        [[text]] = self.ensemble.generate([asked], [vector])
        return self._scored(asked, {"ensemble": text})["ensemble"]

    def alone(self, prompt: str) -> dict[str, Response]:
        """Answer one prompt with the base and each adapter alone, greedily.

        Returns:
            Scored responses by system: ``base``, ``adapter:<objective>``.
        """
        asked = self.policy.check_prompt(prompt)
        return self._scored(asked, self._alone(asked))

    def compare(self, prompt: str, weights: Weights) -> dict[str, Response]:
        """Answer one prompt with the ensemble, the base and each adapter alone, greedily.

        Returns:
            Scored responses by system: ``ensemble``, ``base``, ``adapter:<objective>``.
        """
        asked, vector = self._checked(prompt, weights)
        [[text]] = self.ensemble.generate([asked], [vector])
        return self._scored(asked, {"ensemble": text} | self._alone(asked))

    def explain(self, prompt: str, weights: Weights) -> list[DecidedToken]:
        """Split every token of the ensemble's greedy response by objective.

        Returns:
            One per token, in order; the end of the response included where it was chosen.
        """
        asked, vector = self._checked(prompt, weights)
        found = self.ensemble.attribute(asked, vector)
        tokens = [one.token for one in found]
        explained = []
        for place, one in enumerate(found):
            before = tokens[:place]
            explained.append(
                DecidedToken(
                    text=self._piece(before, one.token),
                    runner_up=self._piece(before, one.runner_up),
                    logit_parts=one.logit_parts,
                    margin_parts=one.margin_parts,
                    alone=tuple(self._piece(before, token) for token in one.alone),
                    decided_by=one.decided_by,
                )
            )
        return explained

    def map_prompt(self, prompt: str, n_nodes: int) -> ScoredAtlas:
        """Find the responses that any weights give to one prompt, and score them.

        Calling again goes on where the last call ended, as long as the ensemble keeps what it
        read.

        Args:
            prompt: It counts as a prompt of a person's own, at place 0.
            n_nodes: Most prefixes to read now; cells that were not reached are open.
        """
        asked = self.policy.check_prompt(prompt)
        budget = AtlasBudget(nodes_per_prompt=n_nodes)
        [[scored]] = map_prompts(self.ensemble, self.rewards, "own", [asked], budget)
        return scored

    def _checked(self, prompt: str, weights: Weights) -> tuple[str, Weights]:
        vector = check_weights(weights, len(self.rewards.objectives))
        canonical_direction(vector)  # refuses the zero vector
        return self.policy.check_prompt(prompt), vector

    def _alone(self, prompt: str) -> dict[str, GeneratedText]:
        names = self.rewards.objectives
        one_hot = [tuple(float(a == b) for b in names) for a in names]
        [[base]] = self.base.generate([prompt], [(1.0,)])
        members = self.ensemble.generate([prompt], one_hot)
        return {"base": base} | {
            f"adapter:{name}": text for name, [text] in zip(names, members, strict=True)
        }

    def _scored(self, prompt: str, texts: dict[str, GeneratedText]) -> dict[str, Response]:
        scores = self.rewards.score(
            [prompt] * len(texts), [generated.text for generated in texts.values()]
        )
        responses = scored_responses([0] * len(texts), list(texts.values()), np.asarray(scores))
        return dict(zip(texts, responses, strict=True))

    def _piece(self, before: Sequence[int], token: int) -> str:
        """Return what a token adds to a response; its name where that is nothing to see."""
        if token in self.policy.eos_token_ids:
            return ""
        start = self.policy.decode(before)
        whole = self.policy.decode([*before, token])
        if len(whole) > len(start) and whole.startswith(start):
            return whole[len(start) :]
        return str(self.policy.tokenizer.convert_ids_to_tokens(token))


def load_ensemble(run: Path | str, level: str = "hidden_state") -> Ensemble:
    """Load the ensemble of a run, to generate and to map; no reward is loaded.

    Args:
        run: The run's folder, e.g. ``artifacts/runs/demo``.
        level: How the adapters decide a token: ``hidden_state``, ``logit``, ``probability``,
            ``parameter``, or your own as ``module:attribute``.

    Raises:
        RunNotFoundError: If the folder holds no run.
        ConfigError: If there is no such level.
        ModelError: If an adapter is not trained yet, or a model does not fit.
    """
    if not isinstance(run, str | os.PathLike):
        raise RunNotFoundError(f"run must be the folder of a run, got {run!r}.")
    folder = RunFolder(Path(run))
    if not folder.config.is_file():
        raise RunNotFoundError(_no_run(folder.root))
    config = read_config(folder.config)
    adapters = {name: folder.adapters / name for name in config.objectives}
    return make_ensemble(config.policy, adapters, level)


def make_ensemble(
    policy: PolicyConfig, adapters: Mapping[str, Path | str], level: str = "hidden_state"
) -> Ensemble:
    """Put an ensemble together from a base model and LoRA folders in PEFT's layout.

    Args:
        policy: The base model, and how it reads and writes. In ``bfloat16`` texts are not exact,
            and a ``UserWarning`` says so.
        adapters: Folder of each member by name, in the order of the weights.
        level: How the members decide a token.

    Raises:
        ConfigError: If a name cannot be an adapter's, there is no such level, or the policy is
            no ``PolicyConfig``.
        ModelError: If there is no adapter, a folder is no path, a model is missing or does not
            fit.
    """
    if not isinstance(policy, PolicyConfig):
        raise ConfigError(
            f"policy must be a PolicyConfig, got {policy!r}. Give e.g. "
            "PolicyConfig(model='t5-small')."
        )
    if not adapters or not isinstance(adapters, Mapping):
        raise ModelError(
            f"adapters must name at least one adapter with its folder, got {adapters!r}. Give "
            "{name: folder}, or decode the base alone with "
            "`emorl.systems.ensemble.base_alone`."
        )
    for name, folder in adapters.items():
        check_objective(name)
        if not isinstance(folder, str | os.PathLike):
            raise ModelError(f"The folder of adapter {name!r} must be a path, got {folder!r}.")
    load_level(level)  # refused before models are loaded
    _warn_if_not_exact(policy)
    folders = {name: Path(folder) for name, folder in adapters.items()}
    return Ensemble(load_adapters(load_policy(policy), folders), tuple(folders), level)


def _warn_if_not_exact(config: PolicyConfig) -> None:
    """Warn the caller of the function that calls this."""
    if config.precision == "bfloat16":
        warnings.warn(BFLOAT16_WARNING, stacklevel=3)


def _no_run(folder: Path) -> str:
    """Say that a folder holds no run, and which ones beside it do."""
    known = sorted(path.parent.name for path in folder.parent.glob("*/config.toml"))
    advice = (
        f"Beside it there are: {', '.join(known)}."
        if known
        else "There is none beside it either. Make one with `emorl demo` or "
        "`emorl run CONFIG.toml`."
    )
    return f"There is no run in {folder}: it has no config.toml. {advice}"


def load_run_models(folder: RunFolder) -> RunModels:
    """Load what ``emorl run`` has trained.

    Raises:
        ModelError: If an adapter is not trained yet, or a model does not fit.
        RewardError: If a scorer cannot be loaded.
    """
    config = read_config(folder.config)
    _warn_if_not_exact(config.policy)
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
