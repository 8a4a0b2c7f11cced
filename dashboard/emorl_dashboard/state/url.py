"""What the URL asks a control for, fitted to what the control offers before it is drawn.

Streamlit binds controls to the URL and puts aside what does not fit without a word. Whoever
opened a link is told. What a change of run left behind is dropped: nobody asked this run for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from emorl_dashboard.frames.plain import plain

_LONGEST_ASKED = 60
"""Letters of the URL that a message repeats."""
_MOST_ASKED = 3
_MOST_OFFERED = 12


def one(
    run_id: str,
    name: str,
    options: Sequence[Any],
    shown: Callable[[Any], str] = str,
    *,
    first: int = 0,
) -> None:
    """Keep a control of one choice to its options, and say what the URL asks beyond them.

    An empty value in the URL is for the caller: a control that must have a choice then has none.

    Args:
        run_id: The run that the options are of.
        name: Of the control, in the URL and in the session.
        options: What it offers.
        shown: Writes an option as the control shows it and the URL holds it.
        first: Place of the option that it begins with.
    """
    offered = [shown(option) for option in options]
    said = st.query_params.get_all(name)
    if name not in st.session_state:
        _keep_in_url(name, [text for text in said if text in offered])
    elif st.session_state[name] not in (None, *options):
        st.session_state[name] = options[first]  # the URL follows the control
    _told(run_id, name, [text for text in said if text and text not in offered], offered)


def several(
    run_id: str,
    name: str,
    options: Sequence[Any],
    shown: Callable[[Any], str] = str,
    *,
    default: Sequence[Any] = (),
) -> None:
    """Keep a control of several choices to its options, and say what the URL asks beyond them.

    Args:
        run_id: The run that the options are of.
        name: Of the control, in the URL and in the session.
        options: What it offers.
        shown: Writes an option as the control shows it and the URL holds it.
        default: What it begins with, also for another run: only what the user chose by hand
            stays, as far as the other run offers it.
    """
    offered = [shown(option) for option in options]
    said = st.query_params.get_all(name)
    if name not in st.session_state:
        _keep_in_url(name, [text for text in said if not text or text in offered])
    else:
        _fit_list(run_id, name, options, list(default))
    key = f"first choice of {name}"
    if st.session_state.get(key, ("", []))[0] != run_id:
        st.session_state[key] = (run_id, list(default))
    _told(run_id, name, [text for text in said if text and text not in offered], offered)


def number(run_id: str, name: str, low: float, high: float) -> None:
    """Keep a control to numbers from ``low`` to ``high``, and say what the URL asks beyond."""
    said = st.query_params.get_all(name)
    wrong = [text for text in said if not _is_within(text, low, high)]
    if wrong and name not in st.session_state:
        _keep_in_url(name, [])
    what = f"which is no number from {low:g} to {high:g} here."
    _tell_unless_left_over(run_id, name, [text for text in wrong if text], what)


def _fit_list(run_id: str, name: str, options: Sequence[Any], default: list[Any]) -> None:
    chosen = st.session_state[name]
    owner, before = st.session_state.get(f"first choice of {name}", (run_id, None))
    fitting = [value for value in chosen if value in options]
    if (owner != run_id and chosen == before) or (chosen and not fitting):
        fitting = default
    if fitting != chosen:
        st.session_state[name] = fitting


def _keep_in_url(name: str, fitting: list[str]) -> None:
    if st.query_params.get_all(name) != fitting:
        st.query_params[name] = fitting


def _told(run_id: str, name: str, wrong: list[str], offered: Sequence[str]) -> None:
    listed = ", ".join(offered[:_MOST_OFFERED])
    more = f" and {len(offered) - _MOST_OFFERED} more" if len(offered) > _MOST_OFFERED else ""
    what = f"which this page does not have. It has {listed}{more}."
    _tell_unless_left_over(run_id, name, wrong, what)


def _tell_unless_left_over(run_id: str, name: str, wrong: list[str], what: str) -> None:
    """Tell what the URL asks in vain, but not what another run left there.

    Between two runs the browser's history has a step with the new run and what was chosen for
    the one before; who goes back comes by it.
    """
    owner, dropped = st.session_state.get(f"left over of {name}", (run_id, []))
    if owner != run_id:
        dropped = wrong
    st.session_state[f"left over of {name}"] = (run_id, dropped)
    told = [text for text in wrong if text not in dropped]
    if told:
        named = ", ".join(f"“{text[:_LONGEST_ASKED]}”" for text in told[:_MOST_ASKED])
        st.error(plain(f"The address asks for the {name} {named}, {what}"))


def _is_within(text: str, low: float, high: float) -> bool:
    try:
        return low <= float(text) <= high
    except ValueError:
        return False
