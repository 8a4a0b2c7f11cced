"""Every page, run in process: what it says for each state of a run and each bad URL."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from emorl_dashboard.data import queries
from emorl_dashboard.data import run_cards as cards
from tests.support.synthetic import SPECS, write_run

pytestmark = pytest.mark.slow

PAGES = ("overview", "training", "weight_space", "live")
WITHOUT_MODELS = ("overview", "training", "weight_space")


def run_page(name: str, **query: str | list[str]) -> AppTest:
    def script(name: str) -> None:
        import importlib

        import streamlit as st

        from emorl_dashboard.state import selection
        from emorl_dashboard.widgets import controls

        selection.read_url("page")
        with st.sidebar:
            controls.run_picker()
        importlib.import_module(f"emorl_dashboard.views.{name}").render()

    page = AppTest.from_function(script, default_timeout=30, args=(name,))
    for key, value in query.items():
        page.query_params[key.replace("__", "-")] = value
    return page.run()


def said(page: AppTest) -> str:
    """Everything a page says, in one text."""
    kinds = (page.title, page.subheader, page.markdown, page.caption, page.info, page.warning)
    blocks = [*kinds, page.error, page.code, page.text]
    return "\n".join(str(element.value) for block in blocks for element in block)


@pytest.mark.parametrize("name", PAGES)
def test_without_runs_every_page_names_the_next_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page(name)
    assert not page.exception
    assert "make demo" in said(page)


@pytest.mark.parametrize("name", WITHOUT_MODELS)
@pytest.mark.parametrize("run", ["finished", "running", "training", "died", "failed", "large"])
def test_every_page_draws_every_state_of_a_run(name: str, run: str, served: Path) -> None:
    page = run_page(name, run=run)
    assert (served / "runs" / run).is_dir()
    assert not page.exception
    assert not page.error or run == "failed"
    assert len(said(page)) > 80


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("run", ["running", "died", "failed", "finished"])
def test_pages_of_runs_that_stopped_look_for_news_too(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paces: list[float | None] = []
    fragment = st.fragment

    def record(function: Any = None, *, run_every: float | None = None) -> Any:
        paces.append(run_every)
        return fragment(function, run_every=run_every)

    monkeypatch.setattr(st, "fragment", record)
    assert not run_page("training", run=run).exception
    assert paces == [2.0 if run == "running" else 10.0]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("absent", "There is no run 'absent'"),
        ("../../etc", "is no name of a run"),
        ("<script>", "is no name of a run"),
        ("x" * 5000, "is no name of a run"),
        ("x" * 5000, "x" * 60 + "…"),
        # One letter too long: only the name is cut, not that letter in all words.
        ("x" * 60 + "e", "Start one with"),
    ],
)
def test_a_bad_run_in_the_url_is_answered_in_words(name: str, run: str, message: str) -> None:
    page = run_page(name, run=run)
    assert not page.exception
    assert message in page.error[0].value


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    "weights", ["1,2", "a,b,c", "nan,1,1", "-1,0,0", "1,1,1,1", ",,", "inf,0,0", "1" * 9000]
)
def test_bad_weights_in_the_url_are_answered_in_words(weights: str) -> None:
    page = run_page("weight_space", run="finished", w=weights)
    assert not page.exception
    assert "which do not fit this run. It takes 3 numbers" in page.error[0].value


@pytest.mark.usefixtures("served")
def test_weights_in_the_url_select_their_point() -> None:
    page = run_page("weight_space", run="finished", w="0.5,0.5,0.5")
    assert "Selected point" in said(page)
    assert "All responses at weights 0.5,0.5,0.5" in said(page)


@pytest.mark.usefixtures("served")
def test_weights_between_the_points_lead_to_the_nearest() -> None:
    page = run_page("weight_space", run="died", w="0.9,0.01,0")  # a run without an atlas
    assert "not evaluated; this is the nearest point" in said(page)


@pytest.mark.usefixtures("served")
def test_the_zero_vector_is_shown_as_not_evaluated() -> None:
    page = run_page("weight_space", run="finished", w="0,0,0")
    assert "All weights 0: no direction" in said(page)
    assert not page.exception


@pytest.mark.usefixtures("served")
def test_weights_above_one_are_scaled_to_the_cube() -> None:
    page = run_page("weight_space", run="finished", w="3,3,3")
    assert "All responses at weights 1,1,1" in said(page)


@pytest.mark.usefixtures("served")
def test_fewer_rounds_show_fewer_evaluations() -> None:
    page = run_page("weight_space", run="finished")
    assert "The same 135 points as a table" in said(page)
    page.slider(key="round").set_value(1).run()
    assert "The same 27 points as a table" in said(page)


@pytest.mark.usefixtures("served")
def test_where_nothing_passes_the_filters_the_page_says_what_to_do() -> None:
    page = run_page(
        "weight_space",
        run="finished",
        view=["Map", "Trade-off", "Effects"],
        least__mean_reward="1",
    )
    assert "No point passes the filters: lower" in said(page)
    # Of the views only the map has something to show: regions of all weights.
    assert len(page.get("plotly_chart")) == 1
    assert not page.exception


@pytest.mark.usefixtures("served")
def test_the_overview_counts_the_cost_as_the_paper_does() -> None:
    # Adapters: 32 steps x 16 prompts = 512 each; search: measured directions x 12 prompts.
    page = run_page("overview", run="finished")
    [cost] = [table.value for table in page.dataframe if "accounting" in table.value.columns]
    search = int(cost["search data points"].iloc[0])
    assert search % 12 == 0
    assert list(cost["data points"]) == [512 + search, 3 * 512 + search]


@pytest.mark.usefixtures("served")
def test_runs_are_found_by_name_and_opened_from_their_card() -> None:
    page = run_page("overview", run="finished", find="two-obj")
    cards = [button for button in page.button if str(button.key).startswith("open ")]
    assert [card.label for card in cards] == ["two-objectives"]
    cards[0].click().run()
    assert "two-objectives" in page.query_params["run"]
    assert not page.exception


@pytest.mark.usefixtures("served")
def test_runs_of_the_same_objectives_are_compared() -> None:
    page = run_page("overview", run="finished", compare="finished")
    page.multiselect(key="compare").set_value(["finished", "died", "two-objectives"]).run()
    [told] = [caption.value for caption in page.caption if "Not drawn" in caption.value]
    assert set(told.rstrip(".").split(": ")[-1].split(", ")) == {"died", "two-objectives"}
    page.segmented_control(key="on").set_value("prompts of the search").run()
    assert "Mean over 2 runs" in said(page)
    assert not page.exception


@pytest.mark.usefixtures("served")
def test_a_run_is_compared_first_with_finished_runs_its_other_seeds_before() -> None:
    every = {run.run_id: run for run in queries.runs()}
    own = every["finished"]
    assert own.config is not None
    seed = replace(
        own, config=replace(own.config, name="seed", seed=7), folder=every["died"].folder
    )
    other = replace(
        every["large"], config=replace(own.config, search=replace(own.config.search, n_rounds=1))
    )
    found = cards.beside([every["running"], other, seed, own], own)
    assert [run.folder.root.name for run in found] == ["finished", "died", "large"]


@pytest.mark.parametrize("name", ["weight_space", "overview", "compare"])
def test_a_table_that_cannot_be_read_is_no_search_that_has_not_begun(
    name: str, artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(artifacts / "runs" / "finished", tmp_path / "runs" / "finished")
    for table in ("evaluations", "systems"):
        file = tmp_path / "runs" / "finished" / "published" / f"{table}.parquet"
        file.write_bytes(b"no parquet")
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    told = said(run_page(name, numbers="aggregation"))
    assert "No weights are evaluated yet" not in told
    assert "Scored on the held-out prompts when" not in told


@pytest.mark.usefixtures("served")
def test_the_overview_repeats_the_warnings_of_the_run() -> None:
    page = run_page("overview", run="finished")
    assert "lost variety" in page.warning[0].value


@pytest.mark.usefixtures("served")
def test_a_dead_run_says_how_to_go_on() -> None:
    page = run_page("overview", run="died")
    assert any("emorl run" in code.value for code in page.code)


@pytest.mark.parametrize("name", ["training", "weight_space", "compare"])
def test_pages_of_a_dead_run_say_how_old_their_rows_are(
    name: str, artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(artifacts / "runs" / "died", tmp_path / "runs" / "died")
    for file in (tmp_path / "runs" / "died" / "published").iterdir():
        os.utime(file, (time.time() - 7200, time.time() - 7200))
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page(name, run="died")
    [told] = [one.value for one in page.warning if "died before its end" in one.value]
    assert "is 2 h 0 min old" in told
    assert "`emorl run died" in told


@pytest.mark.usefixtures("served")
def test_a_failed_run_says_why() -> None:
    assert run_page("overview", run="failed").error[0].value == "No room on the disk."


@pytest.mark.usefixtures("served")
def test_training_warns_of_an_adapter_that_repeats_itself() -> None:
    page = run_page("training", run="finished")
    assert r"fluency repeats itself\: 5 of 12" in page.warning[0].value


@pytest.mark.usefixtures("served")
def test_samples_follow_the_chosen_adapter_and_step() -> None:
    page = run_page("training", run="finished")
    last = first_scores(page)
    page.select_slider[0].set_value(0).run()
    assert first_scores(page) != last
    assert not page.exception


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("name", [*PAGES, "atlas", "compare"])
def test_every_page_of_a_run_copies_its_link(name: str) -> None:
    page = run_page(name, run="finished")
    assert component(page, "copy-link") == {"run": "finished"}


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("asked", "sort"),
    [("-empathy", "-empathy"), ("response", "response"), ("<b>", ""), ("--", "")],
)
def test_the_order_of_a_table_is_in_the_url(asked: str, sort: str) -> None:
    page = run_page("training", run="finished", **{"sort-responses-by-prompt": asked})
    assert component(page, "responses-by-prompt")["sort"] == sort
    assert component(page, "responses-by-after-step")["sort"] == ""


@pytest.mark.usefixtures("served")
def test_the_prompt_followed_through_a_training_is_the_selected_one() -> None:
    page = run_page("training", run="finished", prompt="aggregation:1")
    [picker] = [box for box in page.selectbox if box.key == "sampled prompt"]
    assert picker.value == 1
    picker.set_value(0).run()
    assert page.query_params["prompt"] == "aggregation:0"
    assert not page.exception


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("asked", "read"), [("3", 3), ("999", 1), ("x", 1)])
def test_the_response_that_is_read_is_in_the_url(asked: str, read: int) -> None:
    page = run_page("weight_space", run="finished", reading=asked)
    assert page.number_input[0].value == read
    assert not page.exception


def component(page: AppTest, key: str) -> dict[str, Any]:
    """What a page gave to a component of ours."""
    [found] = [part for part in page.get("bidi_component") if part.key == key]
    data: dict[str, Any] = json.loads(found.proto.json)
    return data


def first_scores(page: AppTest) -> list[float]:
    """Return the scores of the first response that the training page shows."""
    cells = component(page, "responses-by-prompt")["rows"][0]["cells"]
    return [cell["value"] for cell in cells[2:]]


@pytest.mark.parametrize("name", WITHOUT_MODELS)
def test_damaged_snapshots_are_told_on_the_page(
    name: str, artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(artifacts / "runs" / "finished", tmp_path / "runs" / "finished")
    for file in (tmp_path / "runs" / "finished" / "published").iterdir():
        file.write_bytes(b"no parquet")
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page(name)
    assert not page.exception
    assert any("is damaged" in warning.value for warning in page.warning)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_that_a_heartbeat_says_is_markdown(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "![pic](http://elsewhere.test/x.png) **bold** __init__"
    folder = write_run(tmp_path, replace(SPECS["running"], message=f"Failed on {hostile}"))
    told = json.loads(folder.status.read_text(encoding="utf-8"))
    told |= {"detail": hostile, "warnings": [hostile], "updated_at": time.time()}
    folder.status.write_text(json.dumps(told), encoding="utf-8")
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page(name)
    assert not page.exception
    assert "elsewhere.test" in said(page)
    assert "![pic](" not in said(page)
    assert "**bold**" not in said(page)
    assert "__init__" not in said(page)


def test_the_command_of_a_damaged_table_is_shown_as_code(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(artifacts / "runs" / "finished", tmp_path / "runs" / "finished")
    (tmp_path / "runs" / "finished" / "published" / "prompts.parquet").write_bytes(b"no parquet")
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page("training")
    [told] = {one.value for one in page.warning if "is damaged" in one.value}
    assert f"`emorl run finished --artifacts {tmp_path}`" in told


@pytest.mark.parametrize("name", PAGES)
def test_a_run_with_damaged_settings_is_told_on_the_page(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs" / "broken"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("objectives = 5", encoding="utf-8")
    (folder / "status.json").write_text(json.dumps({"run_id": 1}), encoding="utf-8")
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page(name)
    assert not page.exception
    assert "objectives must be a list of texts" in page.error[0].value
