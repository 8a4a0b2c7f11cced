"""Self-critical sequence training of one adapter (EMORL, arXiv:2505.02579, section 5.1).

Each step samples k responses to each of P prompts, scores them, and raises the log-probability of
those above their prompt's mean. Departures from the reference code:

1. The KL to the base has a gradient; there it was a constant times advantages of mean zero.
2. The trained tokens are the sampled ones, end token included; nothing is tokenised again.
3. Dropout acts on the adapters' update in the loss only: samples and validations come from the
   policy that is kept, and the base never drops anything.
4. Prompts are cut at one length everywhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.config import TrainingConfig
from engine.errors import TrainingError
from engine.policy import Policy, seeded
from engine.records import TrainingSample, TrainingStep, Validation
from engine.rewards import RewardTable
from engine.seeds import derived_seed
from engine.statistics import mean_and_error
from engine.training.checkpoint import Checkpoint
from engine.training.convergence import has_converged
from engine.training.losses import (
    group_advantages,
    kl_per_response,
    log_rewards,
    policy_gradient_loss,
    token_log_probs,
)
from engine.training.sampling import (
    SampledResponses,
    reference_logits,
    response_logits,
    sample_responses,
)

_SAMPLES_KEPT = 8
"""Validation responses kept for reading, one for each of the first prompts."""

VALIDATION_TEMPERATURE = 1.0
"""Validation samples the policy as it is, so that runs with other settings compare."""


@dataclass(slots=True)
class TrainingProgress:
    """How far a training is."""

    step: int = 0
    samples: int = 0
    tokens: int = 0
    seconds: float = 0.0
    converged: bool = False


class ScstTrainer:
    """Trains the active adapter of a policy to earn one objective.

    Iterate over ``run``; the caller stores what it yields and saves a ``checkpoint`` when it
    likes. A trainer that starts from a checkpoint yields the same records as an undisturbed one
    (but for seconds): prompts and samples depend on (seed, adapter, step) only.
    """

    def __init__(
        self,
        policy: Policy,
        adapter: str,
        rewards: RewardTable,
        config: TrainingConfig,
        *,
        train_prompts: Sequence[str],
        validation_prompts: Sequence[str],
        seed: int,
    ) -> None:
        """Prepare the training of ``adapter``, which must be the policy's active one.

        Args:
            policy: The base with the adapter on it.
            adapter: Name of the adapter and of the objective it is trained for.
            rewards: Scores of all objectives.
            config: Settings of this adapter.
            train_prompts: Training split.
            validation_prompts: Aggregation split.
            seed: Seed of the run.
        """
        self._policy = policy
        self._adapter = adapter
        self._rewards = rewards
        self._config = config
        self._train_prompts = list(train_prompts)
        self._validation_prompts = list(validation_prompts)
        self._seed = seed
        self._own = rewards.objectives.index(adapter)
        self.progress = TrainingProgress()
        self._validation_means: list[float] = []
        self._parameters = {
            name: parameter
            for name, parameter in policy.model.named_parameters()
            if parameter.requires_grad
        }
        self._dropouts = [
            module
            for name, module in policy.model.named_modules()
            if isinstance(module, nn.Dropout) and f"lora_dropout.{adapter}" in name
        ]
        self._optimizer = torch.optim.AdamW(
            self._parameters.values(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    def run(self) -> Iterator[TrainingStep | tuple[Validation, list[TrainingSample]]]:
        """Train until converged or ``max_steps``; yield each step and each validation.

        Raises:
            TrainingError: If the loss or a gradient is not a number.
        """
        if self.progress.step == 0 and not self._validation_means:
            yield self._validate()
        while not self.progress.converged and self.progress.step < self._config.max_steps:
            yield self._step()
            last = self.progress.step == self._config.max_steps
            if self.progress.step % self._config.validate_every == 0 or last:
                yield self._validate()

    def checkpoint(self) -> Checkpoint:
        """Return all that a later trainer needs to go on from here."""
        return Checkpoint.of(
            self._parameters,
            self._optimizer,
            {
                **asdict(self.progress),
                "validation_means": self._validation_means,
            },
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same adapter and settings."""
        state = dict(checkpoint.state)
        self._validation_means = list(state.pop("validation_means"))
        self.progress = TrainingProgress(**state)
        checkpoint.load_into(self._parameters, self._optimizer)

    def _step(self) -> TrainingStep:
        started = time.perf_counter()
        config, step = self._config, self.progress.step + 1
        prompts = [self._train_prompts[index] for index in self._prompts_of(step)]
        responses = self._sample(
            prompts, config.samples_per_prompt, config.temperature, "sample", step
        )
        repeated = [prompt for prompt in prompts for _ in range(config.samples_per_prompt)]
        rewards = self._rewards.score_objective(self._adapter, repeated, responses.texts)
        grouped = torch.from_numpy(rewards).float().reshape(len(prompts), -1)
        advantages = group_advantages(log_rewards(grouped)).flatten().to(self._policy.device)
        with seeded(self._seed_of("dropout", step), self._policy.device), self._training_mode():
            logits = response_logits(self._policy, responses)
            log_probs = token_log_probs(logits, responses.tokens, config.temperature)
            gradient_term = policy_gradient_loss(log_probs, responses.mask, advantages)
            kl = kl_per_response(
                logits,
                reference_logits(self._policy, responses),
                responses.mask,
                config.temperature,
            ).mean()
            loss = gradient_term + config.kl_coefficient * kl
        norm = self._update(loss, step)
        done = self.progress
        done.step = step
        done.samples += len(repeated)
        done.tokens += responses.n_tokens
        done.seconds += time.perf_counter() - started
        return TrainingStep(
            adapter=self._adapter,
            step=step,
            data_points=step * config.prompts_per_step,
            samples=done.samples,
            tokens=done.tokens,
            seconds=done.seconds,
            loss=loss.item(),
            reward=float(rewards.mean()),
            kl=kl.item(),
            gradient_norm=norm,
        )

    def _update(self, loss: Tensor, step: int) -> float:
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(
            nn.utils.clip_grad_norm_(self._parameters.values(), self._config.max_gradient_norm)
        )
        if not (math.isfinite(norm) and math.isfinite(loss.item())):
            raise self._broken(step, f"loss {loss.item()}, gradient norm {norm}")
        self._optimizer.step()
        return norm

    def _broken(self, step: int, what: str) -> TrainingError:
        return TrainingError(
            f"Training {self._adapter!r} broke at step {step}: {what}. Lower "
            f"training.learning_rate ({self._config.learning_rate}) or raise "
            "training.kl_coefficient, and start a new run."
        )

    def _sample(
        self, prompts: Sequence[str], n_samples: int, temperature: float, purpose: str, step: int
    ) -> SampledResponses:
        try:
            return sample_responses(
                self._policy,
                self._adapter,
                prompts,
                samples_per_prompt=n_samples,
                temperature=temperature,
                seed=self._seed_of(purpose, step),
            )
        except RuntimeError as error:
            if "probability tensor" not in str(error):
                raise
            raise self._broken(step, "the policy's probabilities are no numbers") from error

    def _validate(self) -> tuple[Validation, list[TrainingSample]]:
        config, prompts = self._config, self._validation_prompts
        responses = self._sample(
            prompts,
            config.validation_samples,
            VALIDATION_TEMPERATURE,
            "validate",
            self.progress.step,
        )
        repeated = [prompt for prompt in prompts for _ in range(config.validation_samples)]
        scores = self._rewards.score(repeated, responses.texts)
        per_prompt = scores.reshape(len(prompts), config.validation_samples, -1).mean(axis=1)
        means, errors = mean_and_error(per_prompt)
        self._validation_means.append(means[self._own])
        done = self.progress
        done.converged = has_converged(
            self._validation_means, config.convergence_window, config.convergence_threshold
        )
        validation = Validation(
            adapter=self._adapter,
            step=done.step,
            data_points=done.step * config.prompts_per_step,
            samples=done.samples,
            seconds=done.seconds,
            means=means,
            standard_errors=errors,
            n_distinct=len(set(responses.texts)),
            n_responses=len(responses.texts),
            converged=done.converged,
        )
        kept = range(min(_SAMPLES_KEPT, len(prompts)))
        return validation, [
            TrainingSample(
                adapter=self._adapter,
                step=done.step,
                prompt_index=prompt,
                text=responses.texts[prompt * config.validation_samples],
                scores=tuple(scores[prompt * config.validation_samples].tolist()),
            )
            for prompt in kept
        ]

    def _prompts_of(self, step: int) -> list[int]:
        """Return the step's training prompts: epochs of a seeded order, one after the other."""
        size, total = self._config.prompts_per_step, len(self._train_prompts)
        wanted = range((step - 1) * size, step * size)
        orders = {
            epoch: np.random.default_rng(self._seed_of("order", epoch)).permutation(total)
            for epoch in {position // total for position in wanted}
        }
        return [int(orders[position // total][position % total]) for position in wanted]

    def _seed_of(self, purpose: str, index: int) -> int:
        return derived_seed(self._seed, self._adapter, purpose, index)

    def _training_mode(self) -> _DropoutOn:
        return _DropoutOn(self._dropouts)


class _DropoutOn:
    """Switches dropout modules on for the length of a block; the rest stays in evaluation mode."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = modules

    def __enter__(self) -> None:
        for module in self._modules:
            module.train()

    def __exit__(self, *_: object) -> None:
        for module in self._modules:
            module.eval()
