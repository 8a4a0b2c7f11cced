"""Sliders of the weights that answer while they are dragged: text, scores and place on the map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from emorl_dashboard.components import source

PURE_SCRIPTS = ("atlas_lookup.js", "word_diff.js")
"""Functions without a page, which tests call by themselves."""

_SCRIPTS = (
    "elements.js",
    *PURE_SCRIPTS,
    "weight_map.js",
    "weight_answer.js",
    "weight_picture.js",
    "weight_sliders.js",
)

_mount = st.components.v2.component(
    "emorl_weight_sliders",
    css=source("weight_sliders.css"),
    js=source(*_SCRIPTS),
)


def draw(
    data: Mapping[str, Any],
    *,
    key: str,
    on_move: Callable[[object], None],
    on_pin: Callable[[object], None],
) -> None:
    """Draw the sliders and the answer.

    Args:
        data: What ``frames.live.slider_data`` returns.
        key: Of the component.
        on_move: Called with the weights when the user lets go of them, before the page is drawn
            again; they come from the browser, so they are as untrusted as a URL.
        on_pin: The same with the weights of the pinned reference; an empty list unpins it.
    """

    def told(name: str, listener: Callable[[object], None]) -> Callable[[], None]:
        def listen() -> None:
            value = st.session_state[key].get(name)
            if value is not None:
                listener(value)

        return listen

    _mount(
        key=key,
        data=dict(data),
        height="content",
        on_moved_change=told("moved", on_move),
        on_pinned_change=told("pinned", on_pin),
    )
