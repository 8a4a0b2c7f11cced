"""The prompt that a page asks: one of the run's, shared by all pages, or one's own.

The URL holds ``prompt=split:index``, or ``text=...`` for a short prompt of one's own; a long one
stays in the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import streamlit as st

from emorl.records import Split
from emorl_dashboard.data.queries import Frame
from emorl_dashboard.frames import texts
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.state import selection
from emorl_dashboard.state.selection import PromptChoice

OWN = "your own"

_SPLITS: dict[str, str] = {
    "aggregation": "aggregation",
    "inference": "inference",
    "own": "mapped by hand",
}
_PREVIEW_LENGTH = 100
_LONG_LENGTH = 600
_LONG_HEIGHT = 180
"""Longer prompts scroll in a box of that many pixels: the answer must stay in sight."""

_OWN_HEIGHT = 80
"""Pixels of the field for a prompt of one's own; it scrolls, and can be dragged larger."""

_WRITTEN = "own prompt that was written last"


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, and its place in the run; None for one that the run does not have."""

    text: str
    choice: PromptChoice | None


def pick(prompts: Frame) -> Asked:
    """Let the user choose or write a prompt; an empty text means that there is none yet.

    Args:
        prompts: The table ``prompts``.
    """
    by_split = {split: texts.prompt_texts(prompts, split) for split in _SPLITS}
    splits = [split for split in _SPLITS if by_split[split]]
    own = own_text()
    if own is None:
        tell_unknown(prompts)
    choice = _choice(by_split, splits)
    source = OWN if own is not None or choice is None else choice.split
    st.session_state["prompt-source"] = source
    st.segmented_control(
        "Prompt from",
        [*splits, OWN],
        key="prompt-source",
        required=True,
        format_func=lambda name: _SPLITS.get(name, name),
        on_change=lambda: _change_source(st.session_state["prompt-source"]),
        help="The search scored the aggregation prompts, and their atlases are stored; inference "
        "prompts were seen neither by training nor by the search.",
    )
    if choice is None or source == OWN:
        return _typed(own or "", by_split)
    return _chosen(choice, by_split[choice.split])


def _chosen(choice: PromptChoice, found: list[str]) -> Asked:
    key = f"prompt of {choice.split}"
    st.session_state[key] = choice.prompt_index
    st.selectbox(
        f"Prompt, 1 to {len(found)}; type to search",
        range(len(found)),
        key=key,
        format_func=lambda index: f"{index + 1} · {found[index][:_PREVIEW_LENGTH]}",
        on_change=lambda: selection.select_prompt(
            PromptChoice(choice.split, st.session_state[key])
        ),
    )
    text = found[choice.prompt_index]
    with st.container(
        height=_LONG_HEIGHT if len(text) > _LONG_LENGTH else "content", border=False
    ):
        st.text(text)
    return Asked(text, choice)


def _typed(own: str, by_split: dict[str, list[str]]) -> Asked:
    key = "own-prompt"
    st.session_state[key] = own
    st.text_area(
        "Your own prompt",
        key=key,
        height=_OWN_HEIGHT,
        label_visibility="collapsed",  # its button says it; the sliders must stay in sight
        max_chars=selection.LONGEST_PROMPT,
        placeholder="Since the move I hardly sleep, and nobody notices.",
        on_change=lambda: selection.select_own(st.session_state[key]),
    )
    if len(own) > selection.LONGEST_IN_URL:
        st.caption(
            f"Longer than {selection.LONGEST_IN_URL} characters: it is kept while this tab is "
            "open, but is no part of the link."
        )
    text = own.strip()
    for split, found in by_split.items():
        if text in found:  # the run has it: what is stored of it counts
            return Asked(text, PromptChoice(cast("Split", split), found.index(text)))
    return Asked(text, None)


def _choice(by_split: dict[str, list[str]], splits: list[str]) -> PromptChoice | None:
    """Return the selected prompt if the run has it, else the first one."""
    chosen = selection.selected_prompt()
    if chosen and chosen.prompt_index < len(by_split.get(chosen.split, [])):
        return chosen
    return PromptChoice(cast("Split", splits[0]), 0) if splits else None


def tell_unknown(prompts: Frame) -> bool:
    """Say that the URL asks for a prompt that the run does not have, and return whether it does.

    Args:
        prompts: The table ``prompts``.
    """
    asked, choice = selection.asked_prompt(), selection.selected_prompt()
    n_prompts = {split: len(texts.prompt_texts(prompts, split)) for split in _SPLITS}
    is_known = choice is not None and choice.prompt_index < n_prompts.get(choice.split, 0)
    offered = [f"{split}:0 to {split}:{n - 1}" for split, n in n_prompts.items() if n]
    if is_known or not asked or not offered:
        return False
    st.error(
        plain(
            f"The address asks for the prompt “{asked}”, which pages of this run do not have. "
            f"They have {', '.join(offered)}. Another one is shown."
        )
    )
    return True


def own_text() -> str | None:
    """Return the own prompt while it is what pages ask; picking another anywhere ends that."""
    text = selection.own_text()
    if text:
        st.session_state[_WRITTEN] = text
    return text


def leave_own() -> None:
    """Go back to the run's prompts; the own one comes back when it is asked for again."""
    selection.select_own(None)


def _change_source(source: str | None) -> None:
    if source == OWN:
        selection.select_own(st.session_state.get(_WRITTEN, ""))
    elif source is None:
        leave_own()
    else:
        selection.select_prompt(PromptChoice(cast("Split", source), 0))
