"""The filters of all views, each in the URL."""

from __future__ import annotations

import streamlit as st

from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.frames import weight_space as frames
from emorl_dashboard.frames.filters import KINDS, Filters
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.state import url as asked
from emorl_dashboard.views.weight_space.scene import Choice, words
from emorl_dashboard.widgets import controls

_ROUND = "round"
_LAST_ROUND = "last round seen"


def ask(run: Run, points: Frame) -> Choice:
    """Show the controls, and return what they say."""
    colour, rounds, more = st.columns([2, 3, 2], vertical_alignment="bottom")
    values = [frames.MEAN_REWARD, *run.objectives]
    asked.one(run.run_id, "colour", values, words)
    value = colour.selectbox(
        "Colour",
        values,
        key="colour",
        format_func=words,
        bind="query-params",
    )
    with rounds:
        up_to = _rounds(run, frames.last_round(points))
    with more.popover("Filters", key="filters", width="stretch"):
        kinds = _kinds(run)
        searches = _searches(run, points)
        at_least = {name: _threshold(run, name) for name in values}
        is_stretched = st.toggle(
            "Stretch the colours over what is shown", key="stretched", bind="query-params"
        )
    chosen = Filters(up_to_round=up_to, kinds=kinds, searches=searches, at_least=at_least)
    return Choice(value, chosen, is_stretched)


def _rounds(run: Run, last: int) -> int:
    before = st.session_state.get(_LAST_ROUND)
    st.session_state[_LAST_ROUND] = last
    if last <= 1:
        st.session_state.pop(_ROUND, None)  # a later round would be cut off by one of another run
        return last
    asked.number(run.run_id, _ROUND, 1, last)
    controls.keep_within(_ROUND, last)
    if before is not None and st.session_state.get(_ROUND) == before < last:
        st.session_state[_ROUND] = last  # who saw all rounds of a running search goes on so
    return st.slider("Rounds 1 to", 1, last, last, key=_ROUND, bind="query-params")


def _kinds(run: Run) -> list[str]:
    st.caption("They apply to every view, fields and table included.")
    asked.several(run.run_id, "kind", list(KINDS), default=list(KINDS))
    return st.pills(
        "Points",
        list(KINDS),
        selection_mode="multi",
        default=list(KINDS),
        key="kind",
        bind="query-params",
        help="A point shares a score when another on its ray from zero was measured: both are "
        "one ensemble. All weights 0 give no direction.",
    )


def _searches(run: Run, points: Frame) -> list[str] | None:
    names = frames.searches(points)
    if len(names) < 2:
        return None
    asked.several(run.run_id, "search", names, plain, default=names)
    return st.pills(
        "Searches",
        names,
        selection_mode="multi",
        default=names,
        format_func=plain,
        key="search",
        bind="query-params",
    )


def _threshold(run: Run, name: str) -> float:
    asked.number(run.run_id, f"least-{name}", 0, 1)
    return st.slider(
        f"{words(name)} at least",
        0.0,
        1.0,
        0.0,
        step=0.005,
        format="%.3f",
        key=f"least-{name}",
        bind="query-params",
    )
