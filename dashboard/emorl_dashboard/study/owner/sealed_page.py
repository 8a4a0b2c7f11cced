"""The Study page after sealing: invites, coverage, closing and unblinding."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from emorl_dashboard.frames.plain import plain
from emorl_dashboard.server import access
from emorl_dashboard.study.custody.annotators import once_each
from emorl_dashboard.study.custody.invites import deactivate, invite, invited
from emorl_dashboard.study.custody.unblinding import (
    close_study,
    open_study,
    study_state,
    unblind,
    unblinded_at,
)
from emorl_dashboard.study.owner import steps
from emorl_dashboard.study.protocol.blinding import short_seal
from emorl_dashboard.study.protocol.plan import StudyPlan, read_plan
from emorl_dashboard.study.reporting import status

_COLOURS = {"sealed": "violet", "open": "green", "closed": "orange", "unblinded": "blue"}
_BY = "Study page"
_LINKS = "study-links"


def show(artifacts: Path, study_id: str) -> None:
    """Lay out a sealed study."""
    plan = read_plan(artifacts, study_id)
    state = study_state(artifacts, study_id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(state, color=_COLOURS[state])  # type: ignore[arg-type]
        sealed = "" if state == "sealed" else "sealed "
        st.text(f"{sealed}{plan.created_at[:10]} · seal {short_seal(plan.seal)}…", help=plan.seal)
    found = status.status(artifacts, plan.study_id)
    for remark in found.remarks:
        (st.error if found.takes_no_ratings else st.warning)(plain(remark))
    _coverage(plan, found)
    if access.is_read_only():
        return
    if plan.requires_invite and state != "unblinded":
        _invites(artifacts, plan, can_invite=state in ("sealed", "open"))
    _life(artifacts, plan, state)


def _coverage(plan: StudyPlan, found: status.StudyStatus) -> None:
    expected = "" if found.n_expected is None else f" / {found.n_expected}"
    with st.container(horizontal=True, gap="medium"):
        for label, value in (
            ("Ratings", f"{found.n_ratings}{expected}"),
            ("Items complete", f"{found.n_items_complete} / {found.n_items}"),
            ("Annotators", sum(one.is_active for one in found.annotators)),
            ("Flags", sum(one.n_flagged for one in found.annotators)),
        ):
            st.metric(label, value, width=150)
    if found.annotators:
        st.dataframe(
            [
                {
                    "annotator": one.annotator,
                    "rated": one.n_rated,
                    "share": one.n_share,
                    "skipped": one.n_skipped,
                    "flagged": one.n_flagged,
                    "completion code": one.completion_code,
                    "link": "active" if one.is_active else "ended",
                }
                for one in found.annotators
            ],
            hide_index=True,
        )
    with st.expander("The sealed plan"):
        st.text("Seal of the plan, for a preregistration: it stands for every text and question.")
        st.code(plan.seal, language=None)
        counts = plan.n_of_kind()
        st.text(
            f"{counts.get('rating', 0)} items, {counts.get('gold', 0)} gold, "
            f"{counts.get('repeat', 0)} repeated, {counts.get('practice', 0)} exercises; mode "
            f"{plan.mode}; guidelines {plan.guidelines.version}"
        )
        st.dataframe(
            [{"system": system.name, "from": system.origin} for system in plan.systems],
            hide_index=True,
        )
        for message in plan.findings:
            st.text(message)


def _invites(artifacts: Path, plan: StudyPlan, *, can_invite: bool) -> None:
    st.subheader("Invites", anchor=False)
    st.caption(
        "A link is a key: send it to its annotator alone. It is shown once and stored nowhere. "
        "Annotators who can reach this address could open the other pages without their link: "
        "set a password for those (docs/sharing.md)."
    )
    links: dict[str, str] = st.session_state.setdefault(f"{_LINKS}-{plan.study_id}", {})
    if can_invite:
        with st.form("study-invite", border=False, clear_on_submit=True, width=560):
            names = st.text_input("Code names of annotators, with commas between", max_chars=2000)
            if st.form_submit_button("Make links", type="primary"):
                for name in once_each(filter(None, (part.strip() for part in names.split(",")))):
                    token = invite(artifacts, plan.study_id, name)
                    links[name] = steps.invite_link(_origin(), token)
                st.rerun()
    for name, link in links.items():
        st.text(name)
        st.code(link, language=None, wrap_lines=True)
    active = [one.annotator for one in invited(artifacts, plan.study_id) if one.is_active]
    if active:
        with st.form("study-end", border=False):
            gone = st.selectbox("End the link of", active, index=None, width=420)
            if st.form_submit_button("End it") and gone:
                deactivate(artifacts, plan.study_id, gone)
                links.pop(gone, None)
                st.rerun()


def _origin() -> str:
    url = st.context.url or ""
    return "/".join(url.split("/")[:3])


def _life(artifacts: Path, plan: StudyPlan, state: str) -> None:
    st.subheader("Closing and unblinding", anchor=False)
    if state == "unblinded":
        at = unblinded_at(artifacts, plan.study_id)
        st.text(f"Unblinded on {at:%Y-%m-%d %H:%M} UTC: the Results page is open." if at else "")
        return
    if state == "open":
        if st.button("Close the study", help="No more ratings; it can be opened again."):
            close_study(artifacts, plan.study_id, by=_BY)
            st.rerun()
    elif st.button("Open the study" if state == "sealed" else "Open it again"):
        open_study(artifacts, plan.study_id, by=_BY)
        st.rerun()
    with st.form("study-unblind", border=False, width=560):
        st.caption("Unblinding shows results by system, ends the study for good and is logged.")
        by = st.text_input("Your name", max_chars=80)
        reason = st.text_input("Reason", max_chars=300)
        if st.form_submit_button("Unblind"):
            unblind(artifacts, plan.study_id, by=by, reason=reason)
            st.rerun()
