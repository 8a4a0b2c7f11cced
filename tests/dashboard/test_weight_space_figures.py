"""Figures of the page Weight space: what they draw, and what can be clicked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from emorl.runs.schema import COLUMNS
from emorl_dashboard.figures import points, slices, ternary
from emorl_dashboard.figures.cones import cone_mesh
from emorl_dashboard.figures.fields import FIELD_NAME
from emorl_dashboard.figures.history import search_history
from emorl_dashboard.figures.marginal import effect_panels
from emorl_dashboard.figures.palette import DARK, LIGHT, Ink
from emorl_dashboard.figures.parallel import (
    EDGES,
    MOST_CLICKABLE,
    ParallelContent,
    axis_values,
    parallel_coordinates,
)
from emorl_dashboard.figures.simplex import HEIGHT, shares_at, to_plane
from emorl_dashboard.figures.trade_off import TradeOffContent, trade_off
from emorl_dashboard.figures.weight_space import MapContent, weight_map
from emorl_dashboard.frames import trade_off as trades
from emorl_dashboard.frames import weight_space as frames
from emorl_dashboard.frames.field import face_grid
from emorl_dashboard.frames.history import history_frame
from emorl_dashboard.frames.marginal import averaged_effects, effects_along
from tests.dashboard.test_weight_space_frames import OBJECTIVES, SEARCH
from tests.dashboard.test_weight_space_trade_off import EXACT, NO_FRONT
from tests.support.atlas_fields import fake_atlases, scored

THREE = ("a1", "b1", "c1")
NOTHING = frames.evaluation_frame(COLUMNS["evaluations"].empty_table().to_pandas(), THREE)


def in_three(evaluations: pd.DataFrame = SEARCH) -> pd.DataFrame:
    """The same search with a third objective of weight and score 0.5."""
    rows = evaluations.copy()
    for column in ("weights", "means", "standard_errors"):
        rows[column] = evaluations[column].map(lambda one: one and [*one, 0.5])
    rows["direction_key"] = [str(place) for place in range(len(rows))]
    return frames.evaluation_frame(rows, THREE)


def many(n: int) -> pd.DataFrame:
    """Directions all different, scores rising."""
    rows = [
        {
            "search": "hierarchical",
            "round": 1,
            "point": place,
            "weights": [1.0, place / n],
            "direction_key": str(place),
            "kind": "measured",
            "means": [place / n, 0.5],
            "standard_errors": [0.01, 0.01],
            "mean_reward": place / n / 2 + 0.25,
            "seconds": 0.1,
        }
        for place in range(n)
    ]
    return frames.evaluation_frame(pd.DataFrame(rows), OBJECTIVES)


def map_content(frame: pd.DataFrame, axes: tuple[str, ...], **changes: object) -> MapContent:
    settings: dict[str, object] = {
        "points": frames.distinct_points(frame),
        "path": frames.best_path(frame),
        "boxes": [],
        "objectives": axes,
        "axes": axes,
        "value": "mean_reward",
        "value_range": (0.4, 0.7),
    }
    return MapContent(**(settings | changes))  # type: ignore[arg-type]


def test_a_field_of_three_weights_is_drawn_as_cones_of_float32() -> None:
    faces = face_grid(5)
    figure = weight_map(map_content(in_three(), THREE, field=faces[:, 0] / faces.sum(1)), LIGHT)
    [mesh] = [trace for trace in figure.data if trace.name == FIELD_NAME]
    assert mesh.type == "mesh3d"
    assert mesh.x.dtype == mesh.intensity.dtype == np.float32
    corners = np.stack([mesh.x, mesh.y, mesh.z], axis=1).reshape(-1, 3, 3)
    assert not corners[:, 0].any()
    np.testing.assert_array_equal(corners[:, 1:].max(axis=2), 1.0)


def test_the_names_of_the_corners_are_off_the_cube_where_no_point_is() -> None:
    figure = weight_map(map_content(in_three(), THREE), LIGHT)
    shifts = {note.text: (note.xshift, note.yshift) for note in figure.layout.scene.annotations}
    # As the camera first sees it, the first weight goes to the left and the second to the right.
    assert shifts["a1 = 1"][0] < 0 < shifts["b1 = 1"][0]
    assert shifts["a1 = 1"][1] < 0 < shifts["c1 = 1"][1]


def test_cones_pass_where_the_score_is_their_level() -> None:
    faces = face_grid(9)
    # The first weight itself: on its own face it is 1, on the others it rises from 0 to 1.
    corners, levels = cone_mesh(faces[:, 0].reshape(3, 9, 9), [0.3, 0.55])
    np.testing.assert_allclose(corners[:, 1:, 0].T, np.stack([levels, levels]))
    assert set(levels) == {0.3, 0.55}


def test_cones_end_where_nothing_is_shown() -> None:
    scores = face_grid(5)[:, 0].reshape(3, 5, 5).copy()
    scores[1:, :2] = np.nan  # below 0.5 on the faces where the first weight varies
    corners, _ = cone_mesh(scores, [0.1])
    np.testing.assert_allclose(corners[:, 1:, 0], 0.5)


def test_a_field_of_three_weights_of_more_is_drawn_as_surfaces() -> None:
    values = np.linspace(0.0, 1.0, 64, dtype=np.float32)
    values[:8] = np.nan
    content = map_content(in_three(), THREE, field=values)
    figure = weight_map(replace(content, objectives=(*THREE, "d1"), points=NOTHING), LIGHT)
    [surface] = [trace for trace in figure.data if trace.name == FIELD_NAME]
    assert surface.type == "isosurface"
    # The last axis varies fastest, as the grid of weights does.
    assert surface.z[1] == pytest.approx(1 / 3)
    assert surface.x[1] == 0
    assert (surface.value[:8] < surface.isomin).all()


def test_a_field_in_two_axes_is_an_image_with_the_first_weight_across() -> None:
    field = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32)  # (0,0), (0,1), (1,0), (1,1)
    frame = frames.evaluation_frame(SEARCH, OBJECTIVES)
    figure = weight_map(map_content(frame, OBJECTIVES, field=field), LIGHT)
    assert figure.data[0].type == "heatmap"
    np.testing.assert_allclose(figure.data[0].z, [[0.1, 0.3], [0.2, 0.4]])


def test_a_field_of_which_nothing_is_left_is_not_drawn() -> None:
    nothing = np.full(48, np.nan, dtype=np.float32)
    figure = weight_map(map_content(in_three(), THREE, field=nothing), LIGHT)
    assert FIELD_NAME not in {trace.name for trace in figure.data}


def test_very_many_points_say_their_score_without_a_text_each() -> None:
    frame = many(points.MANY_POINTS + 1)
    named = points.named(frame, OBJECTIVES, "mean_reward")
    assert "hovertext" not in named
    assert len(named["customdata"]) == len(frame)
    assert points.flat_kind(len(frame)) == "scattergl"


def test_a_click_in_the_triangle_gives_its_weights() -> None:
    x, y = to_plane([[0.2, 0.3, 0.5]])[0]
    assert shares_at(f"@{x:.6f},{y:.6f}") == pytest.approx((0.2, 0.3, 0.5), abs=1e-5)
    # Just below the base means the base.
    assert shares_at("@0.500000,-0.020000") == (0.5, 0.5, 0.0)


@pytest.mark.parametrize(
    "text", ["@5.0,5.0", "@0.1,0.8", "1,0,0", "@nan,0.1", "@1e5,0.1", "@", "<b>", "@0.5"]
)
def test_what_is_no_place_in_the_triangle_selects_nothing(text: str) -> None:
    assert shares_at(text) is None


def test_the_image_covers_the_triangle_and_nothing_else() -> None:
    shares = ternary.image_shares()
    inside = ~np.isnan(shares).any(axis=1)
    # The triangle is half of its frame.
    assert inside.mean() == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(shares[inside].sum(axis=1), 1.0)


def ternary_content(**changes: object) -> ternary.TernaryContent:
    settings: dict[str, object] = {
        "points": in_three(),
        "objectives": THREE,
        "axes": THREE,
        "value": "mean_reward",
        "value_range": (0.4, 0.7),
    }
    return ternary.TernaryContent(**(settings | changes))  # type: ignore[arg-type]


def test_the_triangle_shows_points_region_front_and_selection() -> None:
    content = ternary_content(
        field=np.zeros(len(ternary.image_shares()), dtype=np.float32),
        best_region=np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]),
        front=np.array([[0.2, 0.3, 0.5]]),
        selected=(1.0, 0.0, 1.0),
    )
    figure = ternary.ternary_map(content, DARK)
    traces = {trace.name: trace for trace in figure.data}
    assert traces["exact Pareto front"].customdata == ("0.2,0.3,0.5",)
    # The star is in the middle of the region.
    assert traces["best of all weights, proven"].y[0] == pytest.approx(HEIGHT / 3)
    alone = ternary.ternary_map(ternary_content(best_region=np.array([[0.2, 0.3, 0.5]])), DARK)
    [star] = [trace for trace in alone.data if trace.name == "best weights known"]
    assert star.customdata == ("0.2,0.3,0.5",)
    assert star.hovertemplate.startswith("best weights known<br>")
    assert (traces["selected"].x[0], traces["selected"].y[0]) == pytest.approx(
        tuple(to_plane([[0.5, 0, 0.5]])[0])
    )
    assert traces["evaluated directions"].customdata[0] == "0,0,0.5"


def test_the_stairs_of_the_image_are_covered_outside_of_the_triangle() -> None:
    field = np.zeros(len(ternary.image_shares()), dtype=np.float32)
    figure = ternary.ternary_map(ternary_content(field=field), DARK)
    [frame] = [trace for trace in figure.data if trace.name == "outside"]
    assert frame.fillcolor == DARK.page
    # Once around outside of each edge, once along it.
    assert min(frame.y) == pytest.approx(-3 / ternary.N_COLUMNS)
    assert {round(float(y), 6) for y in frame.y} >= {0.0, round(HEIGHT, 6)}


def test_an_empty_triangle_still_names_its_corners() -> None:
    figure = ternary.ternary_map(ternary_content(points=NOTHING), LIGHT)
    assert [note.text for note in figure.layout.annotations] == [
        f"<b>only {name}</b>" for name in THREE
    ]


@pytest.mark.parametrize("exact", [EXACT, NO_FRONT])
def test_the_trade_off_marks_the_front_and_the_interval_of_the_selected(
    exact: pd.DataFrame,
) -> None:
    frame = frames.evaluation_frame(SEARCH, OBJECTIVES)
    chosen = frames.point_row(frames.best_point(frame, OBJECTIVES), OBJECTIVES)
    directions = trades.trade_off_frame(frame, OBJECTIVES)
    content = TradeOffContent(
        points=directions,
        exact=exact,
        stairs=trades.stairs(directions, "a1", "b1"),
        objectives=OBJECTIVES,
        x="a1",
        y="b1",
        value="mean_reward",
        value_range=(0.4, 0.7),
        selected=chosen,
    )
    figure = trade_off(content, LIGHT)
    traces = {trace.name: trace for trace in figure.data}
    assert traces["dominated"].marker.line.width > 0  # dark scores on the dark page
    assert traces["Pareto front of all objectives"].customdata == ("1,0.5",)
    assert traces["selected, with 95 % intervals"].error_y.array == pytest.approx((1.96 * 0.02,))
    assert ("exact front over all weights (atlas)" in traces) is not exact.empty


def parallel(frame: pd.DataFrame, selected: pd.DataFrame) -> ParallelContent:
    return ParallelContent(
        points=trades.trade_off_frame(frame, OBJECTIVES),
        objectives=OBJECTIVES,
        value="mean_reward",
        value_range=(0.2, 0.8),
        selected=selected,
    )


def test_parallel_axes_are_shares_scores_and_the_mean() -> None:
    frame = frames.evaluation_frame(SEARCH, OBJECTIVES)
    best = frames.point_row(frames.best_point(frame, OBJECTIVES), OBJECTIVES)
    values = axis_values(best, OBJECTIVES)
    np.testing.assert_allclose(values, [[2 / 3, 1 / 3, 0.7, 0.7, 0.7]])
    figure = parallel_coordinates(parallel(frame, best), LIGHT)
    [chosen] = [trace for trace in figure.data if trace.name == "selected"]
    assert len(chosen.x) == 5


def test_the_names_of_parallel_axes_turn_where_they_would_collide() -> None:
    frame = frames.evaluation_frame(SEARCH, OBJECTIVES)
    figure = parallel_coordinates(parallel(frame, frames.point_row(None, OBJECTIVES)), LIGHT)
    axis = figure.layout.xaxis
    # Only ticks turn; annotations run into each other.
    assert len(axis.ticktext) == 5
    assert "share<br>a1" in axis.ticktext[0]
    assert axis.autotickangles == (0, -90)
    assert not any("a1" in note.text for note in figure.layout.annotations)


@pytest.mark.parametrize(("colours", "faint"), [(DARK, "#45085B"), (LIGHT, "#F0E526")])
def test_lines_as_dark_or_as_bright_as_the_page_have_edges(colours: Ink, faint: str) -> None:
    frame = many(40)
    content = replace(
        parallel(frame, frames.point_row(None, OBJECTIVES)), value_range=(0.25, 0.75)
    )
    figure = parallel_coordinates(content, colours)
    behind = [place for place, trace in enumerate(figure.data) if trace.name == EDGES]
    edged = {figure.data[place + 1].line.color for place in behind}
    assert faint in edged
    assert "#228C8D" not in edged  # the middle of the scale


def test_every_direction_has_a_line_and_the_best_have_points_to_click() -> None:
    frame = many(MOST_CLICKABLE + 50)
    figure = parallel_coordinates(parallel(frame, frames.point_row(None, OBJECTIVES)), DARK)
    lines = [trace for trace in figure.data if trace.name == "directions"]
    assert sum(np.isnan(trace.x).sum() for trace in lines) == len(frame)
    [share] = [trace for trace in figure.data if trace.name == "share of a1"]
    assert len(share.customdata) == MOST_CLICKABLE
    assert frame["weights_text"].iloc[-1] in share.customdata


def test_effects_have_a_panel_per_weight_and_bands() -> None:
    effects = averaged_effects(scored(fake_atlases(3, 4), 3), THREE)
    figure = effect_panels(effects, THREE, LIGHT, selected=(1.0, 1.0, 2.0))
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [trace.name for trace in lines] == list(THREE) * 3
    assert lines[1].line.color == LIGHT.objectives[1]
    # The selected share of every weight is marked.
    assert [shape.x0 for shape in figure.layout.shapes] == [0.25, 0.25, 0.5]
    assert all(trace.customdata is None for trace in lines)


def test_effects_along_a_line_can_be_clicked() -> None:
    effects = effects_along(scored(fake_atlases(2, 4), 2), (0.5, 0.5), OBJECTIVES)
    figure = effect_panels(effects, OBJECTIVES, LIGHT)
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert lines[0].customdata[-1] == "1,0"


def test_history_has_a_line_for_each_search_and_the_proven_bound() -> None:
    other = SEARCH.assign(search="random")
    frame = frames.evaluation_frame(pd.concat([SEARCH, other]), OBJECTIVES)
    figure = search_history(history_frame(frame), OBJECTIVES, LIGHT, upper_bound=0.75)
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert [trace.name for trace in lines] == [
        "best so far, hierarchical search",
        "best so far, random search",
    ]
    assert len({trace.line.dash for trace in lines}) == 2
    assert figure.layout.shapes[0].y0 == 0.75


def test_every_pixel_of_a_slice_names_its_weights() -> None:
    ticks = np.linspace(0.0, 1.0, slices.N_STEPS)
    first, second = np.meshgrid(ticks, ticks, indexing="ij")
    weights = np.stack([first.ravel(), second.ravel(), np.full(first.size, 0.25)], axis=1)
    values = np.arange(first.size, dtype=np.float32)
    found = {(0, 1): (weights, values), (0, 2): (weights, values), (1, 2): (weights, values)}
    figure = slices.slice_matrix(found, THREE, (0.5, 0.5, 0.25), "mean_reward", (0.0, 1.0), LIGHT)
    images = [trace for trace in figure.data if trace.type == "heatmap"]
    assert len(images) == 3
    # The row of an image is the second weight.
    assert images[0].customdata[-1][0] == "0,1,0.25"
    assert images[0].z[-1][0] == slices.N_STEPS - 1
    # Names of narrow panels beside each other turn, and the ring at an edge is whole.
    assert "<b>a1</b>" in figure.layout.xaxis2.ticktext
    assert figure.layout.xaxis2.autotickangles == (0, -90)
    assert all(not one.cliponaxis for one in figure.data if one.name == "selected")
