"""What the URL asks a control for, fitted to what the control offers before it is drawn.

Streamlit binds controls to the URL and puts aside what does not fit without a word. Whoever
opened a link is told. What a change of run left behind is dropped: nobody asked this run for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard.frames.plain import plain

_LONGEST_ASKED = 60
"""Letters of the URL that a message repeats."""
_MOST_ASKED = 3
_MOST_OFFERED = 12


def only(
    run_id: str,
    name: str,
    options: Sequence[Any],
    shown: Callable[[Any], str] = str,
    *,
    first: int = 0,
) -> None:
    """Keep a control to its options, and say what the URL asks beyond them.

    Args:
        run_id: The run that the options are of.
        name: Of the control, in the URL and in the session.
        options: What it offers.
        shown: Writes an option as the control shows it and the URL holds it.
        first: Place of the option that a control of one choice begins with.
    """
    offered = [shown(option) for option in options]
    asked = st.query_params.get_all(name)
    wrong = [text for text in asked if text and text not in offered]
    if name in st.session_state:
        _fit_session(name, options, first)  # the URL follows the control
    elif wrong:
        st.query_params[name] = [text for text in asked if text in offered]
    if wrong and not _is_left_over(run_id, name):
        listed = ", ".join(offered[:_MOST_OFFERED])
        more = f" and {len(offered) - _MOST_OFFERED} more" if len(offered) > _MOST_OFFERED else ""
        _tell(name, wrong, f"which this page does not have. It has {listed}{more}.")
    _remember(run_id, name)


def number(run_id: str, name: str, low: float, high: float) -> None:
    """Keep a control to numbers from ``low`` to ``high``, and say what the URL asks beyond."""
    asked = st.query_params.get_all(name)
    wrong = [text for text in asked if text and not _is_within(text, low, high)]
    if wrong:
        if name not in st.session_state:
            st.query_params[name] = []
        if not _is_left_over(run_id, name):
            _tell(name, wrong, f"which is no number from {low:g} to {high:g} here.")
    _remember(run_id, name)


def default(run_id: str, name: str, wanted: list[str]) -> list[str]:
    """Return what a list control chooses at first; it chooses anew for another run.

    What the user chose by hand stays, where the other run offers it.
    """
    key = f"first choice of {name}"
    before = st.session_state.get(key)
    if before is not None and before[0] != run_id and st.session_state.get(name) == before[1]:
        st.session_state[name] = wanted
    st.session_state[key] = (run_id, wanted)
    return wanted


def _fit_session(name: str, options: Sequence[Any], first: int) -> None:
    chosen = st.session_state[name]
    if isinstance(chosen, list):
        fitting = [value for value in chosen if value in options]
        if fitting != chosen:
            st.session_state[name] = fitting
    elif chosen is not None and chosen not in options:
        st.session_state[name] = options[first]


def _is_left_over(run_id: str, name: str) -> bool:
    return bool(st.session_state.get(f"run of {name}", run_id) != run_id)


def _remember(run_id: str, name: str) -> None:
    st.session_state[f"run of {name}"] = run_id


def _is_within(text: str, low: float, high: float) -> bool:
    try:
        return low <= float(text) <= high
    except ValueError:
        return False


def _tell(name: str, wrong: Sequence[str], what: str) -> None:
    named = ", ".join(f"“{text[:_LONGEST_ASKED]}”" for text in wrong[:_MOST_ASKED])
    st.error(plain(f"The address asks for the {name} {named}, {what}"))
