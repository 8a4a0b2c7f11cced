"""What a model does with its head's scores before it calls them logits.

Members share the head, and the aggregation applies it to their (combined) states. Some models
scale the product (Cohere, Granite), cap it (Gemma 2) or mask some tokens; probabilities are those
of the model only where the same is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from emorl.models.policy import Policy

Scores = Literal["logits", "order", "other"]
"""What the shared head gives: the model's ``logits``; numbers in the ``order`` of its logits,
enough for greedy decoding of combined hidden states; or something ``other``, of no use."""

_PROBE_SIZES = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""A soft cap hardly shows on small scores, rounding hides small ones behind large ones."""


@dataclass(frozen=True, slots=True)
class SharedHead:
    """A model's head for states that do not come from one forward pass."""

    module: nn.Module
    """Head and, where the model scales its scores, the scaling."""
    gives: Scores
    cap: float | None = None
    """``c`` where the logits are ``c tanh(score / c)``."""


class ScaledHead(nn.Module):
    """A head whose scores are multiplied by a constant."""

    def __init__(self, head: nn.Module, factor: float) -> None:
        """Put a constant behind a head; its weights stay shared."""
        super().__init__()
        self.head = head
        self.factor = factor

    def forward(self, states: Tensor) -> Tensor:
        """Return scores, ``(..., vocab)``, for states ``(..., d_model)``."""
        scores: Tensor = self.head(states) * self.factor
        return scores


def shared_head(policy: Policy) -> SharedHead:
    """Find out what the model does behind its head, by one forward pass of one token.

    The head is given random states of several sizes instead of the token's own, and what comes
    out of the model is compared with the head's product for them.
    """
    base: Any = policy.base
    head: nn.Module = base.get_output_embeddings()
    token = torch.full((1, 1), policy.eos_token_ids[0], device=policy.device)
    inputs = {"input_ids": token, "attention_mask": torch.ones_like(token)}
    if policy.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.full_like(token, policy.decoder_start_token_id)
    with torch.no_grad():
        with _replaced_states(head) as used:
            logits = base(**inputs, use_cache=False).logits
        if not used:
            return SharedHead(head, "other")
        scores = head(used[0])
    if logits.shape != scores.shape:
        return SharedHead(head, "other")
    if torch.equal(logits.to(scores.dtype), scores):
        return SharedHead(head, "logits")
    settings = base.config.get_text_config(decoder=True)
    return _behind(head, scores, logits, getattr(settings, "final_logit_softcapping", None))


def _behind(
    head: nn.Module, scores: Tensor, logits: Tensor, named_cap: float | None
) -> SharedHead:
    rounding = 4 * max(torch.finfo(scores.dtype).eps, torch.finfo(logits.dtype).eps)
    raw, final = scores.double().flatten(0, -2), logits.double().flatten(0, -2)
    factor = float((raw * final).sum() / (raw * raw).sum())
    if factor > 0 and torch.allclose(final, factor * raw, rtol=rounding, atol=0):
        return SharedHead(ScaledHead(head, factor), "logits")
    ranked = final.flatten()[raw.flatten().argsort(stable=True)]
    # One rising function of every score keeps the order; it must be the same for all tokens.
    is_rising = bool((ranked.diff() >= 0).all()) and bool(ranked[-1] > ranked[0])
    if not is_rising:
        return SharedHead(head, "other")
    if named_cap:
        capped = named_cap * torch.tanh(raw / named_cap)
        if torch.allclose(final, capped, rtol=4 * rounding, atol=0):
            return SharedHead(head, "order", float(named_cap))
    return SharedHead(head, "order")


@contextmanager
def _replaced_states(head: nn.Module) -> Iterator[list[Tensor]]:
    """Give the head random states; the list holds them once the model has called it."""
    used: list[Tensor] = []

    def replace(_head: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        own = arguments[0]
        noise = torch.randn(own.shape[-1], generator=torch.Generator().manual_seed(0))
        states = torch.stack([noise * size for size in _PROBE_SIZES])
        used.append(states.to(own).unsqueeze(0))
        return (used[-1],)

    handle = head.register_forward_pre_hook(replace)
    try:
        yield used
    finally:
        handle.remove()


@contextmanager
def head_inputs(head: nn.Module | None) -> Iterator[list[Tensor]]:
    """Catch what goes into a model's head, ``(n, length, d)`` a call, and let it do no work.

    Catching its input, rather than ``hidden_states[-1]``, includes whatever the architecture
    does in between (T5 scales by d_model ** -0.5). Of no head, nothing is caught.
    """
    captured: list[Tensor] = []
    if head is None:
        yield captured
        return

    def catch(_head: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        captured.append(arguments[0])
        return (arguments[0][:, :0],)

    handle = head.register_forward_pre_hook(catch)
    try:
        yield captured
    finally:
        handle.remove()
