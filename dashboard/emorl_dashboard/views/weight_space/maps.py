"""Views of where scores are: cube, triangle, slices."""

from __future__ import annotations

import streamlit as st

from emorl_dashboard.components import point_click
from emorl_dashboard.data import reward_field as landscape
from emorl_dashboard.data.queries import Run
from emorl_dashboard.figures import simplex
from emorl_dashboard.figures.slices import slice_matrix
from emorl_dashboard.figures.ternary import TernaryContent, ternary_map
from emorl_dashboard.figures.weight_space import MapContent, weight_map
from emorl_dashboard.frames import proof as proofs
from emorl_dashboard.frames import trade_off
from emorl_dashboard.frames import weight_space as frames
from emorl_dashboard.frames.numbers import counted
from emorl_dashboard.state import selection
from emorl_dashboard.state import url as asked
from emorl_dashboard.views.weight_space.scene import Scene, words
from emorl_dashboard.widgets import charts

MAP_KEY = "weight-map"
TRIANGLE_KEY = "triangle"
SLICES_KEY = "slices"


def weight_map_view(scene: Scene) -> None:
    """Draw the evaluated weights in two or three axes, as the paper does."""
    run = scene.run
    points = frames.distinct_points(scene.points)
    st.markdown(
        f"**{words(scene.value).capitalize()} over weights**, "
        f"{counted(len(scene.points), 'point')}"
    )
    axes = _axes(scene, "axes", "Axes of the map")
    with_field = _field_toggle(scene)
    if len(axes) < 2:
        st.caption("Choose two or three axes.")
        return
    st.caption(
        "Brighter is better. Boxes shrink round by round around the best corner; the line is the "
        "best point so far. Points on one ray from zero are one ensemble. Click a point to read "
        "what it writes."
        + (_SPACE_NOTE if len(axes) == 3 else "")
        + (_FIELD_NOTE if with_field and len(axes) == 3 else "")
    )
    content = MapContent(
        points=points,
        path=frames.best_path(scene.points),
        boxes=landscape.boxes(run, scene.shown.filters.up_to_round),
        objectives=run.objectives,
        axes=axes,
        value=scene.value,
        value_range=scene.value_range,
        selected=scene.selected,
        field=landscape.cube(run, axes, scene.at, scene.shown) if with_field else None,
        is_compact=scene.is_phone,
    )
    charts.chart(
        weight_map(content, scene.ink),
        key=MAP_KEY,
        name=scene.name("map"),
        rows_name=scene.name("points"),
        rows=scene.points,
        alt="Map of the evaluated weights; the table below holds the same points.",
    )
    point_click.watch(MAP_KEY, key="map-click", on_pick=selection.select_weights)


_SPACE_NOTE = " Corners name the weight that is 1 there; grid lines are 0.25 apart."
_FIELD_NOTE = (
    " Surfaces enclose the weights that are at least as good: rays from zero, as only the "
    "direction counts."
)


_NEAREST_NOTE = "Without an atlas each place has the colour of the nearest evaluated direction."


def _source(run: Run) -> str:
    """Say what the image of a run with an atlas rests on."""
    field = landscape.reward_field(run)
    if field is not None and all(atlas.is_complete for atlas in field.atlases):
        return "The image is exact: every response is known from the atlas."
    return (
        "The image is exact where it has colour: elsewhere the atlas's budget ended before some "
        "response did."
    )


def _field_toggle(scene: Scene) -> bool:
    if landscape.reward_field(scene.run) is None:
        return False
    return st.toggle(
        "Field of all weights, from the atlas", False, key="field", bind="query-params"
    )


def triangle_view(scene: Scene) -> None:
    """Draw three weights that sum to one; a click anywhere selects."""
    run = scene.run
    axes = _axes(scene, "corners", "Corners of the triangle")
    if len(axes) != 3:
        st.caption("Choose three corners.")
        return
    field, is_exact = landscape.triangle(run, scene.points, axes, scene.at, scene.shown)
    st.markdown(f"**{words(scene.value).capitalize()} over all directions**")
    proof = landscape.proof(run)
    is_whole = len(run.objectives) == 3
    with_star = (
        proof is not None and is_whole and proof.passes(run.objectives, scene.shown.filters)
    )
    source = _source(run) if is_exact else _NEAREST_NOTE
    told = f" {proofs.proof_note(proof)}" if proof and with_star else ""
    rest = "" if is_whole else " The other weights keep their share of the selected direction."
    st.caption(f"Corners are single objectives. Click anywhere to select. {source}{rest}{told}")
    exact = landscape.exact_front(run, scene.shown.filters)
    with_front = not exact.empty and is_whole and _front_toggle(len(exact))
    content = TernaryContent(
        points=scene.points,
        objectives=run.objectives,
        axes=axes,
        value=scene.value,
        value_range=scene.value_range,
        field=field,
        best_region=proof.corners if proof and with_star else None,
        front=trade_off.front_weights(exact, run.objectives) if with_front else None,
        selected=scene.selected,
        is_compact=scene.is_phone,
    )
    charts.chart(
        ternary_map(content, scene.ink),
        key=TRIANGLE_KEY,
        name=scene.name("triangle"),
        rows_name=scene.name("points"),
        rows=scene.points,
        alt="Triangle of the shares of three weights; the table below holds the same points.",
    )
    places = [run.objectives.index(name) for name in axes]

    def pick(text: str) -> None:
        shares = simplex.shares_at(text)
        if shares is not None:
            text = selection.as_text(frames.with_shares(scene.at, places, shares))
        if not text.startswith("@"):
            selection.select_weights(text)

    point_click.watch(TRIANGLE_KEY, key="triangle-click", on_pick=pick, anywhere=True)


def _front_toggle(n_regions: int) -> bool:
    return st.toggle(
        f"Directions of the exact Pareto front ({n_regions})",
        True,
        key="front",
        bind="query-params",
    )


def slices_view(scene: Scene) -> None:
    """Draw every pair of weights, the others as selected."""
    st.markdown(f"**{words(scene.value).capitalize()} over pairs of weights**")
    at = frames.in_cube(scene.at)
    exact = landscape.reward_field(scene.run) is not None
    source = "exact, from the atlas" if exact else "each place as its nearest evaluated direction"
    st.caption(
        f"Each panel varies two weights; the others stay at {selection.as_text(at)}, marked by a "
        f"ring ({source}). Click anywhere to select."
    )
    found = landscape.slice_samples(scene.run, scene.points, at, scene.shown)
    if not found:
        st.caption("No evaluated direction passes the filters.")
        return
    charts.chart(
        slice_matrix(found, scene.run.objectives, at, scene.value, scene.value_range, scene.ink),
        key=SLICES_KEY,
        name=scene.name("slices"),
        rows_name=scene.name("points"),
        rows=scene.points,
        alt="Matrix of slices through the selected weights.",
    )
    point_click.watch(SLICES_KEY, key="slices-click", on_pick=selection.select_weights)


def _axes(scene: Scene, key: str, label: str) -> tuple[str, ...]:
    axes = scene.run.objectives
    if len(axes) <= 3:
        return axes
    asked.several(scene.run.run_id, key, axes, default=axes[:3])
    return tuple(
        st.multiselect(label, axes, axes[:3], key=key, max_selections=3, bind="query-params")
    )
