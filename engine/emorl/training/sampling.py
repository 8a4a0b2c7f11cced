"""Sampled responses of several adapters, each to prompts of its own.

A *batch* is what one adapter sampled. Adapters that train together are sampled in one pass; what
a batch holds does not depend on whom it shared that pass with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from emorl.decoding.backend import Forward
from emorl.decoding.forward import BASE, HuggingFaceForward
from emorl.decoding.levels.hidden_state import hidden_state_scores
from emorl.decoding.loop import Choose, decode, drawn
from emorl.decoding.stacked import stacked_forward, unsupported_reason
from emorl.models.policy import Policy


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """What one adapter is to answer."""

    adapter: str
    """Its name, or ``BASE``."""
    prompts: Sequence[str]
    temperature: float
    seed: int


@dataclass(frozen=True, slots=True)
class SampledResponses:
    """N = P k responses to P prompts, those of one prompt side by side."""

    input_ids: Tensor
    """Prompts, ``(P, length)``, padded as ``Policy.encode`` does."""
    attention_mask: Tensor
    """Same shape."""
    tokens: Tensor
    """Response tokens, ``(N, T)``, padded on the right."""
    mask: Tensor
    """True where a token was sampled, the end token included, ``(N, T)``."""
    texts: list[str]

    @property
    def n_tokens(self) -> int:
        """Sampled tokens in all."""
        return int(self.mask.sum())


def sample_responses(
    policy: Policy, requests: Sequence[SampleRequest], *, samples_per_prompt: int
) -> list[SampledResponses]:
    """Sample responses, one batch per request: no top-k, no top-p, no dropout.

    The same seed, model and thread count give the same responses on CPU. Where no fast back end
    knows the model, the requests are served one after the other.
    """
    obstacle = unsupported_reason(policy, [request.adapter for request in requests])
    if obstacle is None:
        forward = stacked_forward(
            policy,
            [request.adapter for request in requests],
            [len(request.prompts) for request in requests] if len(requests) > 1 else None,
        )
        return _sample(policy, forward, requests, samples_per_prompt)
    found = []
    for request in requests:
        with _active(policy, request.adapter):
            alone = HuggingFaceForward(policy, (request.adapter,))
            found += _sample(policy, alone, [request], samples_per_prompt)
    return found


@contextmanager
def _active(policy: Policy, adapter: str) -> Iterator[None]:
    """Make an adapter the active one for a block; what is trained stays trained."""
    if adapter == BASE or not isinstance(policy.model, PeftModel):
        yield
        return
    layers: Any = policy.model.base_model
    before = policy.model.active_adapters
    trained = [parameter for parameter in policy.model.parameters() if parameter.requires_grad]
    policy.model.set_adapter(adapter)
    try:
        yield
    finally:
        layers.set_adapter(before)
        for parameter in trained:
            parameter.requires_grad = True


def _sample(
    policy: Policy, forward: Forward, requests: Sequence[SampleRequest], n_samples: int
) -> list[SampledResponses]:
    prompts = [prompt for request in requests for prompt in request.prompts]
    input_ids, attention_mask = policy.encode(prompts)
    n_tokens = policy.config.max_new_tokens
    by_sample = decode(
        forward,
        hidden_state_scores,
        input_ids,
        attention_mask,
        torch.ones(n_samples, 1),
        max_new_tokens=n_tokens,
        eos_token_ids=policy.eos_token_ids,
        choose=_by_own_chances(requests, n_samples, n_tokens, policy.device),
    )
    found, first = [], 0
    for request in requests:
        places = range(first, first + len(request.prompts))
        rows = [by_sample[k][place] for place in places for k in range(n_samples)]
        own = slice(first, first + len(request.prompts))
        found.append(_batch(policy, input_ids[own], attention_mask[own], rows))
        first = places.stop
    return found


def _by_own_chances(
    requests: Sequence[SampleRequest], n_samples: int, n_tokens: int, device: torch.device
) -> Choose:
    """Let every request draw from its own seed what it would draw alone."""
    chances, temperatures = [], []
    for request in requests:
        generator = torch.Generator().manual_seed(request.seed)
        size = (n_samples, len(request.prompts))
        chances.append(torch.rand(*size, n_tokens, dtype=torch.float64, generator=generator))
        temperatures.append(torch.full(size, request.temperature, dtype=torch.float64))
    return drawn(
        torch.cat(temperatures, dim=1).flatten().to(device),
        torch.cat(chances, dim=1).flatten(0, 1).to(device),
    )


def _batch(
    policy: Policy, input_ids: Tensor, attention_mask: Tensor, rows: list[list[int]]
) -> SampledResponses:
    # Columns that are padding for all of these prompts are there because of other requests'.
    columns = attention_mask.any(dim=0)
    padded = [torch.tensor(row) for row in rows]
    tokens = pad_sequence(padded, batch_first=True, padding_value=policy.pad_token_id)
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(tokens.shape[1]) < lengths.unsqueeze(1)
    return SampledResponses(
        input_ids[:, columns],
        attention_mask[:, columns],
        tokens.to(policy.device),
        mask.to(policy.device),
        [policy.decode(row) for row in rows],
    )
