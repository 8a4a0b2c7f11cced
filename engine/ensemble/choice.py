"""Which back end reads the prefixes of an ensemble, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.ensemble.backend import Forward
from engine.ensemble.forward import HuggingFaceForward, check_members
from engine.ensemble.stacked import stacked_forward, unsupported_reason
from engine.errors import ModelError
from engine.policy import Policy

Backend = Literal["auto", "stacked", "generic"]


@dataclass(frozen=True, slots=True)
class ChosenBackend:
    """A way to read prefixes."""

    name: Literal["stacked", "generic"]
    reason: str
    """Why it was chosen, in words."""
    make: Callable[[], Forward]
    """Makes a fresh one, for one set of prompts."""


def choose_backend(
    policy: Policy, members: Sequence[str], wanted: Backend = "auto"
) -> ChosenBackend:
    """Take the fast back end where it knows the model, else the generic one.

    Raises:
        ModelError: If a member is missing, or ``stacked`` was asked for and does not fit.
    """
    check_members(policy, members)
    obstacle = unsupported_reason(policy, members)
    if wanted == "stacked" and obstacle is not None:
        raise ModelError(f"The back end 'stacked' does not fit: {obstacle}. Use 'auto'.")
    if wanted == "generic" or obstacle is not None:
        reason = obstacle or "asked for"
        return ChosenBackend("generic", reason, lambda: HuggingFaceForward(policy, members))
    family = policy.base.config.model_type
    return ChosenBackend(
        "stacked", f"knows {family} models", lambda: stacked_forward(policy, members)
    )
