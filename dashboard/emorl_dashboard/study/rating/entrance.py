"""The start of the Annotate page: by invite, or by name where a study needs none."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from emorl.errors import EmorlError, InputError
from emorl_dashboard.study.custody.annotators import LONGEST_NAME
from emorl_dashboard.study.protocol.blinding import short_seal
from emorl_dashboard.study.protocol.guidelines import safe_markdown
from emorl_dashboard.study.protocol.plan import list_studies, read_plan
from emorl_dashboard.study.rating import session
from emorl_dashboard.study.rating.desk import Desk
from emorl_dashboard.study.rating.progress import COMPLETE_RULE
from emorl_dashboard.study.rating.replies import FAILED

log = logging.getLogger(__name__)


def show(artifacts: Path) -> None:
    """Lay out the entrance; to an annotator's tab it names no study."""
    if session.is_annotators():
        st.info("Open your invite link to go on where you stopped.")
        return
    studies = _without_invites(artifacts)
    if studies:
        _who(artifacts, studies)
    else:
        st.info(
            "Ratings are given by invite link. If you have one, open it; if you plan a study, "
            "start on the Study page."
        )


def complain(heading: str, error: EmorlError) -> None:
    """Show an error; its text may quote a URL or a file, so it is shown without Markdown.

    To annotators files are nothing, and may name other studies: they stay in the server's log.
    """
    st.error(heading)
    if session.is_annotators() and not isinstance(error, InputError):
        log.warning("%s", error)
        st.text(FAILED)
    else:
        st.text(str(error))


def show_consent(desk: Desk) -> None:
    """Lay out what taking part means; nothing is shown to rate before that was agreed to."""
    st.subheader("Before you start", anchor=False)
    n_practice = len(desk.progress().practice)
    st.markdown(
        "- You rate texts for a study. You are not told which system wrote them.\n"
        "- With each answer are stored: your code name, the item, your answer, when the item was "
        "shown and how long you took. Comments and flags are stored as you write them.\n"
        "- Every answer is saved at once. You may stop at any time and go on later by the same "
        f"link; you may skip items. {COMPLETE_RULE}\n" + _exercises(n_practice)
    )
    st.caption(
        f"This study was fixed before anybody rated. Its seal begins with "
        f"{short_seal(desk.plan.seal)}; it is stored with your answers, and you see it again at "
        "the end."
    )
    st.subheader("Guidelines", anchor=False)
    with st.container(key="annotate-consent-text"):
        st.markdown(safe_markdown(desk.plan.guidelines.text))
    agreed = st.checkbox(
        "I have read this and the guidelines, and I take part of my own will.",
        key="annotate-agreed",
    )
    if st.button("Start", type="primary", key="annotate-start", disabled=not agreed):
        desk.annotate("", "consent")
        if desk.notice is None:
            st.rerun()
        st.error("Not saved. Try again.")
        st.text(desk.notice.message)


def _exercises(n: int) -> str:
    if n == 0:
        return ""
    return (
        "- First comes an exercise that does not count."
        if n == 1
        else (f"- First come {n} exercises that do not count.")
    )


def _without_invites(artifacts: Path) -> list[str]:
    found = []
    for study_id in list_studies(artifacts):
        try:
            if not read_plan(artifacts, study_id).requires_invite:
                found.append(study_id)
        except EmorlError as error:
            complain(f"Study {study_id} cannot be read.", error)
    return found


def _who(artifacts: Path, studies: list[str]) -> None:
    study, name = session.suggested()
    with st.form("annotate-who", width=560):
        chosen = st.selectbox(
            "Study", studies, index=studies.index(study) if study in studies else 0
        )
        typed = st.text_input(
            "Your name", value=name[:LONGEST_NAME], placeholder="for example ada"
        )
        st.caption(
            "This is a name, not a password: whoever types it continues under it. Come back with "
            "the same name and you go on where you stopped. Your ratings are stored with it."
        )
        if not st.form_submit_button("Start", type="primary"):
            return
    try:
        session.enter(artifacts, chosen, typed)
    except EmorlError as error:
        complain("This name will not do.", error)
    else:
        st.rerun()
