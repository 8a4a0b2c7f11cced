"""The start of the Annotate page: say who you are, or prepare a study."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.study import session
from dashboard.study.annotators import LONGEST_NAME
from dashboard.study.creation import create_study, runs_without_study
from dashboard.study.plan import list_studies
from engine.errors import EmorlError


def show(artifacts: Path) -> None:
    """Lay out the entrance."""
    studies = list_studies(artifacts)
    if studies:
        _who(artifacts, studies)
    else:
        st.info("There is no study yet. Prepare one from a finished run.")
    with st.expander("For the study owner: prepare a study", expanded=not studies):
        _prepare(artifacts)


def complain(heading: str, error: EmorlError) -> None:
    """Show an error; its text may quote a URL or a file, so it is shown without Markdown."""
    st.error(heading)
    st.text(str(error))


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


def _prepare(artifacts: Path) -> None:
    runs = runs_without_study(artifacts)
    if not runs:
        st.write(
            "No finished run without a study. Start a run with `emorl run CONFIG.toml`; "
            "`emorl demo` makes a small one in minutes."
        )
        return
    st.write(
        "Annotators will rate the responses of all systems of the run to its held-out prompts, "
        "blind and in an order of their own. Sealing fixes texts, codes and guidelines for good. "
        "The other pages of this dashboard name the systems: keep annotators to this one."
    )
    with st.form("annotate-prepare", border=False):
        run_id = st.selectbox("Finished run", runs)
        if not st.form_submit_button("Seal the study"):
            return
    try:
        create_study(artifacts, run_id)
    except EmorlError as error:
        complain("No study was made.", error)
    else:
        st.rerun()
