"""All members' states through the Hugging Face forward: the generic back end.

It works for every model that Transformers runs with a key-value cache and PEFT's mixed batches,
and knows nothing of an architecture. It is also the oracle of the fast back ends. Rows of a
batch are laid out member-major: row ``a * n_nodes + node`` is prefix ``node`` as member ``a``
reads it. Only the nodes of the last call have a cache; a node that grows from an earlier one
costs a new reading of its whole prefix.
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
    """Implements ``backend.Forward`` for any model. Not thread-safe."""

    def __init__(self, policy: Policy, members: Sequence[str]) -> None:
        """Prepare a decoding.

        Args:
            policy: Base model with the adapters on it.
            members: Adapter names, or ``BASE``; their order is the order of the weights.

        Raises:
            ModelError: If an adapter is not there, or the model has no head to share.
        """
        check_members(policy, members)
        head: nn.Module = policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]
        self.n_members = len(members)
        self.bytes_per_node = _bytes_per_node(policy, len(members))
        self._head = head
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
        self._paths: list[tuple[int, tuple[int, ...]]] = []
        self._first_cached = 0
        self._cache: Any = None
        self._inputs = torch.empty(0)
        self._prompt_mask = torch.empty(0)
        self._mask = torch.empty(0)
        self._encoded: Tensor | None = None

    def start(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read the prompts; see ``backend.Forward``.

        For a single member the states are the model's logits, and ``head`` does nothing.
        """
        self._inputs, self._prompt_mask = input_ids, attention_mask
        self._paths = [(prompt, ()) for prompt in range(len(input_ids))]
        self._first_cached = 0
        prompts = torch.arange(len(input_ids), device=input_ids.device)
        return self._read(prompts, torch.empty(len(input_ids), 0, dtype=torch.long))

    def grow(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Read nodes that add one token each; see ``backend.Forward``."""
        first_new = len(self._paths)
        for parent, token in zip(parents.tolist(), tokens.tolist(), strict=True):
            prompt, response = self._paths[parent]
            self._paths.append((prompt, (*response, token)))
        if self._cache is not None and int(parents.min()) >= self._first_cached:
            self._select(parents - self._first_cached)
            states = self._continue(tokens)
        else:
            states = self._read_again(first_new)
        self._first_cached = first_new
        return states

    def keep(self, nodes: Tensor) -> None:
        """Do nothing: only the last call's nodes are ever held."""

    def _read_again(self, first_new: int) -> Tensor:
        """Read the prefixes of all nodes from ``first_new`` on, those of one length together."""
        device = self._inputs.device
        new = self._paths[first_new:]
        lengths = sorted({len(response) for _, response in new})
        found: dict[int, Tensor] = {}
        for length in lengths:
            places = [place for place, (_, r) in enumerate(new) if len(r) == length]
            prompts = torch.tensor([new[place][0] for place in places], device=device)
            responses = torch.tensor([new[place][1] for place in places], device=device)
            states = self._read(prompts, responses)
            found |= {place: states[:, row] for row, place in enumerate(places)}
        if len(lengths) > 1:
            self._cache = None  # holds the nodes of one length only
        return torch.stack([found[place] for place in range(len(new))], dim=1)

    def _read(self, prompts: Tensor, responses: Tensor) -> Tensor:
        n, device = self.n_members, self._inputs.device
        self._cache = None
        inputs = self._inputs[prompts].repeat(n, 1)
        self._mask = self._prompt_mask[prompts].repeat(n, 1)
        written = responses.to(device).repeat(n, 1)
        if self._policy.is_encoder_decoder:
            first = torch.full_like(inputs[:, :1], self._policy.decoder_start_token_id)
            return self._forward(
                input_ids=inputs, decoder_input_ids=torch.cat([first, written], dim=1)
            )
        self._mask = torch.cat([self._mask, torch.ones_like(written)], dim=1)
        positions = (self._mask.cumsum(-1) - 1).clamp(min=0)
        return self._forward(input_ids=torch.cat([inputs, written], dim=1), position_ids=positions)

    def _continue(self, tokens: Tensor) -> Tensor:
        column = tokens.repeat(self.n_members).unsqueeze(1)
        if self._policy.is_encoder_decoder:
            return self._forward(
                encoder_outputs=BaseModelOutput(last_hidden_state=self._encoded),
                decoder_input_ids=column,
            )
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        positions = self._mask.sum(-1, keepdim=True) - 1
        return self._forward(input_ids=column, position_ids=positions)

    def _forward(self, **inputs: Any) -> Tensor:
        n_nodes = len(self._mask) // self.n_members
        if self._is_mixed:
            inputs["adapter_names"] = [m for m in self._members for _ in range(n_nodes)]
        with torch.no_grad(), _head_inputs(None if self._is_alone else self._head) as captured:
            output = self._policy.model(
                attention_mask=self._mask,
                past_key_values=self._cache,
                use_cache=True,
                **inputs,
            )
        self._cache = output.past_key_values
        if self._policy.is_encoder_decoder:
            self._encoded = output.encoder_last_hidden_state
        states: Tensor = output.logits[:, -1] if self._is_alone else captured[0]
        return states.reshape(self.n_members, n_nodes, -1)

    def _select(self, places: Tensor) -> None:
        n_nodes = len(self._mask) // self.n_members
        if len(places) == n_nodes and torch.equal(
            places, torch.arange(n_nodes, device=places.device)
        ):
            return
        offsets = torch.arange(self.n_members, device=places.device) * n_nodes
        rows = (offsets.unsqueeze(1) + places.unsqueeze(0)).flatten()
        self._cache.batch_select_indices(rows)
        self._mask = self._mask[rows]
        if self._encoded is not None:
            self._encoded = self._encoded[rows]


def check_members(policy: Policy, members: Sequence[str]) -> None:
    """Make sure that a policy has these members and a head that they share.

    Raises:
        ModelError: If it does not.
    """
    known = set(policy.model.peft_config) if isinstance(policy.model, PeftModel) else set()
    missing = [name for name in members if name != BASE and name not in known]
    if missing:
        raise ModelError(
            f"The policy has no adapter {missing[0]!r}; it has {sorted(known)}. "
            "Train it with `emorl train`."
        )
    if policy.base.get_output_embeddings() is None:  # type: ignore[no-untyped-call]
        raise ModelError(
            f"{policy.config.model!r} has no language-model head; an ensemble needs one."
        )


def _bytes_per_node(policy: Policy, n_members: int) -> int:
    """Estimate a node's keys and values; an upper bound where heads share them."""
    config = policy.base.config.get_text_config(decoder=True)
    return int(
        n_members * config.num_hidden_layers * 2 * config.hidden_size * policy.base.dtype.itemsize
    )


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
