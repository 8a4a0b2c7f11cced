"""Other ways to the same tokens, on the same models and prompts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from emorl.models.policy import Policy


def merged_copies(policy: Policy, members: Sequence[str]) -> list[PreTrainedModel]:
    """Return one full model per member, its adapter merged in."""
    copies: list[PreTrainedModel] = []
    for name in members:
        model: Any = copy.deepcopy(policy.model)
        model.set_adapter(name)
        copies.append(model.merge_and_unload().eval())
    return copies


@torch.no_grad()
def plain_generate(model: PreTrainedModel, ids: Tensor, mask: Tensor, n_tokens: int) -> Tensor:
    """One ``generate`` of one merged model: the unit of all figures; returns its tokens."""
    generator: Any = model
    sequences: Tensor = generator.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=False,
        max_new_tokens=n_tokens,
        min_new_tokens=n_tokens,
        pad_token_id=0,
    )
    return sequences[:, -n_tokens:]


@torch.no_grad()
def reference_ensemble(
    models: Sequence[PreTrainedModel], ids: Tensor, weights: Tensor, n_tokens: int
) -> Tensor:
    """The published EMORL algorithm, re-written: n models, no cache, the whole prefix each step.

    Args:
        models: One per member.
        ids: Prompts, ``(n_prompts, length)``, without padding.
        weights: ``(n_members,)``.
        n_tokens: Tokens to write; no response ends earlier.
    """
    is_encoder_decoder = models[0].config.is_encoder_decoder
    head: Any = models[0].get_output_embeddings()  # type: ignore[no-untyped-call]
    written = torch.zeros(len(ids), 0, dtype=torch.long, device=ids.device)
    for _ in range(n_tokens):
        mixed: Tensor | float = 0.0
        for weight, model in zip(weights, models, strict=True):
            caller: Any = model
            if is_encoder_decoder:
                start = torch.zeros_like(ids[:, :1])
                output = caller(
                    input_ids=ids,
                    decoder_input_ids=torch.cat([start, written], dim=1),
                    use_cache=False,
                    output_hidden_states=True,
                )
                state = output.decoder_hidden_states[-1][:, -1]
            else:
                output = caller(
                    input_ids=torch.cat([ids, written], dim=1),
                    use_cache=False,
                    output_hidden_states=True,
                )
                state = output.hidden_states[-1][:, -1]
            mixed = mixed + weight * state
        assert isinstance(mixed, Tensor)
        written = torch.cat([written, head(mixed).argmax(-1, keepdim=True)], dim=1)
    return written


@torch.no_grad()
def cached_ensemble(
    models: Sequence[PreTrainedModel], ids: Tensor, weights: Tensor, n_tokens: int
) -> tuple[Tensor, Tensor]:
    """The n copies with a key-value cache each and the encoder read once.

    Args:
        models: One per member.
        ids: Prompts, ``(n_prompts, length)``, without padding.
        weights: ``(n_members,)``, or ``(n_prompts, n_members)`` for one vector per row.
        n_tokens: Tokens to write.

    Returns:
        Tokens, and the relative gap between the two largest scores, both
        ``(n_prompts, n_tokens)``.
    """
    own = weights.expand(len(ids), -1)
    is_encoder_decoder = models[0].config.is_encoder_decoder
    head: Any = models[0].get_output_embeddings()  # type: ignore[no-untyped-call]
    caches: list[Any] = [None] * len(models)
    encoded: list[Any] = [None] * len(models)
    written: list[Tensor] = []
    gaps: list[Tensor] = []
    for step in range(n_tokens):
        mixed: Tensor | float = 0.0
        for member, model in enumerate(models):
            caller: Any = model
            if is_encoder_decoder:
                token = written[-1] if step else torch.zeros_like(ids[:, :1])
                source = {"encoder_outputs": encoded[member]} if step else {"input_ids": ids}
                output = caller(
                    **source,
                    decoder_input_ids=token,
                    past_key_values=caches[member],
                    use_cache=True,
                    output_hidden_states=True,
                )
                encoded[member] = (output.encoder_last_hidden_state,)
                state = output.decoder_hidden_states[-1][:, -1]
            else:
                output = caller(
                    input_ids=written[-1] if step else ids,
                    past_key_values=caches[member],
                    use_cache=True,
                    output_hidden_states=True,
                )
                state = output.hidden_states[-1][:, -1]
            caches[member] = output.past_key_values
            mixed = mixed + own[:, member : member + 1] * state
        scores = head(mixed)
        largest = scores.topk(2, dim=-1).values
        written.append(scores.argmax(-1, keepdim=True))
        gaps.append((largest[:, :1] - largest[:, 1:]) / largest[:, :1].abs().clamp(min=1e-9))
    return torch.cat(written, dim=1), torch.cat(gaps, dim=1)
