"""The part of the atlas page about a prompt of one's own."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from emorl.atlas.rows import ScoredAtlas
from emorl.records import Split
from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.data.stored_atlases import Atlases
from emorl_dashboard.frames.atlas_prompts import prompt_names
from emorl_dashboard.live import answers
from emorl_dashboard.live import models as live
from emorl_dashboard.state import prompts
from emorl_dashboard.views.atlas_responses import long_text


def shown(run: Run, mapped: Mapping[Split, Atlases], texts: Frame) -> ScoredAtlas | None:
    """Show the prompt that somebody wrote on the Live page, if that is what pages ask.

    Args:
        run: Whose ensemble answers.
        mapped: The run's atlases by split.
        texts: The table ``prompts``.

    Returns:
        Its atlas; None while there is none, which is said, or without such a prompt.
    """
    text = (prompts.own_text() or "").strip()
    if not text:
        return None
    st.caption("Your own prompt, from the page Live ensemble:")
    long_text(text)
    st.button("Show the run's prompts instead", on_click=prompts.leave_own, type="tertiary")
    scored = _stored(text, mapped, texts) or answers.own_atlas(run, text)
    if scored is None and mapped and not live.refusal(run):
        st.info(
            "Your own prompt has no atlas yet; until it has one, a prompt of the run is shown."
        )
    return scored


def _stored(text: str, mapped: Mapping[Split, Atlases], texts: Frame) -> ScoredAtlas | None:
    for split, atlases in mapped.items():
        for index, name in prompt_names(texts, split).items():
            if name == text and (found := atlases.of_prompt(index)):
                return found
    return None
