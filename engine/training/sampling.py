"""Sampled responses: written by the active adapter, with the tokens that a loss needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers.modeling_outputs import BaseModelOutput

from engine.ensemble.aggregation import hidden_state_scores
from engine.ensemble.choice import choose_backend
from engine.ensemble.decoding import decode, sampled
from engine.policy import Policy


@dataclass(frozen=True, slots=True)
class SampledResponses:
    """N = P k responses to P prompts, those of one prompt side by side."""

    input_ids: Tensor
    """Prompts, ``(P, length)``."""
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
    policy: Policy,
    member: str,
    prompts: Sequence[str],
    *,
    samples_per_prompt: int,
    temperature: float,
    seed: int,
) -> SampledResponses:
    """Sample responses from one adapter (or ``BASE``): no top-k, no top-p, no dropout.

    The same seed, model and thread count give the same responses on CPU.
    """
    input_ids, attention_mask = policy.encode(prompts)
    generator = torch.Generator(policy.device).manual_seed(seed)
    by_sample = decode(
        choose_backend(policy, (member,)).make(),
        hidden_state_scores,
        input_ids,
        attention_mask,
        torch.ones(samples_per_prompt, 1),
        max_new_tokens=policy.config.max_new_tokens,
        eos_token_ids=policy.eos_token_ids,
        choose=sampled(temperature, generator),
    )
    rows = [by_sample[k][p] for p in range(len(prompts)) for k in range(samples_per_prompt)]
    padded = [torch.tensor(row) for row in rows]
    tokens = pad_sequence(padded, batch_first=True, padding_value=policy.pad_token_id)
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(tokens.shape[1]) < lengths.unsqueeze(1)
    return SampledResponses(
        input_ids,
        attention_mask,
        tokens.to(policy.device),
        mask.to(policy.device),
        [policy.decode(row) for row in rows],
    )


def response_logits(policy: Policy, responses: SampledResponses) -> Tensor:
    """Return the active adapter's logits at every response token, ``(N, T, V)``.

    An encoder reads each prompt once, not once per sample.
    """
    k = len(responses.tokens) // len(responses.input_ids)
    prompt_mask = responses.attention_mask.repeat_interleave(k, dim=0)
    tokens = responses.tokens
    if policy.is_encoder_decoder:
        encoded = policy.base.get_encoder()(
            input_ids=responses.input_ids, attention_mask=responses.attention_mask
        ).last_hidden_state
        output = policy.base(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded.repeat_interleave(k, dim=0)),
            attention_mask=prompt_mask,
            decoder_input_ids=_shifted_right(policy, tokens),
            use_cache=False,
        )
        logits: Tensor = output.logits
        return logits
    inputs = torch.cat([responses.input_ids.repeat_interleave(k, dim=0), tokens], dim=1)
    mask = torch.cat([prompt_mask, torch.ones_like(tokens)], dim=1)
    output = policy.base(
        input_ids=inputs[:, :-1],
        attention_mask=mask[:, :-1],
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, :-1],
        logits_to_keep=tokens.shape[1],
        use_cache=False,
    )
    causal_logits: Tensor = output.logits
    return causal_logits


@torch.no_grad()
def reference_logits(policy: Policy, responses: SampledResponses) -> Tensor:
    """Return the base model's logits at every response token, ``(N, T, V)``."""
    if not isinstance(policy.model, PeftModel):
        return response_logits(policy, responses)
    with policy.model.disable_adapter():
        return response_logits(policy, responses)


def _shifted_right(policy: Policy, tokens: Tensor) -> Tensor:
    first = torch.full_like(tokens[:, :1], policy.decoder_start_token_id)
    return torch.cat([first, tokens[:, :-1]], dim=1)
