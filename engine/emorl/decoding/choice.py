"""Which back end reads the prefixes of an ensemble, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from emorl.decoding.backend import Forward
from emorl.decoding.forward import HuggingFaceForward, check_members
from emorl.decoding.head import Scores, shared_head
from emorl.decoding.levels.protocol import Level
from emorl.decoding.stacked import stacked_forward, unsupported_reason
from emorl.errors import ModelError
from emorl.models.policy import Policy

Backend = Literal["auto", "stacked", "generic"]


@dataclass(frozen=True, slots=True)
class ChosenBackend:
    """A way to read prefixes."""

    name: Literal["stacked", "generic"]
    reason: str
    """Why it was chosen, in words."""
    make: Callable[[], Forward]
    """Makes a fresh one, for one set of prompts."""
    scores: Scores = "logits"
    """What its head gives; a single member's is always the model's logits."""
    cap: float | None = None
    """The soft cap between the head's scores and the logits; see ``SharedHead.cap``."""

    def check(self, level: Level, *, sampling: bool = False) -> None:
        """Make sure that the head's scores are enough for what is wanted of them.

        Raises:
            ModelError: If they are not.
        """
        if level.merges or self.scores == "logits":
            return  # merged members write as one, with the model's own logits
        if self.scores == "other":
            raise ModelError(
                "Several members need a model whose logits are its head's scores, scaled or "
                "capped alike for all tokens; this model changes them in another way behind its "
                "head. Use the level 'parameter', or one member."
            )
        if sampling or not level.mixes_states:
            wanted = "sampling" if sampling else f"the level {level.name!r}"
            raise ModelError(
                f"For several members {wanted} needs the size of the logits, but this model "
                "bends them behind its head (a soft cap such as final_logit_softcapping), which "
                "leaves combined states only their order. Decode greedily at the level "
                "'hidden_state', or use the level 'parameter' or one member."
            )


def checked_members(members: Sequence[str]) -> tuple[str, ...]:
    """Return the names of members.

    Raises:
        ModelError: If there is none, or they are no sequence of names.
    """
    # Types that the annotation forbids come in from scripts.
    try:
        names = () if isinstance(members, str) else tuple(members)
    except TypeError:
        names = ()
    if not names or not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"members must be a sequence of one adapter name or more, got {members!r}."
        )
    return names


def choose_backend(
    policy: Policy, members: Sequence[str], wanted: Backend = "auto"
) -> ChosenBackend:
    """Take the fast back end where it knows the model, else the generic one.

    Raises:
        ModelError: If a member is missing or changes the head, or ``stacked`` was asked for and
            does not fit.
    """
    check_members(policy, members)
    obstacle = unsupported_reason(policy, members)
    if wanted == "stacked" and obstacle is not None:
        raise ModelError(f"The back end 'stacked' does not fit: {obstacle}. Use 'auto'.")
    if wanted == "generic" or obstacle is not None:
        reason = obstacle or "asked for"
        if len(members) == 1:
            return ChosenBackend("generic", reason, lambda: HuggingFaceForward(policy, members))
        head = shared_head(policy)
        return ChosenBackend(
            "generic",
            reason,
            lambda: HuggingFaceForward(policy, members, head),
            head.gives,
            head.cap,
        )
    family = policy.base.config.model_type
    return ChosenBackend(
        "stacked", f"knows {family} models", lambda: stacked_forward(policy, members)
    )
