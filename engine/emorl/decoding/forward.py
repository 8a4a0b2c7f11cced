"""All members' states through the Hugging Face forward: the generic back end.

It works for every model that Transformers runs with a key-value cache, and knows nothing of an
architecture. Members are read as one of PEFT's mixed batches, or one after the other where PEFT
can not mix them (DoRA). It is also the oracle of the fast back ends. Rows of a batch are laid out
member-major: row ``a * n_nodes + node`` is prefix ``node`` as member ``a`` reads it. Only the
nodes of the last call have a cache; a node that grows from an earlier one costs a new reading of
its whole prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from emorl.decoding.head import SharedHead, head_inputs, shared_head
from emorl.decoding.memory import bytes_of_reading
from emorl.decoding.screen import Screen
from emorl.errors import ModelError
from emorl.models.policy import Policy

BASE = "__base__"
"""Member name of the base model without any adapter (PEFT's word for it)."""


class HuggingFaceForward:
    """Implements ``backend.Forward`` for any model. Not thread-safe."""

    bytes_of_base = bytes_of_adapters = 0
    keeps_nodes = False
    screen: Screen | None = None

    def __init__(
        self, policy: Policy, members: Sequence[str], head: SharedHead | None = None
    ) -> None:
        """Prepare a decoding.

        Args:
            policy: Base model with the adapters on it.
            members: Adapter names, or ``BASE``; their order is the order of the weights.
            head: What ``shared_head`` found out about the policy, if it was asked already. With
                several members whose head gives the ``order`` only, the scores are no logits.

        Raises:
            ModelError: If an adapter is not there, or the model has no head that all share.
        """
        check_members(policy, members)
        self.n_members = len(members)
        self.bytes_per_node = _bytes_per_node(policy, len(members))
        self._head: nn.Module = policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]
        # A single member writes with the model's own logits, whatever the model does behind its
        # head (scaling, soft caps, biases): training must sample what its loss differentiates.
        self._is_alone = len(members) == 1
        self.head: nn.Module = (
            nn.Identity() if self._is_alone else (head or shared_head(policy)).module
        )
        self._policy = policy
        self._members = tuple(members)
        # PEFT hooks every layer at each forward of a mixed batch; the active adapter alone, as
        # when training samples from it, needs none of that.
        self._is_mixed = (
            isinstance(policy.model, PeftModel) and list(members) != policy.model.active_adapters
        )
        self._in_turns = not _can_mix(policy, self._members)
        self._turns = [(m,) for m in self._members] if self._in_turns else [self._members]
        self._paths: list[tuple[int, tuple[int, ...]]] = []
        self._first_cached = 0
        self._caches: list[Any] = []  # one per turn, or none at all
        self._inputs = torch.empty(0)
        self._prompt_mask = torch.empty(0)
        self._mask = torch.empty(0)
        self._encoded: Tensor | None = None

    @property
    def bytes_taken(self) -> int:
        """Memory of the last call's nodes and of the copies of their prompts."""
        if not self._caches:
            return 0
        n_nodes = len(self._mask) // self.n_members
        length = self._inputs.shape[1] + len(self._paths[-1][1])
        return n_nodes * length * self.bytes_per_node

    def allow(self, room: float, beside: float) -> None:
        """Do nothing: what is held is always one call's nodes."""

    def start(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read the prompts; see ``backend.Forward``.

        For a single member the states are the model's logits, and ``head`` does nothing.
        """
        per_token, _ = bytes_of_reading(self._policy)
        longest = input_ids.shape[1] + self._policy.config.max_new_tokens
        # Every node has a copy of its prompt, and while it is made longer there are two; it may be
        # read anew from its prompt on.
        copies, reading = 2 * self.bytes_per_node, self.n_members * per_token
        self.bytes_per_read = longest * (copies + reading)
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
        if self._caches and int(parents.min()) >= self._first_cached:
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
            self._caches = []  # hold the nodes of one length only
        return torch.stack([found[place] for place in range(len(new))], dim=1)

    def _read(self, prompts: Tensor, responses: Tensor) -> Tensor:
        n, device = self.n_members, self._inputs.device
        self._caches = []
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
        if self._encoded is not None:
            return self._forward(encoded=self._encoded, decoder_input_ids=column)
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        positions = self._mask.sum(-1, keepdim=True) - 1
        return self._forward(input_ids=column, position_ids=positions)

    def _forward(self, **inputs: Tensor) -> Tensor:
        """Run the model on rows of all members, turn by turn."""
        n_turns, n_nodes = len(self._turns), len(self._mask) // self.n_members
        caches = self._caches or [None] * n_turns
        self._caches = []
        states, encoded = [], []
        for turn, members in enumerate(self._turns):
            mine = {name: rows.chunk(n_turns)[turn] for name, rows in inputs.items()}
            mine["attention_mask"] = self._mask.chunk(n_turns)[turn]
            found, output = self._run(members, n_nodes, caches[turn], mine)
            states.append(found)
            self._caches.append(output.past_key_values)
            if self._policy.is_encoder_decoder:
                encoded.append(output.encoder_last_hidden_state)
        if encoded:
            self._encoded = torch.cat(encoded)
        return torch.cat(states).reshape(self.n_members, n_nodes, -1)

    def _run(
        self, members: tuple[str, ...], n_nodes: int, cache: Any, inputs: dict[str, Any]
    ) -> tuple[Tensor, Any]:
        """Return one turn's states and the model's output."""
        if "encoded" in inputs:
            encoded = inputs.pop("encoded")
            inputs["encoder_outputs"] = BaseModelOutput(last_hidden_state=encoded)
        active: AbstractContextManager[None] = nullcontext()
        if self._is_mixed and self._in_turns:
            active = _only(self._policy, members[0])
        elif self._is_mixed:
            inputs["adapter_names"] = [member for member in members for _ in range(n_nodes)]
        with (
            torch.no_grad(),
            active,
            head_inputs(None if self._is_alone else self._head) as captured,
        ):
            output = self._policy.model(past_key_values=cache, use_cache=True, **inputs)
        return (output.logits[:, -1] if self._is_alone else captured[0][:, -1]), output

    def _select(self, places: Tensor) -> None:
        n_nodes = len(self._mask) // self.n_members
        if len(places) == n_nodes and torch.equal(
            places, torch.arange(n_nodes, device=places.device)
        ):
            return
        for cache, members in zip(self._caches, self._turns, strict=True):
            cache.batch_select_indices(_rows_of(places, len(members), n_nodes))
        rows = _rows_of(places, self.n_members, n_nodes)
        self._mask = self._mask[rows]
        if self._encoded is not None:
            self._encoded = self._encoded[rows]


def check_members(policy: Policy, members: Sequence[str]) -> None:
    """Make sure that a policy has these members and a head that all of them share.

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
    head: Any = policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]
    if head is None:
        raise ModelError(
            f"{policy.config.model!r} has no language-model head; an ensemble needs one."
        )
    changing = _adapters_at(head)
    if changing:
        raise ModelError(
            f"Adapter {changing[0]!r} changes the head, but an ensemble shares one head. Train it "
            "again on layers other than the head ('all-linear' leaves the head out)."
        )


def _adapters_at(layer: Any) -> list[str]:
    """Return the adapters that change a layer of the base, or replace it."""
    if isinstance(layer, AuxiliaryTrainingWrapper):
        return sorted(layer._adapters)
    if isinstance(layer, LoraLayer):
        return sorted({*layer.lora_A, *layer.lora_embedding_A})
    return []


def _can_mix(policy: Policy, members: Sequence[str]) -> bool:
    """Say whether PEFT reads several of these members in one batch."""
    layers = [module for module in policy.base.modules() if isinstance(module, LoraLayer)]
    return not any(member in layer.lora_variant for layer in layers for member in members)


@contextmanager
def _only(policy: Policy, member: str) -> Iterator[None]:
    """Let one member be the active one; afterwards all adapters are as they were."""
    model: Any = policy.model
    tuner = model.base_model
    before = tuner.active_adapter
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        if member == BASE:
            tuner.disable_adapter_layers()
        else:
            tuner.set_adapter(member, inference_mode=True)
        yield
    finally:
        if member == BASE:
            tuner.enable_adapter_layers()
        # PEFT turns gradients on and off as it switches; put both back.
        tuner.set_adapter(before, inference_mode=True)
        for parameter in trained:
            parameter.requires_grad_(requires_grad=True)


def _rows_of(nodes: Tensor, n_members: int, n_nodes: int) -> Tensor:
    """Return the rows of nodes in a batch that is laid out member-major."""
    offsets = torch.arange(n_members, device=nodes.device) * n_nodes
    return (offsets.unsqueeze(1) + nodes.unsqueeze(0)).flatten()


def _bytes_per_node(policy: Policy, n_members: int) -> int:
    """Estimate a node's keys and values; an upper bound where heads share them."""
    config = policy.base.config.get_text_config(decoder=True)
    return int(
        n_members * config.num_hidden_layers * 2 * config.hidden_size * policy.base.dtype.itemsize
    )
