"""Which prompts an ensemble reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from emorl.errors import PromptError
from emorl.models.policy import Policy, check_unicode

Overlong = Literal["refuse", "cut"]
"""What happens to a prompt longer than ``policy.max_prompt_tokens``: an error, or its end is cut
off as it is when training (the splits of a run)."""


def checked_prompts(policy: Policy, prompts: Sequence[str], overlong: Overlong) -> list[str]:
    """Return the prompts to read, stripped where overlong ones are refused.

    Raises:
        PromptError: If they are no sequence of texts, there is none, or one is blank, no
            Unicode text, or refused.
    """
    # Types that the annotation forbids come in from scripts: a text would be read by letters.
    texts = None if isinstance(prompts, str) else _listed(prompts)
    if texts is None:
        raise PromptError(
            f"prompts must be a sequence of texts, got {prompts!r}. Put a single text into a list."
        )
    wrong = [text for text in texts if not isinstance(text, str)]
    if wrong:
        raise PromptError(f"Every prompt must be a text, got {wrong[0]!r}.")
    if not texts or not all(str(text).strip() for text in texts):
        raise PromptError("Need at least one prompt, and none of them blank.")
    if overlong == "cut":
        for text in texts:
            check_unicode(str(text))
        return [str(text) for text in texts]
    return [policy.check_prompt(str(text)) for text in texts]


def _listed(prompts: Sequence[object]) -> list[object] | None:
    try:
        return list(prompts)
    except TypeError:
        return None
