"""Annotate: rate one response at a time, blind."""

from __future__ import annotations

import streamlit as st

from dashboard import queries, selection
from dashboard.study import entrance, form, session
from dashboard.study.desk import Desk
from engine.errors import EmorlError, StudyError

TITLE = "Annotate"


def render() -> None:
    """Lay out the page: the entrance, or the annotator's next item."""
    for name in selection.NAMES:  # a link typed by hand may still hold them
        st.query_params.pop(name, None)
    st.title(TITLE, anchor=False)
    artifacts = queries.artifacts_root().resolve()
    try:
        desk = session.desk(artifacts)
        if desk is None:
            entrance.show(artifacts)
        else:
            _work(desk)
    except StudyError as error:
        entrance.complain("This link does not lead to a study.", error)
        entrance.show(artifacts)
    except EmorlError as error:
        entrance.complain("Ratings cannot be given now.", error)
    with st.container(key="page-ready"):
        st.empty()


def _work(desk: Desk) -> None:
    progress = desk.progress()
    code = desk.show(progress)
    with st.container(horizontal=True, vertical_alignment="center", key="annotate-head"):
        st.text(f"Study {desk.plan.study_id} · rating as {desk.annotator}")
        st.button("Leave", key="annotate-leave", type="tertiary", on_click=session.leave)
    form.show_progress(progress, desk.notice)
    if code is None:
        form.show_end(desk, progress)
    else:
        form.show_item(desk, progress, code)
