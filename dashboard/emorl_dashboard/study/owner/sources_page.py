"""The Study page before sealing: whose responses are rated, under which names, from where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from emorl.errors import DataError
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.study.owner import steps
from emorl_dashboard.study.planning import source_changes
from emorl_dashboard.study.planning.draft import StudyDraft, left_aside, with_sources
from emorl_dashboard.study.planning.offers import RunOffer, offers
from emorl_dashboard.study.planning.sources import Source, SourceSplit

_TOLD = "study-sources-told"


def show(artifacts: Path, draft: StudyDraft) -> None:
    """Lay out the systems of a draft: rename them, take them out, add more."""
    st.subheader("Systems", anchor=False)
    for line in st.session_state.pop(_TOLD, ()):
        st.info(plain(line))
    for place, source in enumerate(draft.sources):
        with st.container(horizontal=True, vertical_alignment="center"):
            name = source.name or source.file_name
            st.text(f"{name} · {source.origin}", width="stretch")
            if st.button("Take out", key=f"study-out-{place}-{_version(draft)}"):
                left = [one for one in draft.sources if one != source]
                _keep(artifacts, draft, replace(draft, sources=tuple(left)))
    if draft.sources:
        with st.expander("Rename systems"):
            _names(artifacts, draft)
    with st.expander("Add systems", expanded=not draft.sources):
        _add_from_run(artifacts, draft)
        _add_from_file(artifacts, draft)


def _names(artifacts: Path, draft: StudyDraft) -> None:
    st.caption(
        "What plan and results call each system; annotators see no names. Two sources of one "
        "name are one system, which answers a data set in each."
    )
    try:
        found = [
            (source, stored)
            for source in draft.sources
            for stored in source_changes.stored_systems(artifacts, draft, source)
        ]
    except DataError as error:
        st.text(str(error))  # the checks below say it as well
        return
    with st.form("study-names", border=False):
        names = {
            (source, stored): st.text_input(
                plain(f"{stored} · {source.origin}"),
                source.called(stored),
                key=f"study-name-{place}-{_version(draft)}",
                max_chars=80,
                width=420,
            )
            for place, (source, stored) in enumerate(found)
        }
        if st.form_submit_button("Keep the names"):
            _keep(artifacts, draft, source_changes.named(artifacts, draft, names))


def _add_from_run(artifacts: Path, draft: StudyDraft) -> None:
    found = offers(artifacts)
    if not found:
        return
    run_id = st.selectbox("Run", [one.run_id for one in found], key="study-run", width=420)
    offer = next(one for one in found if one.run_id == run_id)
    with st.form("study-add-run", border=False):
        systems = st.multiselect("Stored systems (held-out prompts)", offer.systems)
        methods = st.multiselect(
            "Methods: the weights that a search found", [one.name for one in offer.methods]
        )
        weights = st.text_input(
            f"Weights of an ensemble: {', '.join(map(plain, offer.objectives))}",
            placeholder=",".join("1" for _ in offer.objectives),
            max_chars=200,
            disabled=not offer.mapped_splits,
            help="Looked up in the run's atlases; a single objective is the weights with one 1.",
        )
        splits = _splits(offer)
        split = st.radio("Prompts of methods and weights", splits, horizontal=True)
        if not offer.mapped_splits:
            st.caption(f"To choose weights, map the run: `emorl atlas {run_id} --split inference`")
        if not st.form_submit_button("Add"):
            return
    chosen: list[Source] = [Source(kind="system", run_id=run_id, system=name) for name in systems]
    if weights.strip() or methods:
        typed = [steps.weights_of(weights)] if weights.strip() else []
        chosen += steps.sources_of(offer, (), typed, split, methods)
    st.session_state[_TOLD] = left_aside(draft, *chosen)  # read after the rerun
    _keep(artifacts, draft, with_sources(draft, *chosen))


def _splits(offer: RunOffer) -> list[SourceSplit]:
    """Return the splits with responses at any weights, or at those of a method."""
    of_methods = [split for one in offer.methods for split in one.splits]
    return list(dict.fromkeys([*offer.mapped_splits, *of_methods])) or ["inference"]


def _add_from_file(artifacts: Path, draft: StudyDraft) -> None:
    st.markdown(
        "Responses of other systems, as CSV or JSONL with the columns `system`, `prompt`, "
        "`response` and, if you like, `data_set` and `prompt_index`:"
    )
    uploaded = st.file_uploader("File", type=["csv", "jsonl"], key=f"study-file-{_version(draft)}")
    if uploaded is None:
        return
    name, content = uploaded.name, uploaded.getvalue()
    try:
        changed = steps.with_upload(artifacts, draft, name, content)
    except steps.FileKnownError:
        st.warning(
            "The study has a file of this name already, with other content. Rename this one to "
            "have both."
        )
        if not st.button("Replace the earlier file"):
            return
        changed = steps.with_upload(artifacts, draft, name, content, replaces=True)
    if changed == draft:  # a rerun would find the file again, and again
        st.caption("This file is in the study already.")
    else:
        _keep(artifacts, draft, changed)


def _keep(artifacts: Path, draft: StudyDraft, changed: StudyDraft) -> None:
    source_changes.keep(artifacts, draft, changed)
    st.rerun()


def _version(draft: StudyDraft) -> str:
    """Name what the widgets with this key change: those of other sources must not act on it."""
    return f"{draft.study_id}-{abs(hash(draft.sources)):x}"
