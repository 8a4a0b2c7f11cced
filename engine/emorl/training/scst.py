"""Self-critical sequence training (EMORL, arXiv:2505.02579, section 5.1), of several adapters.

Each step samples k responses to each of P prompts, scores them, and raises the log-probability of
those above their prompt's mean. Adapters that train together share the passes of the base over
their samples; what each of them learns is what it would learn alone, up to rounding.
Departures from the reference code:

1. The KL to the base has a gradient; there it was a constant times advantages of mean zero.
2. The trained tokens are the sampled ones, end token included; nothing is tokenised again.
3. Dropout acts on the adapters' update in the loss only: samples and validations come from the
   policy that is kept, and the base never drops anything.
4. Prompts are cut at one length everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from emorl.errors import ScoresError, TrainingError
from emorl.models.policy import Policy
from emorl.policies import PolicySpec
from emorl.records import TrainingSample, TrainingStep, Validation
from emorl.rewards import RewardTable
from emorl.training.batched_adapters import BatchedAdapters
from emorl.training.checkpoint import Checkpoint
from emorl.training.learner import Learner, Loss
from emorl.training.reading import ResponseReader
from emorl.training.sampling import SampledResponses, SampleRequest, sample_responses

Record = TrainingStep | tuple[Validation, list[TrainingSample]]


class ScstTrainer:
    """Trains adapters of a policy, each by a specification of its own.

    Iterate over ``run``; the caller stores what it yields and saves a ``checkpoint`` when it
    likes. A trainer that starts from a checkpoint yields the same records as an undisturbed one
    (but for seconds).
    """

    def __init__(
        self,
        policy: Policy,
        specs: Mapping[str, PolicySpec],
        rewards: RewardTable,
        *,
        train_prompts: Sequence[str],
        validation_prompts: Sequence[str],
    ) -> None:
        """Prepare the training.

        Args:
            policy: The base with the adapters on it.
            specs: What each adapter is trained for, by its name on the policy.
            rewards: Scores of all objectives.
            train_prompts: Training split.
            validation_prompts: Aggregation split.
        """
        self._policy = policy
        self._reader = ResponseReader(policy)
        self._learners = {
            adapter: Learner(
                policy,
                adapter,
                rewards,
                spec,
                train_prompts=train_prompts,
                validation_prompts=validation_prompts,
            )
            for adapter, spec in specs.items()
        }

    def run(self) -> Iterator[list[Record]]:
        """Train until every adapter has converged or done its ``max_steps``.

        Yields:
            What all adapters did in one turn: a step each, and a validation where it is due.
            After each turn, a ``checkpoint`` holds all adapters as of then.

        Raises:
            TrainingError: If a loss, a gradient or a probability is not a number.
        """
        fresh = [one for one in self._learners.values() if one.progress.step == 0]
        if first := self._validate(fresh):
            yield first
        while going_on := [one for one in self._learners.values() if not one.is_done]:
            steps: list[Record] = []
            for group in _sharing(going_on, lambda one: one.config.samples_per_prompt):
                steps += self._step(group)
            yield steps + self._validate(going_on)

    def learner(self, adapter: str) -> Learner:
        """Return one adapter's training."""
        return self._learners[adapter]

    def checkpoint(self) -> Checkpoint:
        """Return all that a later trainer needs to go on from here."""
        return Checkpoint.joined([one.checkpoint() for one in self._learners.values()])

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint with the same settings; adapters that it lacks start anew."""
        for name, learner in self._learners.items():
            if name in checkpoint.state:
                learner.restore(checkpoint)

    def _step(self, learners: Sequence[Learner]) -> list[TrainingStep]:
        started = time.perf_counter()
        requests = [one.next_request() for one in learners]
        batches = self._sampled(learners, requests, learners[0].config.samples_per_prompt)
        losses = self._losses(learners, requests, batches)
        # The adapters' parameters are their own: one backward pass gives each its own gradient.
        torch.stack([loss.total for loss in losses]).sum().backward()  # type: ignore[no-untyped-call]
        seconds = (time.perf_counter() - started) / len(learners)
        return [
            one.step(loss, batch, seconds)
            for one, loss, batch in zip(learners, losses, batches, strict=True)
        ]

    def _losses(
        self,
        learners: Sequence[Learner],
        requests: Sequence[SampleRequest],
        batches: Sequence[SampledResponses],
    ) -> list[Loss]:
        batched = BatchedAdapters(self._policy, [one.adapter for one in learners])
        noise = [one.dropout_noise() for one in learners]
        with batched.reading(self._reader.extents(batches), noise):
            with torch.no_grad(), batched.base_only():
                of_base = self._reader.states(batches)
            of_adapters = self._reader.states(batches)
        return [
            one.loss(request, batch, states, reference, self._reader)
            for one, request, batch, states, reference in zip(
                learners, requests, batches, of_adapters, of_base, strict=True
            )
        ]

    def _validate(self, learners: Sequence[Learner]) -> list[Record]:
        """Validate those that are due."""
        due = [one for one in learners if one.is_validation_due]
        found: list[Record] = []
        for group in _sharing(due, lambda one: one.config.validation_samples):
            requests = [one.validation_request() for one in group]
            batches = self._sampled(group, requests, group[0].config.validation_samples)
            found += [one.validation(batch) for one, batch in zip(group, batches, strict=True)]
        return found

    def _sampled(
        self, learners: Sequence[Learner], requests: Sequence[SampleRequest], n_samples: int
    ) -> list[SampledResponses]:
        try:
            return sample_responses(self._policy, requests, samples_per_prompt=n_samples)
        except ScoresError as error:
            raise self._culprit(learners, requests, n_samples) from error

    def _culprit(
        self, learners: Sequence[Learner], requests: Sequence[SampleRequest], n_samples: int
    ) -> TrainingError:
        """Return the error of the adapter whose probabilities are NaN or infinite."""
        what = "the policy's probabilities are NaN or infinite"
        for one, request in zip(learners, requests, strict=True):
            try:
                sample_responses(self._policy, [request], samples_per_prompt=n_samples)
            except ScoresError:
                return one.broken(what, one.progress.step)
        return learners[0].broken(what, learners[0].progress.step)


def _sharing(learners: Sequence[Learner], key: Callable[[Learner], int]) -> list[list[Learner]]:
    """Group learners that can share a pass, in order."""
    groups: dict[int, list[Learner]] = {}
    for one in learners:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())
