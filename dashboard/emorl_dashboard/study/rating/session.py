"""What the Annotate page keeps: the store (per process), the annotator and desk (per tab).

An annotator comes by an invite, whose token is in the URL. The tab remembers the token's hash:
from then on it is an annotator's tab, which shows nothing but the Annotate page.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import streamlit as st

from emorl.errors import StoreError, StudyError
from emorl_dashboard.server import access
from emorl_dashboard.study.custody.annotators import annotator_id
from emorl_dashboard.study.custody.integrity import trouble_of
from emorl_dashboard.study.custody.invites import active_places, holder_of, token_digest
from emorl_dashboard.study.custody.unblinding import State, study_log, study_state, unchanged
from emorl_dashboard.study.protocol.plan import read_plan, studies_folder
from emorl_dashboard.study.rating.desk import Desk
from emorl_dashboard.study.rating.throttle import Throttle
from emorl_dashboard.study.records.publisher import catch_up_here, request_here
from emorl_dashboard.study.records.store import AnnotationStore

log = logging.getLogger(__name__)

INVITE = "invite"
"""What the URL calls the token."""

_DESK = "annotate_desk"
_WHO = "annotate_who"
_INVITED = "annotate_invite"
_LONGEST_TOKEN = 200

_READ_ONLY = "This dashboard is read-only: ratings are given at another address."

_NOT_OPEN: dict[State, str] = {
    "draft": "This study is still being planned.",
    "sealed": "This study is not open yet. Come back when its owner tells you.",
    "closed": "This study is closed and takes no more ratings. Thank you!",
    "unblinded": "This study is finished and takes no more ratings. Thank you!",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who works in this tab."""

    study_id: str
    annotator: str
    place: int | None = None
    """None without invite."""
    digest: str = ""
    """Hash of the invite's token; empty without."""


def is_annotators() -> bool:
    """Tell whether this tab came by an invite, a wrong one included: it sees one page only."""
    return INVITE in st.query_params or _INVITED in st.session_state


def open_store(artifacts: Path) -> AnnotationStore:
    """Return this process's one store of ratings.

    Raises:
        StudyError: If this dashboard may not write: not even the file is opened then.
        StoreError: If another dashboard has it open, or it cannot be read.
    """
    if access.is_read_only():
        raise StudyError(_READ_ONLY)
    return _open_store(str(studies_folder(artifacts)))


@st.cache_resource(show_spinner=False, on_release=AnnotationStore.close)
def _open_store(studies: str) -> AnnotationStore:
    store = AnnotationStore(Path(studies))
    for study_id in store.studies_with_ratings():
        # A dashboard killed between a commit and its snapshot left the snapshot behind.
        try:
            request_here(store.path, study_id)
            catch_up_here(store.path, study_id)
        except StoreError as error:
            log.warning("%s", error)  # it is tried again
    return store


@cache
def _throttle() -> Throttle:
    # Not one of Streamlit's caches: those can be cleared from a browser.
    return Throttle()


def enter(artifacts: Path, study_id: str, name: str) -> None:
    """Let somebody rate in a study without invites: remembered in the tab and in the URL.

    Raises:
        StudyError: If there is no such study, it needs an invite, or the name will not do.
    """
    annotator = annotator_id(name)
    if read_plan(artifacts, study_id).requires_invite:
        raise StudyError(
            f"Study {study_id!r} is entered by an invite link. Ask its owner for yours."
        )
    st.session_state[_WHO] = (study_id, annotator)
    st.query_params.update({"study": study_id, "annotator": annotator})


def leave() -> None:
    """Forget the annotator; the saved answers stay. An annotator's tab stays one."""
    found = st.session_state.pop(_DESK, None)
    if isinstance(found, Desk) and not access.is_read_only():
        try:
            found.leave()
        except StoreError as error:
            log.warning("%s", error)  # the leases end by themselves
    st.session_state.pop(_WHO, None)
    if _INVITED in st.session_state:
        st.session_state[_INVITED] = ""
    for name in ("study", "annotator", INVITE):
        st.query_params.pop(name, None)


def visitor(artifacts: Path) -> Visitor | None:
    """Return who works in this tab, None before anybody entered.

    Raises:
        StudyError: If the invite is wrong or ended, or the URL names an unknown study or name.
        StoreError: If a plan or the invites cannot be read.
    """
    if is_annotators():
        return _invited(artifacts)
    known = st.session_state.get(_WHO)
    study_id = st.query_params.get("study") or (known[0] if known else None)
    name = st.query_params.get("annotator") or (known[1] if known else None)
    if not study_id or not name:
        return None
    enter(artifacts, study_id, name)
    return Visitor(study_id=study_id, annotator=annotator_id(name))


def _invited(artifacts: Path) -> Visitor | None:
    token = st.query_params.get(INVITE, "")[:_LONGEST_TOKEN]
    known = st.session_state.get(_INVITED, "")
    digest = token_digest(token) if token else known
    if not digest:
        return None
    if digest != known:
        _slow_down()
    found = holder_of(artifacts, digest)
    if found is None:
        if digest != known:
            _throttle().failed(_address())
            st.session_state.setdefault(_INVITED, "")
        raise StudyError(
            "This invite link is not, or no longer, valid. Open the link exactly as you got it, "
            "or ask the study's owner for a new one. Everything you saved is kept."
        )
    st.session_state[_INVITED] = digest
    study_id, one = found
    return Visitor(study_id=study_id, annotator=one.annotator, place=one.place, digest=digest)


def _slow_down() -> None:
    seconds = _throttle().wait_seconds(_address())
    if seconds > 0:
        raise StudyError(
            "Too many wrong invite links were opened from your network. Wait "
            f"{math.ceil(seconds)} seconds and load the page again; nothing you saved is lost."
        )


def _address() -> str:
    return st.context.ip_address or "this machine"


def closed_because(artifacts: Path, study_id: str) -> str:
    """Return why a study takes no ratings now; "" if it does."""
    if access.is_read_only():
        return _READ_ONLY
    state = study_state(artifacts, study_id)
    changed = _changed(artifacts, study_id) if state in ("open", "closed") else ""
    return changed or _NOT_OPEN.get(state, "")


def _changed(artifacts: Path, study_id: str) -> str:
    """Return what an annotator reads where the study's files were changed; "" if they were not."""
    admitted = open_store(artifacts).admitted_under(study_id)
    trouble = trouble_of(
        read_plan(artifacts, study_id),
        study_log(artifacts, study_id),
        seals=[seal for seal, _ in admitted],
        entries=[entry for _, entry in admitted],
    )
    if not trouble:
        return ""
    log.warning("Study %s: %s", study_id, trouble)
    return (
        "This study takes no ratings now: its files were changed. Tell its owner, who finds more "
        "on the Study page."
    )


@contextmanager
def _admitted(artifacts: Path, who: Visitor) -> Iterator[str]:
    """Let nobody close or unblind the study between the look at its state and the commit."""
    with unchanged(artifacts, who.study_id):
        reason = closed_because(artifacts, who.study_id)
        if not reason and who.digest and holder_of(artifacts, who.digest) is None:
            reason = "Your invite was ended by the study's owner."
        if reason:
            raise StudyError(f"{reason} Nothing was stored now; what was saved before is kept.")
        yield study_log(artifacts, who.study_id).head


def desk(artifacts: Path, who: Visitor) -> Desk:
    """Return the desk of an annotator in this tab.

    Raises:
        StudyError: If there is no such study, or this dashboard may not write.
        StoreError: If the plan or the store cannot be read.
    """
    if access.is_read_only():
        raise StudyError(_READ_ONLY)
    plan = read_plan(artifacts, who.study_id)
    store = open_store(artifacts)
    found = st.session_state.get(_DESK)
    if not isinstance(found, Desk) or (found.plan.seal, found.annotator) != (
        plan.seal,
        who.annotator,
    ):
        found = Desk(plan=plan, annotator=who.annotator, store=store)
        st.session_state[_DESK] = found
    found.store = store
    found.place = who.place
    found.admit = partial(_admitted, artifacts, who)
    found.places = partial(active_places, artifacts, plan.study_id)
    return found


def desk_so_far() -> Desk | None:
    """Return the desk of this tab, if it has one."""
    found = st.session_state.get(_DESK)
    return found if isinstance(found, Desk) else None


def suggested() -> tuple[str, str]:
    """Return study and name as far as the URL gives them, for the entrance form."""
    return st.query_params.get("study", ""), st.query_params.get("annotator", "")
