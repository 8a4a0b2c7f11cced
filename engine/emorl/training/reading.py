"""What the head reads at every sampled token, of several adapters' batches in one pass.

Vocabularies are left to the loss, which needs them for some tokens at a time only, and not for
the padding behind shorter responses. (Not of models that do more than scale behind their head:
there the loss is given the logits.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from emorl.decoding.head import head_inputs, shared_head
from emorl.models.policy import Policy
from emorl.training.batched_adapters import Extent
from emorl.training.sampling import SampledResponses

_SCORES_AT_ONCE = {"cpu": 2**22, "cuda": 2**27}
"""Scores of the next token that a loss holds at once. On a CPU, half or twice as many took as
long; for a GPU it is a guess at what keeps one busy."""


class ResponseReader:
    """Reads responses with a policy's model, whichever adapters are at work."""

    head: nn.Module
    """Makes logits of states."""

    def __init__(self, policy: Policy) -> None:
        """Find out what the model's head is."""
        self._policy = policy
        base_head: nn.Module = policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]
        shared = shared_head(policy)
        # Of models that do more than scale behind their head, the states are the logits.
        self._base_head = base_head if shared.gives == "logits" else None
        self.head = shared.module if shared.gives == "logits" else nn.Identity()

    @property
    def tokens_at_once(self) -> int:
        """Tokens whose logits are to be held at the same time."""
        n_scores = _SCORES_AT_ONCE.get(self._policy.device.type, _SCORES_AT_ONCE["cpu"])
        config: Any = self._policy.base.config.get_text_config(decoder=True)
        return max(1, n_scores // int(config.vocab_size))

    def states(self, batches: Sequence[SampledResponses]) -> list[Tensor]:
        """Return what the head reads to predict every sampled token, ``(M, d)`` per batch.

        All batches go through the model as one, with the same number of samples for each prompt.
        An encoder reads each prompt once, not once per sample.
        """
        with head_inputs(self._base_head) as captured:
            logits = self._read(batches)
        states = captured[0] if captured else logits
        parts = torch.split(states, [len(batch.tokens) for batch in batches])
        return [
            # Not by the mask itself: the gradient of that sorts its indices.
            part[:, : batch.mask.shape[1]]
            .flatten(0, 1)
            .index_select(0, batch.mask.flatten().nonzero().squeeze(1))
            for part, batch in zip(parts, batches, strict=True)
        ]

    def extents(self, batches: Sequence[SampledResponses]) -> list[Extent]:
        """Return what is each batch's own in the pass of ``states``."""
        prompt_length, response_length = self._lengths(batches)
        found = []
        for batch in batches:
            prompt, response = batch.input_ids.shape[1], batch.tokens.shape[1]
            if self._policy.is_encoder_decoder:
                columns = {prompt_length: slice(0, prompt), response_length: slice(0, response)}
            else:
                first = prompt_length - prompt
                # The last response token is predicted, but predicts nothing.
                together = prompt_length + response_length - 1
                columns = {together: slice(first, prompt_length + response - 1)}
            found.append(Extent(len(batch.input_ids), columns))
        return found

    def _read(self, batches: Sequence[SampledResponses]) -> Tensor:
        """Return the model's logits at all response tokens, padding included, of all batches."""
        policy = self._policy
        k = len(batches[0].tokens) // len(batches[0].input_ids)
        input_ids, prompt_mask, tokens = self._padded(batches)
        masks = prompt_mask.repeat_interleave(k, dim=0)
        if policy.is_encoder_decoder:
            encoded = policy.base.get_encoder()(
                input_ids=input_ids, attention_mask=prompt_mask
            ).last_hidden_state.repeat_interleave(k, dim=0)
            first = torch.full_like(tokens[:, :1], policy.decoder_start_token_id)
            output = policy.base(
                encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
                attention_mask=masks,
                decoder_input_ids=torch.cat([first, tokens[:, :-1]], dim=1),
                use_cache=False,
            )
        else:
            inputs = torch.cat([input_ids.repeat_interleave(k, dim=0), tokens], dim=1)
            mask = torch.cat([masks, torch.ones_like(tokens)], dim=1)
            output = policy.base(
                input_ids=inputs[:, :-1],
                attention_mask=mask[:, :-1],
                position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, :-1],
                logits_to_keep=tokens.shape[1],
                use_cache=False,
            )
        logits: Tensor = output.logits
        return logits

    def _lengths(self, batches: Sequence[SampledResponses]) -> tuple[int, int]:
        """Return the lengths that prompts and responses are padded to."""
        prompt = max(batch.input_ids.shape[1] for batch in batches)
        response = max(batch.tokens.shape[1] for batch in batches)
        if self._policy.is_encoder_decoder and prompt == response:
            response += 1  # a layer must be able to tell from a length which of the two it reads
        return prompt, response

    def _padded(self, batches: Sequence[SampledResponses]) -> tuple[Tensor, Tensor, Tensor]:
        """Return prompts, their mask, and responses of all batches, padded to common lengths."""
        prompt_length, response_length = self._lengths(batches)
        side = "right" if self._policy.is_encoder_decoder else "left"
        pad = self._policy.pad_token_id
        return (
            torch.cat([_to_length(b.input_ids, prompt_length, side, pad) for b in batches]),
            torch.cat([_to_length(b.attention_mask, prompt_length, side, 0) for b in batches]),
            torch.cat([_to_length(b.tokens, response_length, "right", pad) for b in batches]),
        )


def _to_length(rows: Tensor, length: int, side: str, value: int) -> Tensor:
    missing = length - rows.shape[1]
    return F.pad(rows, (missing, 0) if side == "left" else (0, missing), value=value)
