"""All adapters' hidden states for a set of prefixes, through the Hugging Face forward.

The generic back end: it works for every model that Transformers runs with a key-value cache and
PEFT's mixed batches, and knows nothing of an architecture. Rows of a batch are laid out
adapter-major: row ``a * n_nodes + node`` is prefix ``node`` as adapter ``a`` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from engine.errors import ModelError
from engine.policy import Policy

BASE = "__base__"
"""Member name of the base model without any adapter (PEFT's word for it)."""


class HuggingFaceForward:
    """Reads prefixes with several members at once and keeps their caches.

    A *node* is a prefix: a prompt and the tokens after it. Call ``start`` once, then ``step``
    with the nodes to grow. Not thread-safe: one decoding at a time.
    """

    def __init__(self, policy: Policy, members: Sequence[str]) -> None:
        """Prepare a decoding.

        Args:
            policy: Base model with the adapters on it.
            members: Adapter names, or ``BASE``; their order is the order of the weights.

        Raises:
            ModelError: If an adapter is not there, or the model has no head to share.
        """
        known = set(policy.model.peft_config) if isinstance(policy.model, PeftModel) else set()
        missing = [name for name in members if name != BASE and name not in known]
        if missing:
            raise ModelError(
                f"The policy has no adapter {missing[0]!r}; it has {sorted(known)}. "
                "Train it with `emorl train`."
            )
        head = policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]
        if head is None:
            raise ModelError(
                f"{policy.config.model!r} has no language-model head; an ensemble needs one."
            )
        self._head: nn.Module = head
        # A single member writes with the model's own logits, whatever the model does behind its
        # head (scaling, soft caps, biases): training must sample what its loss differentiates.
        self._is_alone = len(members) == 1
        self.head: nn.Module = nn.Identity() if self._is_alone else head
        self._policy = policy
        self._members = tuple(members)
        # PEFT hooks every layer at each forward of a mixed batch; the active adapter alone, as
        # when training samples from it, needs none of that.
        self._is_mixed = (
            isinstance(policy.model, PeftModel) and list(members) != policy.model.active_adapters
        )
        self._cache: Any = None
        self._prompt_mask = torch.empty(0)
        self._encoded: Tensor | None = None
        self._n_nodes = 0
        self._n_read = 0

    def start(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read the prompts.

        Args:
            input_ids: ``(n_prompts, length)``, padded as ``Policy.encode`` does.
            attention_mask: Same shape.

        Returns:
            What ``head`` takes, for the first response token: ``(n_members, n_prompts, width)``;
            the width is that of the model, or of the vocabulary for a single member.
        """
        n = len(self._members)
        self._n_nodes = len(input_ids)
        self._prompt_mask = attention_mask.repeat(n, 1)
        inputs = input_ids.repeat(n, 1)
        if self._policy.is_encoder_decoder:
            first = torch.full(
                (len(inputs), 1),
                self._policy.decoder_start_token_id,
                device=inputs.device,
                dtype=torch.long,
            )
            return self._forward(input_ids=inputs, decoder_input_ids=first)
        positions = (self._prompt_mask.cumsum(-1) - 1).clamp(min=0)
        return self._forward(input_ids=inputs, position_ids=positions)

    def step(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Grow prefixes by one token each.

        Args:
            parents: Index of each new node's parent among the nodes of the last call,
                ``(n_nodes,)``. Parents that are not named are forgotten.
            tokens: The token that each new node adds, ``(n_nodes,)``.

        Returns:
            What ``head`` takes, for the token after it: ``(n_members, n_nodes, width)``.
        """
        self._select(parents)
        n = len(self._members)
        column = tokens.repeat(n).unsqueeze(1)
        if self._policy.is_encoder_decoder:
            return self._forward(
                encoder_outputs=BaseModelOutput(last_hidden_state=self._encoded),
                decoder_input_ids=column,
            )
        ones = torch.ones_like(self._prompt_mask[:, :1])
        self._prompt_mask = torch.cat([self._prompt_mask, ones], dim=1)
        positions = self._prompt_mask.sum(-1, keepdim=True) - 1
        return self._forward(input_ids=column, position_ids=positions)

    def _forward(self, **inputs: Any) -> Tensor:
        if self._is_mixed:
            inputs["adapter_names"] = [m for m in self._members for _ in range(self._n_nodes)]
        with _head_inputs(None if self._is_alone else self._head) as captured:
            output = self._policy.model(
                attention_mask=self._prompt_mask,
                past_key_values=self._cache,
                use_cache=True,
                **inputs,
            )
        self._cache = output.past_key_values
        if self._policy.is_encoder_decoder:
            self._encoded = output.encoder_last_hidden_state
        states: Tensor = output.logits[:, -1] if self._is_alone else captured[0]
        return states.reshape(len(self._members), self._n_nodes, -1)

    def _select(self, parents: Tensor) -> None:
        if len(parents) == self._n_nodes and torch.equal(
            parents, torch.arange(self._n_nodes, device=parents.device)
        ):
            return
        offsets = torch.arange(len(self._members), device=parents.device) * self._n_nodes
        rows = (offsets.unsqueeze(1) + parents.unsqueeze(0)).flatten()
        self._cache.batch_select_indices(rows)
        self._prompt_mask = self._prompt_mask[rows]
        if self._encoded is not None:
            self._encoded = self._encoded[rows]
        self._n_nodes = len(parents)


@contextmanager
def _head_inputs(head: nn.Module | None) -> Iterator[list[Tensor]]:
    """Catch what goes into the head at the last position, and let the head do no work.

    The head's product is left to the aggregation, which needs one per text, not one per member.
    Catching its input, rather than ``hidden_states[-1]``, includes whatever the architecture
    does in between (T5 scales by d_model ** -0.5).
    """
    captured: list[Tensor] = []
    if head is None:
        yield captured
        return

    def catch(_head: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = arguments[0]
        captured.append(hidden[:, -1])
        return (hidden[:, :0],)

    handle = head.register_forward_pre_hook(catch)
    try:
        yield captured
    finally:
        handle.remove()
