"""Annotate: rate one response at a time, blind."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from emorl.errors import EmorlError, StudyError
from emorl_dashboard.data import queries
from emorl_dashboard.state import selection
from emorl_dashboard.study.rating import entrance, form, session

TITLE = "Annotate"


def render() -> None:
    """Lay out the page: the entrance, or the annotator's next item."""
    for name in selection.NAMES:  # a link typed by hand may still hold them
        st.query_params.pop(name, None)
    st.title(TITLE, anchor=False)
    artifacts = queries.artifacts_root().resolve()
    try:
        _lay_out(artifacts)
    except StudyError as error:
        _say_not_saved()
        entrance.complain("This link does not lead to a study.", error)
        entrance.show(artifacts)
    except EmorlError as error:
        _say_not_saved()
        entrance.complain("Ratings cannot be given now.", error)
    with st.container(key="page-ready"):
        st.empty()


def _lay_out(artifacts: Path) -> None:
    who = session.visitor(artifacts)
    if who is None:
        entrance.show(artifacts)
        return
    reason = session.closed_because(artifacts, who.study_id)
    if reason:
        _say_not_saved()
        st.info(reason)
        return
    _work(artifacts, who)


def _work(artifacts: Path, who: session.Visitor) -> None:
    desk = session.desk(artifacts, who)
    with st.container(horizontal=True, vertical_alignment="center", key="annotate-head"):
        st.text(f"Study {desk.plan.study_id} · rating as {desk.annotator}")
        st.button("Leave", key="annotate-leave", type="tertiary", on_click=session.leave)
    if who.digest and not desk.has_consented():
        entrance.show_consent(desk)
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _item(artifacts, who)
    with right:
        form.show_guidelines(desk.plan)


@st.fragment
def _item(artifacts: Path, who: session.Visitor) -> None:
    """Draw what changes with every answer; the guidelines beside it stay as they are."""
    try:
        reason = session.closed_because(artifacts, who.study_id)
        if reason:
            _say_not_saved()
            st.info(reason)
            return
        desk = session.desk(artifacts, who)
        progress = desk.progress()
        code = desk.show(progress)
        form.show_progress(desk, progress)
        if code is None:
            form.show_end(desk, progress)
        else:
            form.show_item(desk, progress, code)
    except EmorlError as error:
        _say_not_saved()
        entrance.complain("Ratings cannot be given now.", error)


def _say_not_saved() -> None:
    """Say what became of the last click, before the page says why it shows no item."""
    desk = session.desk_so_far()
    if desk is not None:
        form.show_not_saved(desk)
