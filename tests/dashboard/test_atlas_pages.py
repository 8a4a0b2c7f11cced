"""The pages atlas and compare, run in process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from emorl.records import Prompt
from emorl.runs.store import RunStore
from tests.dashboard.test_pages import run_page, said
from tests.support.dashboard_atlases import halves
from tests.support.synthetic import SPECS, write_run

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("name", ["atlas", "compare"])
@pytest.mark.parametrize("run", ["finished", "two-objectives", "large", "died"])
def test_both_pages_draw_every_state_of_a_run(name: str, run: str) -> None:
    page = run_page(name, run=run)
    assert not page.exception
    assert not page.error
    assert len(said(page)) > 80


@pytest.mark.parametrize("name", ["atlas", "compare"])
def test_without_runs_both_pages_name_the_next_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page(name)
    assert not page.exception
    assert "make demo" in said(page)


@pytest.mark.parametrize("name", ["atlas", "compare"])
def test_damaged_files_are_told(
    name: str, artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(artifacts / "runs" / "finished", tmp_path / "runs" / "finished")
    for file in (tmp_path / "runs" / "finished" / "published").iterdir():
        file.write_bytes(b"no parquet")
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page(name)
    assert not page.exception
    assert any("is damaged" in warning.value for warning in page.warning)


@pytest.mark.usefixtures("served")
def test_without_an_atlas_the_page_names_the_commands() -> None:
    page = run_page("atlas", run="died")
    commands = [code.value for code in page.code]
    assert any(command.startswith("emorl atlas died --split inference") for command in commands)
    assert any("--prompt" in command for command in commands)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("0,0,0", "no direction"),
        ("1,2", "do not fit this run"),
        ("nan,1,1", "do not fit this run"),
        ("<script>", "do not fit this run"),
    ],
)
def test_bad_weights_are_answered_in_words(weights: str, words: str) -> None:
    page = run_page("atlas", run="finished", w=weights)
    assert not page.exception
    assert words in said(page)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("prompt", ["train:0", "own:0", "aggregation:99999", "nonsense"])
def test_a_prompt_that_the_run_does_not_have_is_told(prompt: str) -> None:
    page = run_page("atlas", run="finished", prompt=prompt)
    assert not page.exception
    assert f"the prompt “{prompt}”".replace(":", "\\:") in page.error[0].value
    assert "have aggregation\\:0 to aggregation\\:" in page.error[0].value


@pytest.mark.usefixtures("served")
def test_a_prompt_without_an_atlas_names_its_command() -> None:
    page = run_page("atlas", run="finished", prompt="inference:3")
    assert not page.exception
    assert not page.error
    assert "has no atlas" in page.info[0].value
    assert any(code.value.startswith("emorl atlas finished") for code in page.code)


@pytest.mark.usefixtures("served")
def test_the_selected_weights_decide_the_response() -> None:
    # The synthetic atlases answer 5 where the first weight is the larger of the first two.
    assert "Response 5." in [
        text.value for text in run_page("atlas", run="finished", w="1,0,0").text
    ]
    assert "Response 6." in [
        text.value for text in run_page("atlas", run="finished", w="0,1,0").text
    ]


@pytest.mark.usefixtures("served")
def test_another_prompt_is_chosen_for_all_pages() -> None:
    page = run_page("atlas", run="finished")
    page.selectbox(key="atlas prompt").set_value(4).run()
    assert not page.exception
    assert page.query_params["prompt"] == "aggregation:4"


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("2,1,0", "10,5,0", "One ray"),
        ("2,1,0", "3,1,0", "in one cell of this prompt's atlas"),
        ("2,1,0", "1,2,0", "12 of 12 mapped prompts get different responses"),
    ],
)
def test_two_weight_vectors_are_compared_with_the_reason(one: str, other: str, words: str) -> None:
    page = run_page("atlas", run="finished", one=one, other=other)
    assert not page.exception
    assert words in said(page)


@pytest.mark.usefixtures("served")
def test_impossible_typed_weights_are_answered_in_words() -> None:
    for name, query in (("atlas", {"one": "1,2"}), ("compare", {"also": "1,2; a"})):
        page = run_page(name, run="finished", **query)
        assert not page.exception
        assert any("one weight per objective" in error.value for error in page.error)


def test_open_responses_and_own_prompts_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path, SPECS["training"])
    store = RunStore(folder.database, SPECS["training"].objectives)
    store.add_prompts([Prompt(split="own", index=0, prompt="Mine.")])
    store.replace_atlas(halves(0, split_name="own", open_cell=1))
    store.publish(folder.published)
    store.close()
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    page = run_page("atlas", run="training", prompt="own:0", w="0,1,0")
    assert not page.exception
    assert "Mine." in [text.value for text in page.text]
    assert "1 more is open" in said(page)
    assert "B is second …" in [text.value for text in page.text]


@pytest.mark.usefixtures("served")
def test_held_out_and_searched_prompts_are_labelled_honestly() -> None:
    page = run_page("compare", run="finished")
    assert "held-out" in said(page)
    assert "Without numbers on these prompts" in said(page)
    page.button_group(key="numbers").set_value("aggregation").run()
    assert not page.exception
    assert "looks better here than on new prompts" in said(page)


@pytest.mark.usefixtures("served")
def test_the_reference_and_more_weights_come_from_the_url() -> None:
    query = {"numbers": "aggregation", "also": "3,1,1; 1,1,3"}
    page = run_page("compare", run="finished", reference="Certified search", **query)
    assert not page.exception
    assert "Against Certified search" in said(page)
    costs = [
        table.value for table in page.dataframe if "measured directions" in table.value.columns
    ]
    assert "Weights 3,1,1" in list(costs[0]["method"])


@pytest.mark.usefixtures("served")
def test_a_comparison_tells_of_a_prompt_that_the_run_does_not_have() -> None:
    page = run_page("compare", run="finished", prompt="inference:4000")
    assert not page.exception
    assert "asks for the prompt “inference\\:4000”" in page.error[0].value
    assert not run_page("compare", run="finished", prompt="inference:1").error


@pytest.mark.usefixtures("served")
def test_weights_too_many_to_compare_are_named() -> None:
    also = "; ".join(f"{n},1,1" for n in range(1, 9))
    page = run_page("compare", run="finished", numbers="aggregation", also=also)
    assert "Up to 6 are compared at once. Left out: 7,1,1; 8,1,1." in said(page)


@pytest.mark.usefixtures("served")
def test_runs_with_the_same_objectives_stand_side_by_side() -> None:
    page = run_page("compare", run="finished")
    # Synthetic runs with these three objectives: all but the two of other objectives.
    assert set(page.multiselect(key="runs").options) == {
        "finished",
        "running",
        "training",
        "died",
        "failed",
    }
    alone = run_page("compare", run="large")
    assert "No other run has the same objectives" in said(alone)


@pytest.mark.usefixtures("served")
def test_the_borders_of_four_objectives_are_drawn_in_the_chosen_slice() -> None:
    page = run_page("atlas", run="large")
    assert not page.exception
    assert "the borders of all prompts at once, in the slice above" in said(page)
    page.multiselect(key="slice").set_value([]).run()
    assert not page.exception
    assert "to see all borders in it" in said(page)
