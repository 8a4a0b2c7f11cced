"""Weight space: what every evaluated weight vector earns, and what it writes."""

from __future__ import annotations

import streamlit as st

from dashboard import controls, queries, selection
from dashboard.components import point_click
from dashboard.figures.weight_space import MapContent, weight_map
from dashboard.frames import texts
from dashboard.frames import weight_space as frames
from dashboard.frames.numbers import score_text, weight_text
from dashboard.queries import Frame, Run

MAP_KEY = "weight-map"


def render() -> None:
    """Lay out the page."""
    controls.page("Weight space", _body)


def _body(run: Run) -> None:
    evaluations = queries.table(run, "evaluations")
    rounds = queries.table(run, "rounds")
    controls.show_problems(evaluations, rounds)
    points = frames.evaluation_frame(evaluations.frame, run.objectives)
    if points.empty:
        controls.next_command(
            "No weights are evaluated yet: the search starts when the adapters are trained.",
            run.resume_command,
        )
        return
    selected = selection.selected_weights(run.objectives)
    if selected.problem:
        st.error(selected.problem)
    left, right = st.columns([2, 1], gap="medium")
    with left:
        shown, value, axes, last = _filters(run, points)
        stretched = st.session_state["stretched"]
        content = MapContent(
            points=frames.distinct_points(shown),
            path=frames.best_path(shown),
            boxes=frames.boxes(evaluations.frame, rounds.frame, up_to_round=last),
            objectives=run.objectives,
            axes=axes,
            value=value,
            value_range=frames.value_range(shown if stretched else points, value),
            selected=selected.weights,
            is_compact=controls.is_phone(),
        )
        _map(content)
    point = frames.point_or_best(points, selected.weights, run.objectives)
    written = _written(run, point)
    with right:
        st.subheader(_heading(point, selected) if point else "No point", anchor=False)
        _point_card(run, point, written, frames.distance_note(point, selected.weights))
    _responses(run, point, written)
    _table(run, shown, selected)


def _filters(run: Run, points: Frame) -> tuple[Frame, str, tuple[str, ...], int]:
    first, second, third = st.columns(3)
    value = first.selectbox(
        "Colour",
        [frames.MEAN_REWARD, *run.objectives],
        key="colour",
        format_func=_words,
        bind="query-params",
    )
    last = frames.last_round(points)
    up_to = last
    if last > 1:
        up_to = second.slider("Rounds 1 to", 1, last, last, key="round", bind="query-params")
    low, high = frames.value_range(points, value)
    at_least = low
    if high > low:
        at_least = third.slider(
            f"{_words(value)} at least", low, high, low, format="%.3f", key=f"at least {value}"
        )
    with st.container(horizontal=True):
        with_shared = st.toggle("Points that share a measured score", True, key="shared")
        st.toggle("Stretch the colours over what is shown", key="stretched")
    axes = run.objectives
    if len(axes) > 3:
        axes = tuple(
            st.multiselect(
                "Axes of the map", run.objectives, run.objectives[:3], key="axes", max_selections=3
            )
        )
    shown = frames.filter_points(
        points, up_to_round=up_to, value=value, at_least=at_least, with_shared=with_shared
    )
    return shown, value, axes, up_to


def _words(value: str) -> str:
    return value.replace("_", " ")


def _map(content: MapContent) -> None:
    st.markdown(
        f"**{_words(content.value).capitalize()} over weights**, {len(content.points)} points"
    )
    if len(content.axes) < 2:
        st.caption("Choose two or three axes.")
        return
    st.caption(
        "Brighter is better. Boxes shrink round by round around the best corner; the line is the "
        "best point so far. Points on one ray from zero are one ensemble. Click a point to read "
        "what it writes."
    )
    st.plotly_chart(
        weight_map(content, controls.theme_ink()),
        key=MAP_KEY,
        theme=None,
        config={"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"]},
        alt="Map of the evaluated weights; the table below holds the same points.",
    )
    point_click.watch(MAP_KEY, key="map-click", on_pick=selection.select_weights)


def _written(run: Run, point: frames.Point | None) -> Frame:
    responses = queries.table(run, "responses")
    prompts = queries.table(run, "prompts")
    controls.show_problems(responses, prompts)
    key = point.direction_key if point else ""
    own = texts.responses_of(responses.frame, key)
    return texts.response_table(own, prompts.frame, run.objectives, split="aggregation")


def _heading(point: frames.Point, selected: selection.Selected) -> str:
    if selected.weights is None:
        return "Best point"
    return "Selected point" if selection.as_text(selected.weights) == point.text else "Nearest"


def _point_card(run: Run, point: frames.Point | None, shown: Frame, note: str) -> None:
    if point is None:
        st.info("All weights are 0: such an ensemble has no direction and is not evaluated.")
        return
    if note:
        st.info(note)
    responses = texts.responses_of(queries.table(run, "responses").frame, point.direction_key)
    error = texts.mean_reward_se(responses, run.objectives)
    st.metric("mean reward", score_text(point.mean_reward, error))
    for position, name in enumerate(run.objectives):
        score = score_text(point.scores[position], point.standard_errors[position])
        st.markdown(
            f"{controls.objective_mark(position)} **{name}**  \n"
            f"weight {weight_text(point.weights[position])} · score {score}"
        )
    st.caption(frames.point_note(point, n_prompts=len(responses)))
    if shown.empty:
        return
    number = st.number_input(f"Read a response, 1 to {len(shown)}", 1, len(shown), key="reading")
    prompt, response = texts.reading(shown, number - 1)
    with st.container(border=True):
        st.caption("prompt")
        st.text(prompt)
        st.caption("response")
        st.text(response)
    controls.link_to("Live ensemble", "Try these weights live →")


def _responses(run: Run, point: frames.Point | None, shown: Frame) -> None:
    if point is None:
        return
    st.subheader(f"All responses at weights {point.text}", anchor=False)
    if shown.empty:
        st.caption("Nothing is generated for these weights.")
        return
    st.caption(
        f"Greedy responses to the {len(shown)} aggregation prompts, "
        f"{texts.n_distinct(shown)} different. Click a column's head to sort, a cell twice to "
        "read all of it."
    )
    st.dataframe(
        shown,
        hide_index=True,
        key="responses",
        row_height=80,
        height=360,
        column_config=controls.response_columns(run.objectives),
    )


def _table(run: Run, shown: Frame, selected: selection.Selected) -> None:
    table = frames.point_table(shown, run.objectives)
    order = [shown["weights_text"][index] for index in table.index]
    text = selection.as_text(selected.weights) if selected.weights else ""
    st.subheader(f"The same {len(table)} evaluations as a table", anchor=False)
    st.caption("Every grid point of every round, best first; select a row to select its point.")
    if st.session_state.get("picked in table") != text:
        st.session_state["table anchor"] = text
    # A new key redraws the table with the row that was selected elsewhere.
    key = f"points {len(order)} {st.session_state.get('table anchor', '')}"

    def pick() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            st.session_state["picked in table"] = order[rows[0]]
            selection.select_weights(order[rows[0]])

    st.dataframe(
        table,
        hide_index=True,
        key=key,
        on_select=pick,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [order.index(text)] if text in order else []}},
        height=360,
        column_config=controls.point_columns(run.objectives),
        placeholder="–",  # noqa: RUF001
    )
