"""The rating form: one item, its questions, and the guidelines beside it.

Prompts and responses are generated text: they are shown by ``st.text`` only, which knows neither
Markdown nor HTML. No key, label or URL here holds anything but codes and criteria.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.study import keyboard
from dashboard.study.desk import Desk, Notice
from dashboard.study.guidelines import Criterion, Guidelines
from dashboard.study.plan import PlanItem
from dashboard.study.progress import Progress


def show_progress(progress: Progress, notice: Notice | None) -> None:
    """Say how many items are done, and what became of the last click."""
    words = f"{progress.n_rated} of {progress.n_items} done"
    if progress.skipped:
        words += f", {len(progress.skipped)} skipped"
    if notice is not None and notice.outcome == "saved":
        words += f" · :material/check: {notice.message}"
    st.progress(progress.n_rated / progress.n_items, text=words)


def show_item(desk: Desk, progress: Progress, code: str) -> None:
    """Lay out one item with its form, and the guidelines beside (on a phone: below) it."""
    item = desk.plan.item(code)
    left, right = st.columns([3, 2], gap="large")
    with left:
        if desk.revisited == code:
            _earlier_answer(desk, progress, code)
        _texts(item, progress.position(code), progress.n_items)
        _form(desk, progress, code)
    with right:
        _guidelines(desk.plan.guidelines)


def show_end(desk: Desk, progress: Progress) -> None:
    """Thank the annotator; offer the skipped items and the way back."""
    st.subheader("You have been through all items", anchor=False)
    st.write(f"You rated {progress.n_rated} of {progress.n_items} items. Thank you!")
    if progress.skipped:
        st.write(f"You skipped {len(progress.skipped)}. You can still rate them.")
        st.button(
            "Go to the first skipped item",
            key="annotate-first-skipped",
            type="primary",
            on_click=desk.visit,
            args=(progress.skipped[0],),
        )
    st.button(
        "Back to the last item", key="annotate-end-back", on_click=desk.go_back, args=(None,)
    )


def _earlier_answer(desk: Desk, progress: Progress, code: str) -> None:
    state = progress.states.get(code)
    kind = {None: "not answered yet", "rating": "rated", "skip": "skipped"}[
        state.kind if state else None
    ]
    with st.container(horizontal=True, vertical_alignment="center", key="annotate-earlier"):
        st.caption(f"An earlier item, {kind}. Saving replaces your answer.")
        st.button("Return without change", key="annotate-go-on", on_click=desk.go_on)


def _texts(item: PlanItem, position: int, n_items: int) -> None:
    with st.container(key=f"annotate-item-{item.code}", gap="small"):
        with st.container(gap="xxsmall"):
            st.caption(f"Item {position} of {n_items} · prompt")
            st.text(item.prompt)
        with st.container(border=True, gap="xxsmall"):
            st.caption("Response to rate")
            if item.response.strip():
                st.text(item.response)
            else:
                st.caption("The response is empty.")


def _form(desk: Desk, progress: Progress, code: str) -> None:
    stem = _stem(desk, code)
    state = progress.states.get(code)
    earlier = state.values if state else {}
    criteria = desk.plan.guidelines.criteria
    widgets = {criterion.name: f"{stem}-q{n}" for n, criterion in enumerate(criteria)}
    boxes = [(f"{stem}-box{n}", criterion) for n, criterion in enumerate(criteria)]
    notice = desk.notice if desk.notice and desk.notice.item_code == code else None
    with st.form(f"{stem}-form", border=False, enter_to_submit=False):
        for box, criterion in boxes:
            with st.container(key=box):
                _question(criterion, widgets[criterion.name], earlier.get(criterion.name))
        _complaint(notice)
        _buttons(desk, code, progress.position(code), widgets, notice)
    keyboard.listen(
        item=f"annotate-item-{code}",
        questions=boxes,
        save=f"{stem}-save",
        said=desk.notice.message if desk.notice else "",
    )


def _stem(desk: Desk, code: str) -> str:
    # The request id in the keys makes each visit to an item a fresh form.
    return f"annotate-{code}-{desk.request(code)[:8]}"


def _question(criterion: Criterion, key: str, earlier: int | None) -> None:
    values = [level.value for level in criterion.levels]
    st.segmented_control(
        f"{_title(criterion)}: {criterion.question}",
        values,
        default=earlier,
        required=True,
        format_func=lambda value: f"{value} · {criterion.label(value)}",
        key=key,
        width="stretch",
    )


def _complaint(notice: Notice | None) -> None:
    if notice is None:
        return
    if notice.outcome == "incomplete":
        st.warning(notice.message)
    elif notice.outcome == "failed":
        st.error("Not saved. Your answers are still here: try again.")
        st.text(notice.message)


def _buttons(
    desk: Desk, code: str, position: int, widgets: Mapping[str, str], notice: Notice | None
) -> None:
    stem = _stem(desk, code)
    failed = notice is not None and notice.outcome == "failed"
    save = "Save the change" if desk.revisited == code else "Save and go on"
    with st.container(horizontal=True, key=f"{stem}-buttons"):
        st.form_submit_button(
            "Try again" if failed else save,
            key=f"{stem}-save",
            type="primary",
            on_click=_rate,
            args=(desk, code, dict(widgets)),
        )
        st.form_submit_button(
            "Skip", key=f"{stem}-skip", shortcut="S", on_click=desk.skip, args=(code,)
        )
        st.form_submit_button(
            "Back",
            key=f"{stem}-back",
            shortcut="B",
            on_click=desk.go_back,
            args=(code,),
            disabled=position == 1,
        )
    st.caption("Keys: 0, 1, 2 answer the marked question, Enter saves.")


def _rate(desk: Desk, code: str, widgets: Mapping[str, str]) -> None:
    desk.rate(code, {name: st.session_state.get(key) for name, key in widgets.items()})


def _guidelines(guidelines: Guidelines) -> None:
    with st.expander("Guidelines", expanded=True, key="annotate-guidelines"):
        st.markdown(
            "Judge each question by itself, and the response as it stands. All examples answer "
            f"this statement:\n\n> {guidelines.example_prompt}"
        )
        for criterion in guidelines.criteria:
            st.markdown(f"**{_title(criterion)}** · {criterion.question}\n\n{_levels(criterion)}")


def _levels(criterion: Criterion) -> str:
    return "\n".join(
        f"- **{level.value} · {level.label}.** {level.description}"
        + (f" *“{level.example}”*" if level.example else "")
        for level in criterion.levels
    )


def _title(criterion: Criterion) -> str:
    return criterion.name[:1].upper() + criterion.name[1:]
