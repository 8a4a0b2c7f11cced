"""A response token by token, with the exact split of every decision by objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from emorl_dashboard.components import source

_mount = st.components.v2.component(
    "emorl_token_strip",
    css=source("token_strip.css"),
    js=source("elements.js", "token_strip.js"),
)


def draw(data: Mapping[str, Any], *, key: str) -> None:
    """Draw the tokens.

    Args:
        data: What ``frames.live.token_data`` returns.
        key: Of the component.
    """
    _mount(key=key, data=dict(data), height="content")
