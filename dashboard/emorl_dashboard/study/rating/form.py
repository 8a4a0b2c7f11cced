"""The rating form: one item and its questions; and the guidelines.

Prompts and responses are generated text: they are shown by ``st.text`` only, which knows neither
Markdown nor HTML. No key, label or URL here holds anything but codes and criteria.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st

from emorl_dashboard.study.protocol.blinding import short_seal
from emorl_dashboard.study.protocol.guidelines import Criterion, safe_markdown
from emorl_dashboard.study.protocol.plan import PlanItem, StudyPlan
from emorl_dashboard.study.protocol.ratings import LONGEST_COMMENT
from emorl_dashboard.study.rating import keyboard, replies
from emorl_dashboard.study.rating.desk import Desk
from emorl_dashboard.study.rating.progress import COMPLETE_RULE, Progress
from emorl_dashboard.study.rating.visits import Notice

_SIDES = {
    replies.FIRST: "First",
    replies.TIE: "No difference",
    replies.SECOND: "Second",
}


def show_progress(desk: Desk, progress: Progress) -> None:
    """Say how many items are done, and what became of the last click."""
    notice = desk.notice
    words = f"{progress.n_rated} of {progress.n_items} of yours done"
    if progress.skipped:
        words += f", {len(progress.skipped)} skipped"
    done = progress.n_rated / progress.n_items if progress.n_items else 1.0
    with st.container(horizontal=True, vertical_alignment="center", key="annotate-progress"):
        st.progress(done, text=words)
        if notice is not None and notice.outcome == "saved":
            st.caption(f":material/check: {notice.message}", width="content")
            if desk.last_answered is not None:
                st.button(
                    "Undo", key="annotate-undo", shortcut="U", type="tertiary", on_click=desk.undo
                )
    if notice is not None and notice.outcome == "refused":
        st.info(notice.message)


def show_not_saved(desk: Desk) -> None:
    """Say that the last click was not stored, where its form is not on the page."""
    notice = desk.notice
    if notice is not None and notice.outcome in ("failed", "incomplete"):
        st.error("Not saved: what you chose last is not stored.")
        st.text(notice.message)


def show_item(desk: Desk, progress: Progress, code: str) -> None:
    """Lay out one item with its form."""
    if desk.notice is not None and desk.notice.item_code != code:
        show_not_saved(desk)  # of an item that is not shown any more
    if desk.revisited == code:
        _earlier_answer(desk, progress, code)
    _texts(desk, desk.plan.item(code), progress)
    _form(desk, progress, code)


def show_guidelines(plan: StudyPlan) -> None:
    """Lay out what the questions and levels mean."""
    guidelines = plan.guidelines
    with st.expander("Guidelines", expanded=True, key="annotate-guidelines"):
        if guidelines.text:
            st.markdown(safe_markdown(guidelines.text))
        if plan.mode == "pairwise":
            st.markdown("The levels below say what is meant by each question; compare by them.")
        if guidelines.example_prompt:
            st.markdown("All examples answer this statement:")
            st.text(guidelines.example_prompt)
        for criterion in guidelines.criteria:
            st.markdown(
                safe_markdown(
                    f"**{_title(criterion)}** · {criterion.question}\n\n{_levels(criterion)}"
                )
            )


def show_end(desk: Desk, progress: Progress) -> None:
    """Thank the annotator; give the completion code; offer what is left and the way back."""
    show_not_saved(desk)
    st.subheader("You have been through all your items", anchor=False)
    st.write(f"You rated {progress.n_rated} of {progress.n_items} items. Thank you!")
    if desk.plan.requires_invite:
        _completion(desk, progress)
    if progress.skipped:
        st.write(f"You skipped {len(progress.skipped)}. You can still rate them.")
        st.button(
            "Go to the first skipped item",
            key="annotate-first-skipped",
            type="primary",
            on_click=desk.visit,
            args=(progress.skipped[0],),
        )
    if desk.plan.requires_invite and not desk.helps:
        st.button("Look for items that others left", key="annotate-help", on_click=desk.help_out)
    elif desk.helps:
        st.write("Nobody has left items for others now.")
    if progress.order:
        st.button(
            "Back to the last item", key="annotate-end-back", on_click=desk.go_back, args=(None,)
        )
    # There is nothing to press, but what became of the last answer is read out as well.
    keyboard.listen(item="annotate-end", questions=[], save="annotate-end", said=_said(desk))


def _completion(desk: Desk, progress: Progress) -> None:
    code = desk.complete(progress)
    if code:
        st.write("Your completion code, as proof for the study's owner:")
        st.code(code, language=None)
        st.caption(
            f"The study's seal is {short_seal(desk.plan.seal)}: the same as when you started."
        )
    elif progress.n_items > 0:
        st.write(f"{COMPLETE_RULE} Rate some of the items that you skipped to get yours.")


def _earlier_answer(desk: Desk, progress: Progress, code: str) -> None:
    state = progress.states.get(code)
    kind = {None: "not answered yet", "rating": "rated", "skip": "skipped"}[
        state.kind if state and state.kind != "withdrawn" else None
    ]
    with st.container(horizontal=True, vertical_alignment="center", key="annotate-earlier"):
        st.caption(f"An earlier item, {kind}. Saving replaces your answer.")
        st.button("Return without change", key="annotate-go-on", on_click=desk.go_on)


def _texts(desk: Desk, item: PlanItem, progress: Progress) -> None:
    position = progress.position(item.code)
    if item.kind == "practice":
        place = f"Exercise {position} of {len(progress.practice)}"
    else:
        place = f"Item {position} of {max(position, progress.n_items)}"
    responses = replies.texts_in_order(desk.plan, desk.annotator, item)
    names = ("Response to rate",) if len(responses) == 1 else ("First response", "Second response")
    with st.container(key=f"annotate-item-{item.code}", gap="small"):
        with st.container(gap="xxsmall"):
            st.caption(f"{place} · prompt")
            st.text(item.prompt)
        for name, response, column in zip(
            names, responses, st.columns(len(responses)), strict=True
        ):
            with column.container(border=True, gap="xxsmall"):
                st.caption(name)
                if response.strip():
                    st.text(response)
                else:
                    st.caption("The response is empty.")


def _form(desk: Desk, progress: Progress, code: str) -> None:
    stem = _stem(desk, code)
    state = progress.states.get(code)
    earlier: dict[str, int | None] = {}
    if state:
        earlier |= replies.form_values(desk.plan, desk.annotator, code, state.values)
    # What could not be saved comes back, also after a time in which no form was shown.
    earlier |= desk.unsaved.get(code, {})
    criteria = desk.plan.guidelines.criteria
    widgets = {criterion.name: f"{stem}-q{n}" for n, criterion in enumerate(criteria)}
    questions = [
        (f"{stem}-box{n}", list(_choices(desk, criterion))) for n, criterion in enumerate(criteria)
    ]
    notice = desk.notice if desk.notice and desk.notice.item_code == code else None
    with st.form(f"{stem}-form", border=False, enter_to_submit=False):
        for (box, _), criterion in zip(questions, criteria, strict=True):
            with st.container(key=box):
                _question(desk, criterion, widgets[criterion.name], earlier.get(criterion.name))
        comment = _comment(desk, code)
        _complaint(notice, has_answers=code in desk.unsaved)
        _buttons(desk, code, progress, widgets, comment)
    keyboard.listen(
        item=f"annotate-item-{code}",
        questions=questions,
        save=f"{stem}-save",
        comment=comment,
        said=_said(desk),
        heard=desk.heard,
    )


def _said(desk: Desk) -> str:
    return desk.notice.message if desk.notice else ""


def _stem(desk: Desk, code: str) -> str:
    # The request id in the keys makes each visit to an item a fresh form.
    return f"annotate-{code}-{desk.request(code)[:8]}"


def _choices(desk: Desk, criterion: Criterion) -> dict[int, str]:
    if desk.plan.mode == "pairwise":
        return _SIDES
    return {level.value: level.label for level in criterion.levels}


def _question(desk: Desk, criterion: Criterion, key: str, earlier: int | None) -> None:
    choices = _choices(desk, criterion)
    asked = "Which response is better?" if desk.plan.mode == "pairwise" else criterion.question
    st.segmented_control(
        f"{_title(criterion)}: {asked}",
        list(choices),
        default=earlier,
        required=True,
        format_func=lambda value: f"{value} · {choices[value]}",
        key=key,
        width="stretch",
    )


def _comment(desk: Desk, code: str) -> str:
    """Lay out the comment; return the key of its field."""
    key = f"{_stem(desk, code)}-comment"
    stored = desk.store.notes(desk.plan.study_id, desk.annotator, code).comment
    known = desk.unsaved_comments.get(code, stored)
    with st.expander("Comment", expanded=bool(known)):
        st.text_area(
            "Comment on this item, for the study's owner",
            value=known,
            max_chars=LONGEST_COMMENT,
            height=80,
            key=key,
        )
    return key


def _complaint(notice: Notice | None, *, has_answers: bool) -> None:
    if notice is None:
        return
    if notice.outcome == "incomplete":
        st.warning(notice.message)
    elif notice.outcome == "failed":
        kept = " Your answers are still here: try again." if has_answers else " Try again."
        st.error(f"Not saved.{kept}")
        st.text(notice.message)


def _buttons(
    desk: Desk, code: str, progress: Progress, widgets: Mapping[str, str], comment: str
) -> None:
    stem, failed = _stem(desk, code), desk.has_failed(code)
    save = "Save the change" if desk.revisited == code else "Save and go on"
    is_flagged = desk.store.notes(desk.plan.study_id, desk.annotator, code).is_flagged
    with st.container(horizontal=True, key=f"{stem}-buttons"):
        st.form_submit_button(
            "Try again" if failed else save,
            key=f"{stem}-save",
            type="primary",
            on_click=_rate,
            args=(desk, code, dict(widgets), comment),
        )
        for label, letter, act, is_off in (
            ("Skip", "S", partial(_skip, desk, code, comment), False),
            ("Back", "B", partial(desk.go_back, code), progress.before(code) is None),
            (
                "Remove flag" if is_flagged else "Flag",
                "F",
                partial(desk.annotate, code, "unflag" if is_flagged else "flag"),
                False,
            ),
        ):
            st.form_submit_button(
                label, key=f"{stem}-{letter}", shortcut=letter, on_click=act, disabled=is_off
            )
    values = _choices(desk, desk.plan.guidelines.criteria[0])
    st.caption(
        f"Keys: {', '.join(map(str, values))} answer the marked question, Enter saves, C comments."
        + (" You flagged this item." if is_flagged else "")
    )


def _rate(desk: Desk, code: str, widgets: Mapping[str, str], comment: str) -> None:
    desk.comment(code, st.session_state.get(comment) or "")
    desk.rate(code, {name: st.session_state.get(key) for name, key in widgets.items()})


def _skip(desk: Desk, code: str, comment: str) -> None:
    desk.comment(code, st.session_state.get(comment) or "")
    desk.skip(code)


def _levels(criterion: Criterion) -> str:
    return "\n".join(
        f"- **{level.value} · {level.label}.** {level.description}"
        + (f" *“{level.example}”*" if level.example else "")
        for level in criterion.levels
    )


def _title(criterion: Criterion) -> str:
    return criterion.name[:1].upper() + criterion.name[1:]
