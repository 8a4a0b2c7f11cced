"""Clicks anywhere in a flat Plotly chart, also between its points."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import resources

import streamlit as st

_mount = st.components.v2.component(
    "emorl_plane_click",
    js=(resources.files("emorl_dashboard.components") / "plane_click.js").read_text(
        encoding="utf-8"
    ),
)


def watch(chart_key: str, *, key: str, on_pick: Callable[[float, float], None]) -> None:
    """Call ``on_pick`` with the place of each click, in the units of the chart's axes.

    Args:
        chart_key: Key of the ``st.plotly_chart`` to watch; letters, digits, ``-`` and ``_`` only.
        key: Key of the component itself.
        on_pick: Runs before the page is drawn again. The two numbers are finite, and otherwise as
            untrusted as a URL.
    """

    def picked() -> None:
        place = read_place(st.session_state[key].get("picked"))
        if place is not None:
            on_pick(*place)

    _mount(key=key, data={"chart": chart_key}, height="content", on_picked_change=picked)


def read_place(sent: object) -> tuple[float, float] | None:
    """Read ``x,y`` as the browser sends it; None for anything else."""
    if not isinstance(sent, str):
        return None
    try:
        x, y = map(float, sent.split(","))
    except ValueError:
        return None
    return (x, y) if math.isfinite(x) and math.isfinite(y) else None
