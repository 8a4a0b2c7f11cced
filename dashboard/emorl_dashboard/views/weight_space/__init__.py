"""Weight space: what every weight vector earns, in linked views of one selection."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from emorl_dashboard.data import reward_field as landscape
from emorl_dashboard.data.queries import Run
from emorl_dashboard.frames.counts import count_note, not_a_number_note
from emorl_dashboard.frames.filters import filter_note
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.state import selection
from emorl_dashboard.state import url as asked
from emorl_dashboard.views.weight_space import details, filters, maps, scores
from emorl_dashboard.views.weight_space.scene import Scene, make_scene
from emorl_dashboard.widgets import controls

View = Callable[[Scene], None]

_DEFAULT = "Map"
_OF_ALL_WEIGHTS = ("Map", "Triangle", "Slices")
"""Views that have something to show without an evaluated point: the fields of an atlas."""


def render() -> None:
    """Lay out the page."""
    controls.page("Weight space", _body)


def _body(run: Run) -> None:
    points = landscape.points(run)
    controls.show_problems(points)
    if points.frame.empty:
        controls.nothing_yet(points, controls.NO_POINTS, run.resume_command)
        return
    selected = selection.selected_weights(run.objectives)
    views = _views(run)
    if selected.problem:
        st.error(plain(selected.problem))
    not_numbers = not_a_number_note(points.frame)
    if not_numbers:
        st.warning(not_numbers)
    asked.several(run.run_id, "view", list(views), default=[_DEFAULT])
    chosen = st.segmented_control(
        "Views, one or more",
        list(views),
        selection_mode="multi",
        default=[_DEFAULT],
        key="view",
        bind="query-params",
        help="Choose several to see them side by side: what you select in one is selected in all.",
    )
    scene = make_scene(run, points.frame, selected.weights, filters.ask(run, points.frame))
    filtered = filter_note(scene.shown.filters, len(scene.points), len(points.frame))
    counts = " ".join(note for note in (count_note(points.frame), filtered) if note)
    if counts:
        st.caption(counts)
    if scene.points.empty:
        st.info(
            "No point passes the filters: lower the scores asked for under “Filters”, or choose "
            "more rounds, kinds or searches. Fields and regions are drawn where they pass."
        )
    details.line(scene)
    drawn = [
        views[name]
        for name in chosen or [_DEFAULT]
        if name in _OF_ALL_WEIGHTS or not scene.points.empty
    ]
    _grid(drawn, scene)
    details.responses(scene)
    details.table(scene)


def _views(run: Run) -> dict[str, View]:
    """Return the views that make sense for so many objectives, in order."""
    n_objectives = len(run.objectives)
    views: dict[str, View] = {"Map": maps.weight_map_view}
    if n_objectives >= 3:
        views["Triangle"] = maps.triangle_view
    if n_objectives >= 4:
        views["Slices"] = maps.slices_view
    return views | {
        "Trade-off": scores.trade_off_view,
        "Parallel": scores.parallel_view,
        "Effects": scores.effects_view,
        "History": scores.history_view,
    }


def _grid(views: list[View], scene: Scene) -> None:
    """One view beside the selected point; several two by two, and the point after them."""
    cells: list[View] = [*views, details.card]
    shares = [2, 1] if len(views) == 1 else [1, 1]
    for start in range(0, len(cells), 2):
        columns = st.columns(shares, gap="medium")
        for column, draw in zip(columns, cells[start : start + 2], strict=False):
            with column:
                draw(scene)
