"""One policy that learns: its prompts, its reward, its loss, its optimiser, and what it reports.

A learner calls no model: it is handed responses and what the head reads of them, so that several
of them can share a forward (``scst``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emorl.config.kinds import RULES, SCALARIZERS
from emorl.errors import TrainingError
from emorl.models.policy import Policy
from emorl.policies import PolicySpec
from emorl.records import TrainingSample, TrainingStep, Validation
from emorl.rewards import RewardTable
from emorl.rules.protocol import WeightRule, checked_weights
from emorl.scalarizers.protocol import (
    Feedback,
    Floats,
    GroupScores,
    Scalarizer,
    checked_progress,
    checked_reward,
    restored,
)
from emorl.seeds import derived_seed
from emorl.statistics import mean_and_error
from emorl.training.checkpoint import Checkpoint
from emorl.training.convergence import has_converged
from emorl.training.losses import (
    SampledTokens,
    group_advantages,
    log_rewards,
    training_loss,
)
from emorl.training.reading import ResponseReader
from emorl.training.sampling import SampledResponses, SampleRequest

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
    """Wall time; a share of it where adapters train together."""
    converged: bool = False


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of one step, and what it is made of."""

    total: Tensor
    """A scalar with a gradient."""
    kl: Tensor
    reward: float
    """Mean over the responses of what the scalarizer is about, in [0, 1]."""


class Learner:
    """The training of one policy; prompts and samples depend on its spec and the step only."""

    def __init__(
        self,
        policy: Policy,
        adapter: str,
        rewards: RewardTable,
        spec: PolicySpec,
        *,
        train_prompts: Sequence[str],
        validation_prompts: Sequence[str],
    ) -> None:
        """Prepare the training of ``adapter``; see ``ScstTrainer``."""
        self.adapter = adapter
        self.config = config = spec.training
        self.progress = TrainingProgress()
        self._policy = policy
        self._rewards = rewards
        self._train_prompts = list(train_prompts)
        self._validation_prompts = list(validation_prompts)
        self._spec = spec
        self._scalarizer: Scalarizer = SCALARIZERS.load(spec.scalarizer, rewards.objectives)
        self._signals = self._scalarizer.signals()
        self._rule: WeightRule = RULES.load(spec.preferences, len(self._signals))
        self._validation_means: list[float] = []
        self._parameters = {
            name: parameter
            for name, parameter in policy.model.named_parameters()
            if f".{adapter}." in name
        }
        for parameter in self._parameters.values():
            parameter.requires_grad = True
        self._optimizer = torch.optim.AdamW(
            self._parameters.values(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    @property
    def is_done(self) -> bool:
        """Whether there is no step to do; a last validation may be due."""
        return self.progress.converged or self.progress.step >= self.config.max_steps

    @property
    def is_validation_due(self) -> bool:
        """Whether to validate after the steps done so far."""
        step = self.progress.step
        if step == 0:
            return not self._validation_means
        return step % self.config.validate_every == 0 or step == self.config.max_steps

    def next_request(self) -> SampleRequest:
        """Return what to sample for the next step."""
        step = self.progress.step + 1
        prompts = [self._train_prompts[index] for index in self._prompts_of(step)]
        seed = self._seed_of("sample", step)
        return SampleRequest(self.adapter, prompts, self.config.temperature, seed)

    def validation_request(self) -> SampleRequest:
        """Return what to sample for a validation."""
        seed = self._seed_of("validate", self.progress.step)
        return SampleRequest(self.adapter, self._validation_prompts, VALIDATION_TEMPERATURE, seed)

    def dropout_noise(self) -> torch.Generator:
        """Return the source of the next step's dropout."""
        seed = self._seed_of("dropout", self.progress.step + 1)
        return torch.Generator(self._policy.device).manual_seed(seed)

    def loss(
        self,
        request: SampleRequest,
        responses: SampledResponses,
        states: Tensor,
        reference_states: Tensor,
        reader: ResponseReader,
    ) -> Loss:
        """Score responses and return what their gradient follows.

        Args:
            request: What was asked.
            responses: What came, of M tokens in all.
            states: What the head read with the adapter at work, and dropout, ``(M, d)``.
            reference_states: What it read of the base, ``(M, d)``.
            reader: Whose states they are.
        """
        config, mask = self.config, responses.mask
        k = len(responses.texts) // len(request.prompts)
        reward, figure = self._reward(request.prompts, responses.texts, k)
        advantages = group_advantages(reward).flatten()
        sampled = SampledTokens(
            responses.tokens[mask],
            advantages.to(mask.device).repeat_interleave(mask.sum(dim=1)),
            len(mask),
            config.temperature,
            config.kl_coefficient,
        )
        total, kl = training_loss(
            sampled, states, reference_states, reader.head, tokens_at_once=reader.tokens_at_once
        )
        return Loss(total, kl, figure)

    def _reward(
        self, prompts: Sequence[str], texts: Sequence[str], k: int
    ) -> tuple[Tensor, float]:
        """Score k responses to each prompt: rewards ``(P, k)``, and one figure in [0, 1]."""
        repeated = [prompt for prompt in prompts for _ in range(k)]
        columns = [self._rewards.score_objective(name, repeated, texts) for name in self._signals]
        values = torch.from_numpy(np.stack(columns, axis=-1)).float().view(len(prompts), k, -1)
        weights = self._weights("weights", self.progress.step + 1, prompts)
        scores = GroupScores(values.numpy(), log_rewards(values).numpy())
        reward = checked_reward(self._spec.scalarizer.kind, self._scalarizer, scores, weights)
        means = np.array([float(values[..., place].mean()) for place in range(len(columns))])
        figure = self._progress(means, weights)
        return torch.from_numpy(np.ascontiguousarray(reward, dtype=np.float32)), figure

    def _weights(self, purpose: str, step: int, prompts: Sequence[str]) -> Floats:
        rng = np.random.default_rng(self._seed_of(purpose, step))
        kind = self._spec.preferences.kind
        return checked_weights(kind, self._rule, prompts, rng, len(self._signals))

    def _progress(self, means: Floats, weights: Floats) -> float:
        name = self._spec.scalarizer.kind
        return checked_progress(name, self._scalarizer, means, weights.mean(axis=0))

    def step(self, loss: Loss, responses: SampledResponses, seconds: float) -> TrainingStep:
        """Take the step whose gradients ``loss`` has left behind, and report it.

        Raises:
            TrainingError: If the loss or a gradient is not a number.
        """
        done = self.progress
        norm = float(
            nn.utils.clip_grad_norm_(self._parameters.values(), self.config.max_gradient_norm)
        )
        total = loss.total.item()
        if not (math.isfinite(norm) and math.isfinite(total)):
            raise self.broken(f"loss {total}, gradient norm {norm}", done.step + 1)
        self._optimizer.step()
        self._optimizer.zero_grad()
        done.step += 1
        done.samples += len(responses.texts)
        done.tokens += responses.n_tokens
        done.seconds += seconds
        self._scalarizer.observe(Feedback(done.step))
        return TrainingStep(
            adapter=self.adapter,
            step=done.step,
            data_points=done.step * self.config.prompts_per_step,
            samples=done.samples,
            tokens=done.tokens,
            seconds=done.seconds,
            loss=total,
            reward=loss.reward,
            kl=loss.kl.item(),
            gradient_norm=norm,
            weights_now=self._scalarizer.weights_now(),
        )

    def validation(self, responses: SampledResponses) -> tuple[Validation, list[TrainingSample]]:
        """Score the responses to ``validation_request``, decide on convergence, and report."""
        config, prompts = self.config, self._validation_prompts
        repeated = [prompt for prompt in prompts for _ in range(config.validation_samples)]
        scores = self._rewards.score(repeated, responses.texts)
        per_prompt = scores.reshape(len(prompts), config.validation_samples, -1).mean(axis=1)
        means, errors = mean_and_error(per_prompt)
        done = self.progress
        weights = self._weights("validation weights", done.step, prompts)
        signals = [self._rewards.objectives.index(name) for name in self._signals]
        self._validation_means.append(self._progress(np.array(means)[signals], weights))
        self._scalarizer.observe(Feedback(done.step, means))
        done.converged = has_converged(
            self._validation_means, config.convergence_window, config.convergence_threshold
        )
        validation = Validation(
            adapter=self.adapter,
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
                adapter=self.adapter,
                step=done.step,
                prompt_index=prompt,
                text=responses.texts[prompt * config.validation_samples],
                scores=tuple(scores[prompt * config.validation_samples].tolist()),
            )
            for prompt in kept
        ]

    def checkpoint(self) -> Checkpoint:
        """Return all that a later learner needs to go on from here."""
        state: dict[str, Any] = {
            **asdict(self.progress),
            "validation_means": self._validation_means,
            "scalarizer": self._scalarizer.state(),
        }
        return Checkpoint.of(self._parameters, self._optimizer, {self.adapter: state})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint that holds this adapter, with the same settings."""
        state = dict(checkpoint.state[self.adapter])
        self._validation_means = list(state.pop("validation_means"))
        # Checkpoints of the first release have none.
        restored(self._spec.scalarizer.kind, self._scalarizer, state.pop("scalarizer", {}))
        self.progress = TrainingProgress(**state)
        checkpoint.load_into(self._parameters, self._optimizer)

    def broken(self, what: str, step: int) -> TrainingError:
        """Return the error for a training that has left the numbers."""
        return TrainingError(
            f"Training {self.adapter!r} broke at step {step}: {what}. Lower "
            f"training.learning_rate ({self.config.learning_rate}) or raise "
            "training.kl_coefficient, and start a new run."
        )

    def _prompts_of(self, step: int) -> list[int]:
        """Return the step's training prompts: epochs of a seeded order, one after the other."""
        size, total = self.config.prompts_per_step, len(self._train_prompts)
        wanted = range((step - 1) * size, step * size)
        orders = {
            epoch: np.random.default_rng(self._seed_of("order", epoch)).permutation(total)
            for epoch in {position // total for position in wanted}
        }
        return [int(orders[position // total][position % total]) for position in wanted]

    def _seed_of(self, purpose: str, index: int) -> int:
        return derived_seed(self._spec.seed, self._spec.stream, purpose, index)
