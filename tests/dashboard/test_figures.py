from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from emorl.runs.schema import COLUMNS
from emorl_dashboard.figures import palette
from emorl_dashboard.figures.systems import run_scores, system_scores
from emorl_dashboard.figures.training import Curves, adapter_curves, reward_paths, step_curves
from emorl_dashboard.figures.weight_space import MapContent, weight_map
from emorl_dashboard.frames import training as training_frames
from emorl_dashboard.frames import weight_space as frames
from emorl_dashboard.frames.seeds import over_runs
from tests.dashboard.test_weight_space_frames import OBJECTIVES, SEARCH

SETTINGS = tomllib.loads(Path(".streamlit/config.toml").read_text(encoding="utf-8"))
THEMES = (("light", palette.LIGHT), ("dark", palette.DARK))


def content(evaluations: pd.DataFrame = SEARCH, **changes: object) -> MapContent:
    frame = frames.evaluation_frame(evaluations, OBJECTIVES)
    settings: dict[str, object] = {
        "points": frames.distinct_points(frame),
        "path": frames.best_path(frame),
        "boxes": [frames.Box(1, (0.0, 0.0), (1.0, 1.0), False)],
        "objectives": OBJECTIVES,
        "axes": OBJECTIVES,
        "value": "mean_reward",
        "value_range": (0.4, 0.7),
    }
    return MapContent(**(settings | changes))  # type: ignore[arg-type]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.1."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("name", "ink"), THEMES)
def test_every_ink_is_readable_on_its_background(name: str, ink: palette.Ink) -> None:
    background = SETTINGS["theme"][name]["backgroundColor"]
    for colour in (ink.text, ink.muted, ink.accent, *ink.objectives):
        assert contrast(colour, background) >= 4.5, colour


@pytest.mark.parametrize(("name", "ink"), THEMES)
def test_objectives_have_the_same_colours_in_text_and_figures(name: str, ink: palette.Ink) -> None:
    theme = SETTINGS["theme"][name]
    assert tuple(theme[f"{colour}TextColor"] for colour in palette.NAMES) == ink.objectives


def test_the_server_listens_on_this_machine_only_and_tells_nobody() -> None:
    assert SETTINGS["server"]["address"] == "127.0.0.1"
    assert SETTINGS["browser"]["gatherUsageStats"] is False


def test_every_point_of_the_map_carries_its_weights() -> None:
    figure = weight_map(content(), palette.LIGHT)
    names = {name for trace in figure.data for name in trace.customdata or ()}
    assert names == {"0,0", "1,0", "0.5,0.5", "1,1", "1,0.5"}


def test_the_map_draws_kinds_boxes_path_and_selection_apart() -> None:
    figure = weight_map(content(selected=(1.0, 0.0)), palette.LIGHT)
    assert {trace.name for trace in figure.data} == {
        "boxes of the rounds",
        "evaluated",
        "not evaluated",
        "best point, round by round",
        "selected",
    }


def test_the_map_tells_a_measured_point_from_one_that_shares_its_score() -> None:
    figure = weight_map(content(), palette.LIGHT)
    [points] = [trace for trace in figure.data if trace.name == "evaluated"]
    symbols = dict(zip(points.customdata, points.marker.symbol, strict=True))
    assert symbols == {
        "1,0": "circle",
        "0.5,0.5": "circle",
        "1,1": "diamond",
        "1,0.5": "circle",
    }
    assert "◆ shares a measured score" in figure.layout.legend.title.text


def test_a_map_where_nothing_is_shared_has_no_key() -> None:
    drawn = content()
    measured = replace(drawn, points=drawn.points[drawn.points["kind"] == "measured"])
    assert weight_map(measured, palette.LIGHT).layout.legend.title.text is None


def test_the_zero_vector_has_no_colour_of_the_scale() -> None:
    figure = weight_map(content(), palette.LIGHT)
    [zero] = [trace for trace in figure.data if trace.customdata == ("0,0",)]
    assert zero.marker.coloraxis is None


def test_equal_scores_still_have_a_colour_range_around_them() -> None:
    figure = weight_map(content(value_range=(0.5, 0.5)), palette.LIGHT)
    assert figure.layout.coloraxis.cmin < 0.5 < figure.layout.coloraxis.cmax


def test_three_axes_make_a_cube_and_its_camera_is_kept() -> None:
    three = ("a1", "b1", "c1")
    rows = SEARCH.copy()
    for column, last in (("weights", 0.5), ("means", 0.1), ("standard_errors", 0.1)):
        rows[column] = SEARCH[column].map(lambda values, last=last: values and [*values, last])
    frame = frames.evaluation_frame(rows, three)
    drawn = content(
        points=frame,
        path=frames.best_path(frame),
        boxes=[frames.Box(1, (0.0,) * 3, (1.0,) * 3, False)],
        objectives=three,
        axes=three,
    )
    figure = weight_map(drawn, palette.DARK)
    assert {trace.type for trace in figure.data} == {"scatter3d"}
    assert figure.layout.scene.uirevision == "keep the camera"
    corners = {note.text: (note.x, note.y, note.z) for note in figure.layout.scene.annotations}
    assert corners == {
        "○": (0, 0, 0),  # the zero vector, which is not evaluated
        "0": (0, 0, 0),
        "a1 = 1": (1, 0, 0),
        "b1 = 1": (0, 1, 0),
        "c1 = 1": (0, 0, 1),
    }
    # 12 edges of a cube, two ends and a gap each.
    assert len(figure.data[0].x) == 36
    without = weight_map(replace(drawn, points=frame[frame["kind"] != "zero"]), palette.DARK)
    assert "○" not in {note.text for note in without.layout.scene.annotations}


def test_a_map_without_points_still_has_its_axes() -> None:
    empty = COLUMNS["evaluations"].empty_table().to_pandas()
    figure = weight_map(content(empty, boxes=[]), palette.LIGHT)
    assert figure.layout.xaxis.title.text == "weight of a1"


def validations() -> pd.DataFrame:
    return training_frames.validation_frame(
        pd.DataFrame(
            {
                "adapter": ["a1", "a1"],
                "step": [0, 8],
                "data_points": [0, 128],
                "samples": [0, 384],
                "seconds": [0.0, 4.0],
                "n_distinct": 3,
                "n_responses": 3,
                "converged": [False, True],
                "means": [[0.1, 0.5], [0.6, 0.4]],
                "standard_errors": [[0.02, 0.01], [0.03, 0.01]],
            }
        ),
        OBJECTIVES,
    )


def curves(*names: str, over: str = "data_points") -> Curves:
    rows = training_frames.together({name: validations() for name in names or ("one",)})
    return Curves(rows, OBJECTIVES, over)


def test_curves_have_a_band_of_one_standard_error_and_mark_convergence() -> None:
    figure = adapter_curves(curves(), "a1", palette.LIGHT)
    [band] = [trace for trace in figure.data if trace.name == "a1 ± se"]
    assert list(band.y) == pytest.approx([0.12, 0.63, 0.57, 0.08])
    assert figure.layout.annotations[0].text == "converged"
    assert figure.layout.shapes[0].x0 == 128


def test_an_adapters_own_objective_is_the_thick_line() -> None:
    figure = adapter_curves(curves(), "a1", palette.LIGHT)
    widths = {trace.name: trace.line.width for trace in figure.data}
    assert widths["a1"] > widths["b1"]


def test_curves_can_be_drawn_over_seconds() -> None:
    figure = adapter_curves(curves(over="seconds"), "a1", palette.LIGHT)
    assert figure.layout.xaxis.title.text == "seconds of training"
    assert figure.layout.shapes[0].x0 == 4.0


def test_several_runs_are_drawn_as_their_mean_and_a_band() -> None:
    drawn = curves("one", "two")
    drawn.rows.loc[drawn.rows["run"] == "two", "a1"] += 0.2
    figure = adapter_curves(drawn, "a1", palette.LIGHT)
    [band] = [trace for trace in figure.data if trace.name == "a1 over runs"]
    assert list(band.y) == pytest.approx([0.3, 0.8, 0.6, 0.1])
    [mean] = [trace for trace in figure.data if trace.name == "a1"]
    assert list(mean.y) == pytest.approx([0.2, 0.7])
    # Both converged at one place; the word stands once.
    assert [note.text for note in figure.layout.annotations].count("converged") == 1


def test_reward_paths_go_from_a_ring_to_a_dot_for_every_other_objective() -> None:
    figure = reward_paths(curves(), "a1", palette.LIGHT)
    [path] = figure.data
    assert path.name == "b1"
    assert (list(path.x), list(path.y)) == ([0.1, 0.6], [0.5, 0.4])
    assert list(path.marker.symbol) == ["circle-open", "circle"]
    assert path.line.color == palette.LIGHT.objectives[1]


def test_runs_stand_in_lines_with_their_mean_below() -> None:
    scores = {"mean_reward": [0.5, 0.7], "mean_reward_se": [0.1, math.nan]}
    scores |= {"a1": [0.4, 0.5], "a1_se": [0.1, 0.1], "b1": [0.6, 0.9], "b1_se": [0.1, 0.1]}
    frame = pd.DataFrame({"run": ["one", "a-name-too-long-for-an-axis"], **scores})
    spread = over_runs(frame, OBJECTIVES)
    figure = run_scores(frame, spread, OBJECTIVES, palette.LIGHT)
    assert figure.layout.yaxis.ticktext == ("one", "a-name-too-long…", "Mean of 2")
    diamonds = figure.data[-1]
    assert list(diamonds.x) == pytest.approx([0.5, 0.7, 0.6])
    assert diamonds.error_x.array[0] == pytest.approx(0.196, abs=1e-3)
    low, high = figure.layout.xaxis.range
    assert low < 0.4
    assert high > 0.9


def test_runs_without_numbers_are_drawn_without_dots() -> None:
    nothing = dict.fromkeys(["mean_reward", "mean_reward_se", "a1", "a1_se", "b1", "b1_se"])
    frame = pd.DataFrame([{"run": "one"} | nothing]).astype(dict.fromkeys(nothing, float))
    figure = run_scores(frame, {}, OBJECTIVES, palette.LIGHT)
    assert figure.layout.xaxis.range == (-0.02, 1.02)


def test_step_curves_use_the_colour_of_the_objective() -> None:
    steps = training_frames.step_frame(
        pd.DataFrame(
            {"adapter": ["b1"], "step": [1], "data_points": [16], "reward": [0.3], "kl": [0.1]}
        )
    )
    drawn = Curves(training_frames.together({"one": steps}), OBJECTIVES, "data_points")
    figure = step_curves(drawn, "reward", "own reward", palette.LIGHT)
    assert figure.data[-1].line.color == palette.LIGHT.objectives[1]


def test_equal_scores_of_one_system_do_not_hide_each_other() -> None:
    frame = pd.DataFrame(
        {
            "system": ["base"],
            "mean_reward": [0.5],
            "mean_reward_se": [0.1],
            "a1": [0.5],
            "a1_se": [0.1],
            "b1": [0.5],
            "b1_se": [0.1],
        }
    )
    figure = system_scores(frame, OBJECTIVES, palette.LIGHT)
    assert len({trace.y[0] for trace in figure.data}) == 3
