"""Views of what scores cost each other: trade-off, parallel coordinates, effects, history."""

from __future__ import annotations

import streamlit as st

from emorl.records import Weights
from emorl_dashboard.components import point_click
from emorl_dashboard.data import queries
from emorl_dashboard.data import reward_field as landscape
from emorl_dashboard.data.queries import Frame
from emorl_dashboard.figures.history import search_history
from emorl_dashboard.figures.marginal import effect_panels
from emorl_dashboard.figures.parallel import MOST_CLICKABLE, ParallelContent, parallel_coordinates
from emorl_dashboard.figures.trade_off import TradeOffContent, trade_off
from emorl_dashboard.frames import history, marginal
from emorl_dashboard.frames import trade_off as trades
from emorl_dashboard.frames import weight_space as frames
from emorl_dashboard.frames.numbers import counted
from emorl_dashboard.state import selection
from emorl_dashboard.state import url as asked
from emorl_dashboard.views.weight_space.scene import Scene
from emorl_dashboard.widgets import charts, controls

_AVERAGED = "Averaged"
_THROUGH = "As selected"


def trade_off_view(scene: Scene) -> None:
    """Draw two objectives against each other, with the Pareto front."""
    objectives = scene.run.objectives
    st.markdown("**What is traded for what**")
    for place, axis in enumerate(("x", "y")):
        asked.one(scene.run.run_id, axis, objectives, first=place)
    left, right = st.columns(2)
    x = left.selectbox("Across", objectives, 0, key="x", bind="query-params")
    y = right.selectbox("Up", objectives, 1, key="y", bind="query-params")
    points = trades.trade_off_frame(scene.points, objectives)
    exact = landscape.exact_front(scene.run, scene.shown.filters)
    st.caption(
        f"Up and to the right is better. {trades.front_note(points, exact)} "
        f"{trades.volume_note(points, exact, objectives, (x, y))}"
    )
    content = TradeOffContent(
        points=points,
        exact=exact,
        stairs=trades.stairs(points, x, y),
        objectives=objectives,
        x=x,
        y=y,
        value=scene.value,
        value_range=scene.value_range,
        selected=_selected(scene),
        is_compact=scene.is_phone,
    )
    charts.chart(
        trade_off(content, scene.ink),
        key="trade-off",
        name=scene.name("trade-off"),
        rows_name=scene.name("directions"),
        rows=points,
        alt=f"Scores of {x} against scores of {y}; the table below holds the same points.",
    )
    point_click.watch("trade-off", key="trade-off-click", on_pick=selection.select_weights)


def parallel_view(scene: Scene) -> None:
    """Draw each direction as a line over its weights and scores."""
    points = trades.trade_off_frame(scene.points, scene.run.objectives)
    st.markdown(
        f"**Shares of the weights, and what they score**, {counted(len(points), 'direction')}"
    )
    most = (
        f" Of so many, the best {MOST_CLICKABLE} have points to click."
        if len(points) > MOST_CLICKABLE
        else ""
    )
    st.caption(
        "Each line is one evaluated direction; brighter is better. Click a point of a line to "
        f"select it, and narrow the lines with the filters.{most}"
    )
    content = ParallelContent(
        points=points,
        objectives=scene.run.objectives,
        value=scene.value,
        value_range=scene.value_range,
        selected=_selected(scene),
        is_compact=scene.is_phone,
    )
    charts.chart(
        parallel_coordinates(content, scene.ink),
        key="parallel",
        name=scene.name("parallel"),
        rows_name=scene.name("directions"),
        rows=points,
        alt="Parallel coordinates of weights and scores; the table below holds the same points.",
    )
    point_click.watch("parallel", key="parallel-click", on_pick=selection.select_weights)


def effects_view(scene: Scene) -> None:
    """Draw what each weight does to every objective, with intervals."""
    objectives = scene.run.objectives
    st.markdown("**What does more of one weight cost?**")
    field = landscape.reward_field(scene.run)
    along = _line(scene) if field is not None else None
    effects = landscape.effects(scene.run, along, scene.shown.filters)
    if effects is None:
        responses = queries.table(scene.run, "responses")
        controls.show_problems(responses)
        effects = marginal.binned_effects(scene.points, responses.frame, objectives)
    controls.legend(objectives)
    st.caption(_effects_note(scene, effects, is_exact=field is not None, along=along is not None))
    charts.chart(
        effect_panels(
            effects, objectives, scene.ink, selected=scene.selected, is_compact=scene.is_phone
        ),
        key="effects",
        name=scene.name("effects"),
        rows=effects,
        alt="Mean score of every objective against the share of each weight.",
    )
    point_click.watch("effects", key="effects-click", on_pick=selection.select_weights)
    if field is not None:
        st.caption(
            "What every score changes by when a weight goes from share 0 to 1, ± 95 % interval of "
            "the change, taken prompt by prompt; over all weights, whatever the filters."
        )
        table = marginal.cost_table(field, along, objectives)
        st.dataframe(table, hide_index=True, key="effects table")
        charts.export_rows(table, key="effects-rows", name=scene.name("costs"))


def _line(scene: Scene) -> Weights | None:
    """Return the direction that the lines go through; None to average."""
    at = frames.in_cube(scene.at)
    if len(at) == 2:  # one other weight leaves nothing to average over
        return at
    asked.one(scene.run.run_id, "along", [_AVERAGED, _THROUGH])
    way = st.segmented_control(
        "The other weights",
        [_AVERAGED, _THROUGH],
        default=_AVERAGED,
        key="along",
        required=True,
        bind="query-params",
    )
    return at if way == _THROUGH else None


def _effects_note(scene: Scene, effects: Frame, *, is_exact: bool, along: bool) -> str:
    n_prompts = marginal.n_prompts(effects)
    bands = f"Bands: 95 % intervals over {counted(n_prompts, 'prompt')}."
    if not is_exact:
        return (
            "A point is the mean of the evaluated directions in one eighth of the shares. A "
            "search looks longer where it is good, so this is no average over all weights. "
            f"{bands}"
        )
    if along:
        return (
            "The weight of each panel changes; the others keep their proportions in "
            f"{selection.as_text(scene.at)}. Click a point to select it. {bands}"
        )
    return (
        "The mean over evenly spread ways to divide the rest among the other weights, from the "
        f"atlas. {bands}"
    )


def history_view(scene: Scene) -> None:
    """Draw the best so far against what was measured."""
    found = history.history_frame(scene.all_points, scene.points)
    proof = landscape.proof(scene.run)
    bound = proof.upper_bound if proof else None
    st.markdown("**Best mean reward so far, against measured directions**")
    st.caption(
        "Points that share a score cost nothing and are not counted. Whatever the filters: "
        f"{history.history_note(history.history_frame(scene.all_points), bound)}"
    )
    charts.chart(
        search_history(
            found,
            scene.run.objectives,
            scene.ink,
            upper_bound=bound,
            selected=scene.point.direction_key if scene.point and scene.selected else "",
            is_compact=scene.is_phone,
        ),
        key="history",
        name=scene.name("history"),
        rows=found,
        alt="Best mean reward so far against the number of measured directions.",
    )
    point_click.watch("history", key="history-click", on_pick=selection.select_weights)


def _selected(scene: Scene) -> Frame:
    """Return the selected direction as a row, or no row where nothing is selected."""
    point = scene.point if scene.selected is not None and scene.is_exact else None
    return frames.point_row(point, scene.run.objectives)
