"""Fast back ends: all members in one pass, each prefix of the tree once.

``linear`` has the adapters stacked on the base layers (``base_product``: their product),
``node_table`` the tree, ``path_cache`` and ``prompt_cache`` the keys and values, ``attention`` the
sums over them, ``prefill`` the reading of whole prompts; the files of ``families`` put them
together, ``buckets`` keep the sizes of calls few on a GPU, ``support`` says what neither can
read.
"""

from __future__ import annotations

from collections.abc import Sequence

from emorl.decoding.backend import Forward
from emorl.decoding.memory import costs_of
from emorl.decoding.stacked.families import family_of
from emorl.decoding.stacked.linear import Members
from emorl.decoding.stacked.support import unsupported_reason
from emorl.errors import ModelError
from emorl.models.policy import Policy

__all__ = ["stacked_forward", "unsupported_reason"]

_SHARE_OF_COPIES = (0.25, 0.5)
"""Most of the memory budget that copies of the base's weights may take: the first, where it is
small, as reading prefixes again costs more than slower products; the second, where more than
``_ENOUGH`` is left. They get nothing of what the longest prompt and response need."""
_ENOUGH = 2**30


def stacked_forward(
    policy: Policy, members: Sequence[str], n_prompts: Sequence[int] | None = None
) -> Forward:
    """Return the fast back end for these members.

    Args:
        policy: Base model with the adapters on it.
        members: Adapter names or ``BASE``, in the order of the weights.
        n_prompts: None for an ensemble. Else the members work side by side: each reads prompts of
            its own, so many, in one batch; ``start`` is given all of them, those of the first
            member first, states come as those of one member, and ``grow`` takes nodes in the
            order of their prompts.

    Raises:
        ModelError: If there is an ``unsupported_reason``.
    """
    reason = unsupported_reason(policy, members)
    if reason is not None:
        raise ModelError(f"{policy.config.model!r} needs the generic back end: {reason}.")
    those = Members(
        tuple(members),
        None if n_prompts is None else tuple(n_prompts),
    )
    family = family_of(policy)
    assert family is not None  # or there was a reason
    forward = family.load(policy, those)
    # No copy is granted yet: the costs are those of what has to be there.
    costs = costs_of(policy, forward, forward.n_members, is_generic=False)
    spare = costs.budget - costs.longest_response(policy.config.max_prompt_tokens)
    least, most = (share * costs.budget for share in _SHARE_OF_COPIES)
    those.room.grant(min(max(least, min(most, costs.budget - _ENOUGH)), spare))
    return forward
