"""A button that copies the address of what the page shows."""

from __future__ import annotations

import streamlit as st

from emorl_dashboard.components import source

_mount = st.components.v2.component(
    "emorl_copy_link", css=source("copy_link.css"), js=source("elements.js", "copy_link.js")
)


def draw(run_id: str) -> None:
    """Draw the button.

    Args:
        run_id: Of the run that the page shows, which the address need not name.
    """
    _mount(key="copy-link", data={"run": run_id}, width="content")
