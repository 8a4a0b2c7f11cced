"""What the Annotate page keeps: the store (per process), the annotator and desk (per tab)."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from dashboard.study.annotators import annotator_id
from dashboard.study.desk import Desk
from dashboard.study.plan import plan_path, read_plan, studies_folder
from dashboard.study.store import AnnotationStore
from engine.errors import StoreError

log = logging.getLogger(__name__)

_DESK = "annotate_desk"
_WHO = "annotate_who"


def open_store(artifacts: Path) -> AnnotationStore:
    """Return this process's one store of ratings.

    Raises:
        StoreError: If another dashboard has it open, or it cannot be read.
    """
    return _open_store(str(studies_folder(artifacts)))


@st.cache_resource(show_spinner=False, on_release=AnnotationStore.close)
def _open_store(studies: str) -> AnnotationStore:
    store = AnnotationStore(Path(studies))
    for study_id in store.studies_with_ratings():
        # A dashboard killed between a commit and its snapshot left the snapshot behind.
        try:
            store.publish(study_id)
        except StoreError as error:
            log.warning("%s", error)
    return store


def enter(artifacts: Path, study_id: str, name: str) -> None:
    """Let somebody rate in a study: remembered in the tab and in the URL.

    Raises:
        StudyError: If there is no such study or the name will not do.
    """
    annotator = annotator_id(name)
    if not plan_path(artifacts, study_id).is_file():
        read_plan(artifacts, study_id)  # says what there is instead
    st.session_state[_WHO] = (study_id, annotator)
    st.query_params.update({"study": study_id, "annotator": annotator})


def leave() -> None:
    """Forget the annotator; the saved answers stay."""
    st.session_state.pop(_WHO, None)
    st.session_state.pop(_DESK, None)
    for name in ("study", "annotator"):
        st.query_params.pop(name, None)


def desk(artifacts: Path) -> Desk | None:
    """Return the desk of the annotator named in the URL or the tab, None before a name is given.

    Raises:
        StudyError: If the URL names an unknown study or an impossible name.
        StoreError: If the plan or the store cannot be read.
    """
    known = st.session_state.get(_WHO)
    study_id = st.query_params.get("study") or (known[0] if known else None)
    name = st.query_params.get("annotator") or (known[1] if known else None)
    if not study_id or not name:
        return None
    enter(artifacts, study_id, name)
    plan = read_plan(artifacts, study_id)
    store = open_store(artifacts)
    found = st.session_state.get(_DESK)
    annotator = annotator_id(name)
    if not isinstance(found, Desk) or (found.plan, found.annotator) != (plan, annotator):
        found = Desk(plan=plan, annotator=annotator, store=store)
        st.session_state[_DESK] = found
    found.store = store
    return found


def suggested() -> tuple[str, str]:
    """Return study and name as far as the URL gives them, for the entrance form."""
    return st.query_params.get("study", ""), st.query_params.get("annotator", "")
