"""The Study page before sealing: what is rated, how, by how many; checks; the seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import streamlit as st

from emorl.errors import EmorlError
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.study.owner import sources_page, steps
from emorl_dashboard.study.planning.creation import Prepared, prepare, seal
from emorl_dashboard.study.planning.draft import (
    MOST_ANNOTATORS,
    StudyDraft,
    create_draft,
    discard_draft,
    read_draft,
    write_draft,
)
from emorl_dashboard.study.planning.offers import offers
from emorl_dashboard.study.protocol.assignment import preview
from emorl_dashboard.study.protocol.guidelines import (
    criteria_of,
    guidelines_for,
    level_rows,
    safe_markdown,
)
from emorl_dashboard.study.protocol.plan import Mode
from emorl_dashboard.study.rating import entrance
from emorl_dashboard.study.reporting import planned_power

_PAPER = ("reflection", "empathy", "fluency")

_NUMBERS = (
    ("n_items_per_data_set", "Prompts per data set", 10_000),
    ("n_ratings_per_item", "Ratings per item", 20),
    ("n_annotators", "Annotators", MOST_ANNOTATORS),
    ("n_gold", "Gold items (damaged copies)", 200),
    ("n_repeats", "Repeated items", 200),
    ("n_practice", "Exercises", 20),
)

_MODES = {
    "rating": "Rate each response on a scale",
    "pairwise": "Say which of two responses is better",
}


def show_new(artifacts: Path) -> None:
    """Lay out the first step: a name and a run."""
    st.write(
        "A study shows responses of several systems to people who do not know which system wrote "
        "them. Plan it here; it can be changed until it is sealed."
    )
    found = offers(artifacts)
    with st.form("study-new", width=560):
        name = st.text_input("Name of the study", max_chars=64, placeholder="for example pilot")
        run = st.selectbox(
            "Finished run whose systems are rated (more can follow)",
            [one.run_id for one in found],
            index=0 if found else None,
            placeholder="none; responses can be imported from a file",
        )
        asked = st.form_submit_button("Plan it", type="primary")
    if not found:
        st.caption("There is no finished run. `emorl demo` makes a small one in minutes.")
    if asked:
        offer = next((one for one in found if one.run_id == run), None)
        sources = steps.sources_of(offer, (), (), "inference") if offer else ()
        guidelines = guidelines_for(offer.objectives if offer else _PAPER)
        draft = StudyDraft(study_id=name.strip(), guidelines=guidelines, sources=sources)
        create_draft(artifacts, draft)
        st.session_state["study-wanted"] = draft.study_id
        st.rerun()


def show(artifacts: Path, study_id: str) -> None:
    """Lay out a draft: its settings, the checks, and the button that seals it."""
    draft = read_draft(artifacts, study_id)
    st.caption("Draft: everything can still be changed. Nobody can rate yet.")
    sources_page.show(artifacts, draft)
    _settings(artifacts, draft)
    _questions(artifacts, draft)
    _checks(artifacts, draft)


def _settings(artifacts: Path, draft: StudyDraft) -> None:
    st.subheader("Design", anchor=False)
    with st.form("study-settings", border=False):
        mode = st.radio(
            "Annotators",
            list(_MODES),
            index=list(_MODES).index(draft.mode),
            format_func=_MODES.__getitem__,
            horizontal=True,
        )
        numbers: dict[str, Any] = {}
        for row in (_NUMBERS[:3], _NUMBERS[3:]):  # on a phone columns stand below each other
            for column, (name, label, most) in zip(st.columns(3), row, strict=True):
                numbers[name] = column.number_input(
                    label, 0, most, value=getattr(draft, name), step=1
                )
        invited = st.toggle(
            "Each annotator comes by an invite link of their own",
            value=draft.requires_invite,
            help="Without, whoever opens the page types a name and rates everything: for one "
            "person on one machine.",
        )
        if st.form_submit_button("Keep the design"):
            _store(
                artifacts,
                replace(draft, mode=cast("Mode", mode), requires_invite=invited, **numbers),
            )


def _questions(artifacts: Path, draft: StudyDraft) -> None:
    guidelines = draft.guidelines
    with st.expander(
        f"Guidelines and questions: {', '.join(c.name for c in guidelines.criteria)}"
    ):
        with st.form("study-guidelines", border=False):
            text = st.text_area(
                "Guidelines, in Markdown (pictures are not shown)", guidelines.text, height=220
            )
            example = st.text_area(
                "The statement that all examples answer", guidelines.example_prompt
            )
            st.markdown("One row per level of each question:")
            rows: Sequence[Any] = st.data_editor(
                level_rows(guidelines), num_rows="dynamic", key=f"study-levels-{_version(draft)}"
            )
            if st.form_submit_button("Keep guidelines and questions"):
                changed = replace(
                    guidelines, text=text, example_prompt=example, criteria=criteria_of(rows)
                )
                _store(artifacts, replace(draft, guidelines=changed))
        st.caption("As annotators see it:")
        st.markdown(safe_markdown(guidelines.text))


def _checks(artifacts: Path, draft: StudyDraft) -> None:
    st.subheader("Before sealing", anchor=False)
    if not draft.sources:
        st.info("Add systems first.")
        return
    try:
        prepared = prepare(artifacts, draft)
    except EmorlError as error:
        entrance.complain("The plan cannot be made.", error)
        return
    _numbers_of(prepared)
    for finding in prepared.findings:
        marks = {"stop": ":red-badge[stops]", "warning": ":orange-badge[check]"}
        mark, message = st.columns([1, 13], gap="small")
        mark.markdown(marks.get(finding.severity, ":gray-badge[note]"))
        message.text(finding.message)
    _preview(prepared)
    _seal(artifacts, draft, prepared)


def _numbers_of(prepared: Prepared) -> None:
    plan = prepared.plan
    counts = plan.n_of_kind()
    found = _smallest(plan.seal, prepared)
    copies = f"{counts.get('gold', 0)} · {counts.get('repeat', 0)}"
    with st.container(horizontal=True, gap="medium"):
        st.metric("Items to rate", counts.get("rating", 0), width=150)
        st.metric("Systems", len(plan.systems), width=150)
        st.metric("Gold · repeated", copies, width=150)
        st.metric(
            f"Smallest {'preference' if plan.mode == 'pairwise' else 'difference'} found",
            max(found, key=lambda one: one.share).told if found else "not known",
            help="None: not even the largest difference would be found. Of several scales, the "
            "one on which the least is found.",
            width=230,
        )
    for line in planned_power.sentences(found):
        st.caption(plain(line))


@st.cache_data(max_entries=16, show_spinner="Simulating the study ...")
def _smallest(
    seal: str,  # noqa: ARG001 - the cache's key
    _prepared: Prepared,
) -> tuple[planned_power.Smallest, ...]:
    return planned_power.smallest_found(_prepared.plan)


def _preview(prepared: Prepared) -> None:
    plan = prepared.plan
    if plan.n_annotators is None:
        return
    with st.expander("Who rates what"):
        st.caption("Items per annotator and system; copies are gold and repeated items.")
        st.dataframe(
            [
                {"annotator": share.place, "items": share.n_items, "copies": share.n_copies}
                | dict(share.n_by_system)
                for share in preview(plan.items, plan.n_annotators)
            ],
            hide_index=True,
        )


def _seal(artifacts: Path, draft: StudyDraft, prepared: Prepared) -> None:
    st.markdown("Sealing fixes texts, codes, questions and shares for good, under one hash.")
    # By the plan, not the draft alone: a run or an imported file may have changed as well.
    shown = prepared.plan.seal
    accepted = st.checkbox("I have read the checks above.", key=f"study-accept-{shown}")
    read = f"study-read-{draft.study_id}"
    if accepted:
        st.session_state[read] = shown
    elif st.session_state.get(read, shown) != shown:
        st.warning(
            "The draft or its texts have changed since you read the checks, here or in another "
            "tab. Nothing was sealed: read the checks again, then seal."
        )
    if st.button(
        "Seal the study", type="primary", disabled=not (accepted and prepared.can_be_sealed)
    ):
        seal(artifacts, draft.study_id, expected=shown)
        st.rerun()
    with st.popover("Discard this draft", type="tertiary"):
        st.text("Its settings and imported files are deleted. This cannot be undone.")
        if st.button("Discard it for good", type="primary"):
            discard_draft(artifacts, draft.study_id)
            st.rerun()


def _store(artifacts: Path, draft: StudyDraft) -> None:
    write_draft(artifacts, draft)
    st.rerun()


def _version(draft: StudyDraft) -> str:
    """Name what the widgets with this key change: those of an earlier draft must not act on it."""
    return f"{draft.study_id}-{abs(hash((draft.sources, draft.guidelines))):x}"
