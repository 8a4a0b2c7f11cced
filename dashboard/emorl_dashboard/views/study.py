"""Study: plan a blind study, check and seal it, invite annotators, watch it, unblind it."""

from __future__ import annotations

import streamlit as st

from emorl.errors import EmorlError
from emorl_dashboard.data import queries
from emorl_dashboard.server import access
from emorl_dashboard.state import selection
from emorl_dashboard.study.owner import draft_page, sealed_page
from emorl_dashboard.study.planning.draft import list_drafts
from emorl_dashboard.study.protocol.plan import list_studies
from emorl_dashboard.study.rating import entrance

TITLE = "Study"

_NEW = "New study"


def render() -> None:
    """Lay out the page: a new study, a draft, or a sealed study."""
    for name in selection.NAMES:  # a study is of several runs
        st.query_params.pop(name, None)
    st.title(TITLE, anchor=False)
    artifacts = queries.artifacts_root().resolve()
    drafts, sealed = list_drafts(artifacts), list_studies(artifacts)
    if access.is_read_only():
        st.info(access.READ_ONLY_NOTE)
        drafts = []
    names = [*sealed, *drafts] if access.is_read_only() else [*sealed, *drafts, _NEW]
    if not names:
        st.caption("There is no study here.")
    else:
        wanted = st.session_state.pop("study-wanted", None)
        if wanted in names:
            st.session_state["study-chosen"] = wanted
        chosen = st.selectbox("Study", names, key="study-chosen", width=420)
        try:
            if chosen == _NEW:
                draft_page.show_new(artifacts)
            elif chosen in drafts:
                draft_page.show(artifacts, chosen)
            else:
                sealed_page.show(artifacts, chosen)
        except EmorlError as error:
            entrance.complain("That did not work.", error)
    with st.container(key="page-ready"):
        st.empty()
