"""Clicks on the points of a Plotly chart, in 2D and 3D."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import streamlit as st

_mount = st.components.v2.component(
    "emorl_point_click",
    js=(resources.files("emorl_dashboard.components") / "point_click.js").read_text(
        encoding="utf-8"
    ),
)


def watch(
    chart_key: str, *, key: str, on_pick: Callable[[str], None], anywhere: bool = False
) -> None:
    """Call ``on_pick`` with the ``customdata`` text of each clicked point.

    Args:
        chart_key: Key of the ``st.plotly_chart`` to watch; letters, digits, ``-`` and ``_`` only.
        key: Key of the component itself.
        on_pick: Runs before the page is drawn again; the text comes from the browser, so it is
            as untrusted as a URL.
        anywhere: For charts in the plane: a click between points gives its place, as ``@x,y``
            in the units of the axes.
    """

    def picked() -> None:
        name = st.session_state[key].get("picked")
        if isinstance(name, str):
            on_pick(name)

    _mount(
        key=key,
        data={"chart": chart_key, "anywhere": anywhere},
        height="content",
        on_picked_change=picked,
    )
