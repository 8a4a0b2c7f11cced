"""The selected point, all it writes, and the table of all points."""

from __future__ import annotations

import streamlit as st

from emorl_dashboard.data import queries, stored_atlases
from emorl_dashboard.data import reward_field as landscape
from emorl_dashboard.data.queries import Frame
from emorl_dashboard.frames import proof, texts
from emorl_dashboard.frames import weight_space as frames
from emorl_dashboard.frames.numbers import counted, score_text, weight_text
from emorl_dashboard.frames.weight_space import Point
from emorl_dashboard.state import selection
from emorl_dashboard.views.weight_space.scene import Scene
from emorl_dashboard.widgets import charts, controls


def line(scene: Scene) -> None:
    """Say in a line what is selected; it stays in sight, however far down the views go."""
    point = scene.point
    if point is None:
        return
    scores = " · ".join(
        f"{controls.objective_mark(place)}&nbsp;{name}&nbsp;{score_text(point.scores[place])}"
        for place, name in enumerate(scene.run.objectives)
    )
    with st.container(key="selected-point"):
        st.markdown(
            f"**{_heading(scene)}** {point.text} · mean reward "
            f"**{score_text(point.mean_reward)}** · {scores}"
        )


def card(scene: Scene) -> None:
    """Show the selected point: weights, scores, one response."""
    point, run = scene.point, scene.run
    st.subheader(_heading(scene), anchor=False)
    if point is None:
        if scene.selected is not None:
            st.info("Weights that are all 0 are no ensemble. Select another point.")
        elif not scene.points.empty:
            st.info("No point that has a score passes the filters.")
        return
    note = frames.distance_note(point, scene.selected)
    if note:
        st.info(note)
    responses = _responses_of(scene, point)
    error = texts.mean_reward_se(responses, run.objectives)
    st.metric("mean reward", score_text(point.mean_reward, error))
    for position, name in enumerate(run.objectives):
        score = score_text(point.scores[position], point.standard_errors[position])
        st.markdown(
            f"{controls.objective_mark(position)} **{name}**  \n"
            f"weight {weight_text(point.weights[position])} · score {score}"
        )
    st.caption(frames.point_note(point, n_prompts=len(responses)))
    shown = _table_of(scene, responses)
    if not shown.empty:
        _reader(shown)
    with st.container(horizontal=True, vertical_alignment="center"):
        controls.link_to("Live ensemble", "Try these weights live →")
        if scene.selected is not None:
            st.button(
                "Clear the selection",
                key="clear",
                type="tertiary",
                on_click=selection.select_weights,
                args=("",),
            )


def _reader(shown: Frame) -> None:
    key = "reading"
    controls.keep_within(key, len(shown))
    number = st.number_input(
        f"Read a response, 1 to {len(shown)}", 1, len(shown), key=key, bind="query-params"
    )
    prompt, response = texts.reading(shown, number - 1)
    with st.container(border=True):
        st.caption("prompt")
        st.text(prompt)
        st.caption("response")
        st.text(response)


def _heading(scene: Scene) -> str:
    if scene.point is None:
        return "No point"
    if scene.selected is None:
        return "Best point"
    return "Selected point" if scene.is_exact else "Nearest"


def _responses_of(scene: Scene, point: Point) -> Frame:
    run = scene.run
    if point.kind == proof.IN_ATLAS:
        scored = stored_atlases.atlases(run, landscape.SPLIT).scored
        return proof.responses_at(scored, point.weights)
    found = queries.part(
        run,
        "responses",
        ("direction_key", "prompt_index", "text", "scores"),
        direction_key=point.direction_key,
    )
    controls.show_problems(found)
    return found.frame


def _table_of(scene: Scene, responses: Frame) -> Frame:
    prompts = queries.table(scene.run, "prompts")
    return texts.response_table(
        responses, prompts.frame, scene.run.objectives, split=landscape.SPLIT
    )


def responses(scene: Scene) -> None:
    """Show all that the selected point writes."""
    point = scene.point
    if point is None:
        return
    shown = _table_of(scene, _responses_of(scene, point))
    st.subheader(f"All responses at weights {point.text}", anchor=False)
    if shown.empty:
        st.caption("Nothing is generated for these weights.")
        return
    st.caption(
        f"Greedy: {counted(len(shown), 'response')} to the aggregation prompts, "
        f"{counted(texts.n_distinct(shown), 'different text')}. Click a column's head to "
        "sort, a cell twice to read all of it."
    )
    st.dataframe(
        shown,
        hide_index=True,
        key="responses",
        row_height=texts.row_height(shown, controls.TEXT_WIDTHS),
        height=360,
        column_config=controls.response_columns(scene.run.objectives),
    )
    charts.export_rows(shown, key="responses-rows", name=scene.name(f"responses-at-{point.text}"))


def table(scene: Scene) -> None:
    """Show all points that pass the filters; a row selects its point."""
    rows = frames.point_table(scene.points, scene.run.objectives)
    order = scene.points["weights_text"].loc[rows.index].tolist()
    text = selection.as_text(scene.selected) if scene.selected else ""
    st.subheader(f"The same {counted(len(rows), 'point')} as a table", anchor=False)
    st.caption(
        "Best first; select a row to select its point. Sort by a column's head, search with the "
        "magnifier above the table."
    )
    if st.session_state.get("picked in table") != text:
        st.session_state["table anchor"] = text
    # A new key redraws the table with the row that was selected elsewhere.
    key = f"points {len(order)} {st.session_state.get('table anchor', '')}"

    def pick() -> None:
        chosen = st.session_state[key]["selection"]["rows"]
        if chosen:
            st.session_state["picked in table"] = order[chosen[0]]
            selection.select_weights(order[chosen[0]])

    st.dataframe(
        rows,
        hide_index=True,
        key=key,
        on_select=pick,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [order.index(text)] if text in order else []}},
        height=360,
        column_config=controls.point_columns(scene.run.objectives),
        placeholder="–",  # noqa: RUF001
    )
    charts.export_rows(rows, key="points-rows", name=scene.name("points-table"))
