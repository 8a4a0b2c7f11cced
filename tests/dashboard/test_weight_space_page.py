"""The page Weight space, run in process: every view of every kind of run, filters, bad URLs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emorl.atlas.cells import PromptAtlas
from tests.benchmarks.dashboard_runs import trade_offs, write_study
from tests.support.formula import RunSpec
from tests.support.synthetic import write_run

pytestmark = pytest.mark.slow

VIEWS = ["Map", "Triangle", "Slices", "Trade-off", "Parallel", "Effects", "History"]


def open_page(**query: str | list[str]) -> AppTest:
    def script() -> None:
        from emorl_dashboard.state import selection
        from emorl_dashboard.views import weight_space

        selection.read_url("page")
        weight_space.render()

    page = AppTest.from_function(script, default_timeout=60)
    for key, value in query.items():
        page.query_params[key.replace("__", "-")] = value
    return page.run()


def said(page: AppTest) -> str:
    blocks = (page.subheader, page.markdown, page.caption, page.info, page.warning, page.error)
    return "\n".join(str(element.value) for block in blocks for element in block)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("run", "missing"),
    [
        ("finished", {"Slices"}),
        ("running", {"Slices"}),
        ("two-objectives", {"Triangle", "Slices"}),
        ("large", set()),
    ],
)
def test_every_view_that_makes_sense_is_drawn(run: str, missing: set[str]) -> None:
    page = open_page(run=run, view=VIEWS, field="true")
    assert not page.exception
    told = " ".join(error.value for error in page.error)
    assert {view for view in VIEWS if f"“{view}”" in told} == missing
    assert len(page.get("plotly_chart")) == len(set(VIEWS) - missing)


@pytest.mark.usefixtures("served")
def test_weights_on_the_ray_of_a_point_are_the_selected_point_itself() -> None:
    page = open_page(run="finished", w="0.25,0.5,0.5")
    assert "Selected point" in said(page)
    assert "Nearest" not in said(page)


def test_one_evaluation_looks_sensible_in_every_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path, trade_offs(1))
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = open_page(view=VIEWS)
    assert not page.exception
    assert "The same 1 point as a table" in said(page)
    for told in ("over weights**, 1 point", "they score**, 1 direction"):
        assert f"{told}s" not in said(page)
        assert told in said(page)
    assert "1 different text." in said(page)
    assert "1 of 1 evaluated directions are on the Pareto front" in said(page)


@pytest.mark.usefixtures("served")
def test_nonsense_in_the_url_leaves_the_controls_as_they_are() -> None:
    page = open_page(
        run="finished", view="nonsense", round="abc", least__empathy="<b>", kind="no", colour="no"
    )
    assert not page.exception
    assert "The same 135 points as a table" in said(page)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"view": "Nope"}, "asks for the view “Nope”"),
        ({"colour": "zzz"}, "asks for the colour “zzz”"),
        ({"w": "0,0,0"}, "asks for the weights “0,0,0”. Where all weights are 0"),
        ({"w": "abc"}, "asks for the weights “abc”, which do not fit this run"),
    ],
)
def test_what_the_url_asks_for_in_vain_is_answered_in_plain_words(
    query: dict[str, str], told: str
) -> None:
    [error] = open_page(run="finished", **query).error
    assert told in error.value
    assert "['" not in error.value


@pytest.mark.usefixtures("served")
def test_what_is_selected_is_said_above_the_views() -> None:
    page = open_page(run="finished", view=VIEWS, w="1,0,0")
    lines = [one.value for one in page.markdown]
    [line] = [place for place, text in enumerate(lines) if "**Selected point** 1,0,0" in text]
    [first_view] = [place for place, text in enumerate(lines) if "over weights**" in text]
    assert line < first_view
    [score] = [one.value for one in page.metric]
    assert score.split(" ")[0] in lines[line]


@pytest.mark.usefixtures("served")
def test_the_best_point_is_the_best_of_what_is_shown() -> None:
    assert "Measured in round 1 " in said(open_page(run="finished", round="1"))
    nothing = open_page(run="finished", least__mean_reward="1.0")
    assert "No point passes the filters: lower" in said(nothing)
    assert not nothing.exception


@pytest.mark.usefixtures("served")
def test_going_back_takes_the_selection_back_and_another_run_does_not_inherit_it() -> None:
    page = open_page(run="finished")
    assert "Best point" in said(page)
    page.query_params["w"] = "1,1,1"
    assert "Best point" not in said(page.run())
    del page.query_params["w"]
    assert "Best point" in said(page.run())
    page.query_params["w"] = "1,1,1"
    page.run()
    page.query_params["run"] = "running"
    del page.query_params["w"]
    assert "Best point" in said(page.run())


@pytest.mark.usefixtures("served")
def test_filters_in_the_url_apply_to_every_view() -> None:
    page = open_page(
        run="finished", view=["Map", "Parallel", "History"], kind="measured", least__empathy="0.5"
    )
    rows = page.dataframe[-1].value
    assert set(rows["kind"]) == {"measured"}
    assert rows["empathy"].min() >= 0.5
    n_shown = len(rows)
    assert f"{n_shown} of 135 points pass the filters (empathy ≥ 0.500)" in said(page)
    assert f"{n_shown} points" in said(page)
    assert f"{n_shown} directions" in said(page)
    # What the search measured until then does not change with what is shown of it.
    assert "of 92 measured directions" in said(page)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("least", "is_drawn"), [("0.0", True), ("1.0", False)])
def test_filters_apply_to_the_exact_front_and_to_the_proven_best_of_the_triangle(
    least: str, is_drawn: bool
) -> None:
    page = open_page(run="finished", view="Triangle", least__mean_reward=least)
    [chart] = page.get("plotly_chart")
    drawn = {trace["name"] for trace in json.loads(chart.proto.spec)["data"]}
    assert ("exact Pareto front" in drawn) is is_drawn
    assert ("best of all weights, proven" in drawn) is is_drawn
    assert ("The star is the proven best" in said(page)) is is_drawn
    assert "every response is known from the atlas" in said(page)


@pytest.mark.usefixtures("served")
def test_an_image_with_open_cells_does_not_claim_all_responses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PromptAtlas, "is_complete", property(lambda _: False))
    page = open_page(run="finished", view="Triangle")
    assert "exact where it has colour" in said(page)
    assert "every response is known" not in said(page)


@pytest.mark.usefixtures("served")
def test_filters_that_leave_nothing_are_no_error() -> None:
    page = open_page(run="running", view=VIEWS, least__mean_reward="1.0")
    assert not page.exception
    assert "The same 0 points as a table" in said(page)


@pytest.mark.usefixtures("served")
def test_weights_that_no_search_evaluated_are_looked_up_in_the_atlas() -> None:
    page = open_page(run="finished", w="0.9,0.2,0.17")
    assert "No search evaluated these very weights" in said(page)
    # The first response of the synthetic atlas belongs to the larger first weight.
    assert page.dataframe[0].value["response"].unique().tolist() == ["Response 5."]


def test_a_run_of_fewer_rounds_and_prompts_is_drawn_after_a_longer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, RunSpec(name="long", rounds=5, n_prompts=12))
    write_run(tmp_path, RunSpec(name="one", rounds=1, n_prompts=4))
    write_run(tmp_path, RunSpec(name="two", rounds=2, n_prompts=4))
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = open_page(run="long", reading="12")
    page.slider(key="round").set_value(4).run()
    page.number_input(key="reading").set_value(11).run()
    for run, last in (("one", []), ("two", [2]), ("long", [5]), ("two", [2])):
        page.query_params["run"] = run
        page.run()
        assert not page.exception
        assert [slider.max for slider in page.slider if slider.key == "round"] == last
        # Who saw all rounds sees those that come, as in a search that goes on.
        assert [slider.value for slider in page.slider if slider.key == "round"] == last
