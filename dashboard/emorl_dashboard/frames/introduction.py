"""What a run is about, in plain sentences for somebody who sees it for the first time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emorl.data.phrases import TOPICS
from emorl.embedded import DESCRIPTIONS
from emorl_dashboard.frames.plain import plain

_EMBEDDED_POLICY = "embedded:base"


def introduction(
    objectives: Sequence[str], rewards: Mapping[str, Any], marks: Sequence[str]
) -> str:
    """Return Markdown that says what each objective rewards and what the weights do.

    Args:
        objectives: Names, in the order of the weights.
        rewards: How each is scored.
        marks: Markdown to put before each objective's name.
    """
    named = ", ".join(
        f"{mark} {_described(name, rewards[name])}"
        for mark, name in zip(marks, objectives, strict=True)
    )
    return (
        f"One adapter of the language model is trained for each objective: {named}. The "
        "**weights** say how much each of them counts when they write an answer together. "
        "*Weight space* shows what each choice of weights scores; on *Live ensemble* you move the "
        "weights and read the answer."
    )


def own_prompt_note(policy: str) -> str:
    """Say what prompts a policy cannot answer, where that is known; else ""."""
    if policy != _EMBEDDED_POLICY:
        return ""
    topics = [topic.name for topic in TOPICS]
    return (
        "This run's policy is a small model that comes with EMORL Atlas and knows only "
        f"{', '.join(topics[:-1])} and {topics[-1]}; a prompt about anything else gets a poor "
        "answer."
    )


def _described(name: str, reward: Any) -> str:
    # Kinds of other packages need have neither.
    model = getattr(reward, "model", "")
    what = getattr(reward, "description", "") or DESCRIPTIONS.get(model, "")
    return f"**{plain(name)}** ({plain(what)})" if what else f"**{plain(name)}**"
