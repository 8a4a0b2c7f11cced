"""The live page with models that follow the formula of ``tests.support.formula``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime.state.query_params import QueryParams
from streamlit.testing.v1 import AppTest

from emorl.errors import ModelError
from emorl.records import Response, Weights
from emorl.runs.folder import RunFolder
from emorl.weights import canonical_direction
from emorl_dashboard.data import queries
from emorl_dashboard.live import models as live
from emorl_dashboard.server.access import READ_ONLY
from tests.dashboard.test_mapping import mapped
from tests.dashboard.test_pages import run_page, said
from tests.support.formula import HOSTILE, OBJECTIVES
from tests.support.formula_models import UNMAPPABLE, FormulaModels
from tests.support.synthetic import SPECS, write_run

pytestmark = pytest.mark.slow

BEST = (0.9375, 0.75, 0.3125)


class Recording(FormulaModels):
    """Formula models that remember what they were asked."""

    def __init__(self, objectives: tuple[str, ...] = OBJECTIVES) -> None:
        super().__init__(objectives)
        self.asked: list[tuple[str, Weights]] = []
        self.asked_alone: list[str] = []

    def answer(self, prompt: str, weights: Weights) -> Response:
        self.asked.append((prompt, weights))
        return super().answer(prompt, weights)

    def alone(self, prompt: str) -> dict[str, Response]:
        self.asked_alone.append(prompt)
        return super().alone(prompt)


@pytest.fixture
def models(served: Path) -> Iterator[Recording]:
    assert served.is_dir()
    recording = Recording()
    live.use_loader(lambda _folder: recording)
    yield recording
    live.use_loader(None)


def live_page(**query: str) -> AppTest:
    return run_page("live", **({"run": "finished", "prompt": "inference:1"} | query))


def slider_data(page: AppTest) -> dict[str, Any]:
    """What the page gave to the sliders."""
    [sliders] = [part for part in page.get("bidi_component") if part.key == "live-sliders"]
    data: dict[str, Any] = json.loads(sliders.proto.json)
    return data


def test_the_page_starts_at_the_best_weights_found(models: Recording) -> None:
    page = live_page()
    assert not page.exception
    assert slider_data(page)["weights"] == list(BEST)
    [(prompt, weights)] = models.asked
    assert prompt == "Since the move I hardly sleep (inference 1)."
    assert weights == canonical_direction(BEST)
    assert "These weights are evaluated" in said(page)


def test_an_unmapped_prompt_is_decoded_and_its_answer_names_its_weights(
    models: Recording,
) -> None:
    page = live_page(w="0.5,0.25,0")
    data = slider_data(page)
    assert data["atlas"] is None
    [answer] = data["answers"]
    assert answer["weights"] == [0.5, 0.25, 0.0]
    assert answer["text"].endswith("(inference 1).")
    assert len(models.asked) == 1


def test_a_mapped_prompt_is_looked_up_in_the_page_and_not_decoded(models: Recording) -> None:
    page = live_page(prompt="aggregation:1", w="0.5,0.25,0")
    data = slider_data(page)
    assert [cell["text"] for cell in data["atlas"]["cells"]] == ["Response 5.", "Response 6."]
    assert data["answers"] == []
    assert models.asked == []
    assert "Atlas of this prompt: 2 cells cover 100.00 %" in said(page)


def test_what_is_stored_of_the_members_is_not_asked_again(models: Recording) -> None:
    page = live_page(prompt="inference:1")
    assert models.asked_alone == []
    for label in ("Base", "Only reflection", "Only empathy", "Only fluency"):
        assert f"**{label}**" in said(page)
    live_page(prompt="aggregation:1")
    assert models.asked_alone == ["Since the move I hardly sleep (aggregation 1)."]


def test_other_weights_in_the_url_ask_again_and_earlier_answers_stay_known(
    models: Recording,
) -> None:
    page = live_page(w="1,0,0", text=UNMAPPABLE)
    page.query_params["w"] = "0,1,0"
    page.run()
    assert [weights for _, weights in models.asked] == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]
    assert [one["weights"] for one in slider_data(page)["answers"]] == [[1, 0, 0], [0, 1, 0]]


def test_the_same_direction_is_decoded_once(models: Recording) -> None:
    live_page(w="0.5,0.5,0", text=UNMAPPABLE).run()
    live_page(w="1,1,0", text=UNMAPPABLE)
    assert len(models.asked) == 1


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("7,1,1", [1, 1 / 7, 1 / 7]),
        ("1e-7,2e-7,1e-7", [0.5, 1, 0.5]),
        ("0.002,0,0", [0.002, 0, 0]),
    ],
)
@pytest.mark.usefixtures("models")
def test_weights_of_any_size_are_shown_by_their_direction(told: str, shown: list[float]) -> None:
    page = live_page(prompt="aggregation:1", w=told, ref=told)
    assert slider_data(page)["weights"] == pytest.approx(shown)
    assert slider_data(page)["reference"] == pytest.approx(shown)


def test_pinned_weights_are_answered_too(models: Recording) -> None:
    page = live_page(w="1,0,0", ref="0,0,1")
    assert slider_data(page)["reference"] == [0, 0, 1]
    assert [weights for _, weights in models.asked] == [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)]


@pytest.mark.parametrize("reference", ["1,2", "a,b,c", "nan,1,1", "0,0,0", "1" * 9000])
def test_a_bad_reference_in_the_url_pins_nothing(models: Recording, reference: str) -> None:
    page = live_page(prompt="aggregation:1", ref=reference)
    assert not page.exception
    assert slider_data(page)["reference"] is None
    assert models.asked == []


@pytest.mark.usefixtures("models")
def test_presets_hold_the_proven_the_found_and_the_single_objectives() -> None:
    presets = {one["label"]: one["weights"] for one in slider_data(live_page())["presets"]}
    assert list(presets) == [
        "proven best",
        "best found",
        "equal",
        "the paper's",
        *(f"only {name}" for name in OBJECTIVES),
    ]
    assert presets["best found"] == list(BEST)
    assert presets["only empathy"] == [0, 1, 0]
    assert max(presets["proven best"]) == 1


def test_ones_own_prompt_is_answered_and_in_the_url(models: Recording) -> None:
    page = live_page()
    page.button_group(key="prompt-source").set_value("your own").run()
    assert "Write a prompt" in said(page)
    asked_before = len(models.asked)
    page.text_area[0].set_value("I feel stuck.").run()
    assert models.asked[asked_before:] == [("I feel stuck.", canonical_direction(BEST))]
    assert page.query_params["text"] == "I feel stuck."


def test_an_own_prompt_that_the_run_has_mapped_needs_no_model(models: Recording) -> None:
    page = live_page(text="Since the move I hardly sleep (aggregation 1).")
    assert slider_data(page)["atlas"] is not None
    assert models.asked == []


@pytest.mark.usefixtures("models")
def test_another_prompt_picked_elsewhere_ends_the_own_one() -> None:
    page = run_page("training", run="finished", text="I feel stuck.")
    [picker] = [box for box in page.selectbox if box.key == "sampled prompt"]
    picker.set_value(1).run()
    assert page.query_params == {"run": "finished", "prompt": "aggregation:1"}


def test_going_back_takes_an_own_prompt_back_and_forward_brings_it_again(
    models: Recording,
) -> None:
    page = live_page()
    page.button_group(key="prompt-source").set_value("your own").run()
    page.text_area[0].set_value("I feel stuck.").run()
    del page.query_params["text"]
    page.run()
    assert slider_data(page)["prompt"].endswith("(inference 1).")
    assert "text" not in page.query_params
    page.query_params["text"] = "I feel stuck."
    page.run()
    assert slider_data(page)["prompt"] == "I feel stuck."
    assert models.asked[-1][0] == "I feel stuck."


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("beside", [{"prompt": "inference:1"}, {}])
def test_an_own_prompt_is_kept_when_another_run_is_picked(beside: dict[str, str]) -> None:
    page = run_page("live", run="finished", text="I feel stuck.", w="1,0,0", ref="0,0,1", **beside)
    pick_run(page, "died")
    assert page.query_params == {"run": "died", "text": "I feel stuck."}
    assert slider_data(page)["prompt"] == "I feel stuck."


def test_a_long_own_prompt_is_kept_when_another_run_is_picked(models: Recording) -> None:
    page = live_page()
    page.button_group(key="prompt-source").set_value("your own").run()
    page.text_area[0].set_value(long := "I feel stuck. " * 40).run()
    pick_run(page, "died")
    assert models.asked[-1][0] == long.strip()


@pytest.mark.usefixtures("models")
def test_a_change_of_run_is_one_step_of_the_browsers_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = live_page(text="I feel stuck.", w="1,0,0", ref="0,0,1")
    sent: list[str] = []
    send = QueryParams._send_query_param_msg

    def record(params: QueryParams) -> None:
        send(params)
        sent.append(str(params))

    monkeypatch.setattr(QueryParams, "_send_query_param_msg", record)
    pick_run(page, "died")
    assert len(sent) == 1


def pick_run(page: AppTest, name: str) -> None:
    page.selectbox(key="run picker").set_value(name).run()
    assert not page.exception


@pytest.mark.parametrize("prompt", ["nonsense", "aggregation:999999", "own:0", "5", "x" * 5000])
def test_an_unknown_prompt_in_the_url_gives_the_first_one(models: Recording, prompt: str) -> None:
    page = live_page(prompt=prompt)
    assert not page.exception
    assert "which pages of this run do not have" in page.error[0].value
    assert slider_data(page)["prompt"] == HOSTILE
    assert models.asked == []


def test_a_refused_prompt_is_told_in_words(models: Recording) -> None:
    page = live_page(text="much too long")
    assert not page.exception
    assert page.error[0].value == "A prompt may have 128 tokens, got 300. Shorten it."
    assert len(models.asked) == 1


@pytest.mark.usefixtures("models")
def test_weights_between_the_points_name_the_nearest() -> None:
    assert "Nearest evaluated" in said(live_page(w="1,0.01,0"))


def test_all_weights_zero_ask_nothing(models: Recording) -> None:
    page = live_page(w="0,0,0")
    assert not page.exception
    assert slider_data(page)["weights"] == [0, 0, 0]
    assert models.asked == []


@pytest.mark.parametrize(("name", "n_objectives"), [("two-objectives", 2), ("large", 4)])
@pytest.mark.usefixtures("models")
def test_runs_of_two_and_four_objectives_are_drawn(name: str, n_objectives: int) -> None:
    live.use_loader(lambda _folder: Recording(SPECS[name].objectives))
    page = run_page("live", run=name)
    assert not page.exception
    assert not page.error
    assert len(slider_data(page)["objectives"]) == n_objectives


def test_a_read_only_dashboard_looks_up_and_asks_no_model(
    models: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READ_ONLY, "1")
    page = live_page(prompt="aggregation:1")
    assert not page.exception
    assert "read-only" in page.info[0].value
    assert slider_data(page)["atlas"] is not None
    unmapped = live_page(prompt="inference:1")
    assert not unmapped.exception
    assert slider_data(unmapped)["canAsk"] is False
    assert "read-only" not in slider_data(unmapped)["problem"]  # it is told above
    assert "Decoded by" not in said(unmapped)
    assert "**Base**" in said(unmapped)  # stored with the inference prompts
    assert models.asked == []
    assert models.asked_alone == []


def test_a_run_without_all_adapters_says_which_are_missing(models: Recording) -> None:
    page = run_page("live", run="training")
    assert "not trained yet: empathy, fluency" in page.info[0].value
    assert models.asked == []


def test_with_an_adapter_deleted_what_is_stored_is_shown_with_the_next_command(
    models: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path, SPECS["finished"])
    folder.adapter_weights("empathy").unlink()
    (folder.adapters / "fluency").rename(folder.root / "elsewhere")
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    for query in ({"prompt": "aggregation:1"}, {"text": "I feel stuck."}):
        page = live_page(**query)
        assert not page.exception
        assert not page.error
        [told] = [info.value for info in page.info]
        assert "empathy, fluency" in told
        assert "`emorl run finished" in told
        assert "Decoded by" not in said(page)
        assert (slider_data(page)["atlas"] is None) is ("text" in query)
    assert models.asked == []
    assert models.asked_alone == []


@pytest.mark.usefixtures("served")
def test_models_that_cannot_be_loaded_are_told_in_words() -> None:
    def broken(_folder: RunFolder) -> live.Models:
        raise ModelError("The adapter has rank 4, expected 8.")

    live.use_loader(broken)
    try:
        page = live_page()
        mapped = live_page(prompt="aggregation:1")
    finally:
        live.use_loader(None)
    assert not page.exception
    assert [error.value for error in page.error] == ["The adapter has rank 4, expected 8."]
    assert slider_data(page)["problem"] == "No answer: the reason stands above."
    assert slider_data(mapped)["atlas"] is not None  # the look-up needs no model
    assert [error.value for error in mapped.error] == ["The adapter has rank 4, expected 8."]


def test_the_pinned_weights_end_with_their_run(models: Recording) -> None:
    page = live_page(w="1,0,0", ref="0,0,1")
    page.query_params["run"] = "died"  # of the same objectives
    del page.query_params["ref"]
    page.run()
    assert not page.exception
    assert slider_data(page)["reference"] is None
    assert "ref" not in page.query_params
    assert models.asked[-1][1] != (0.0, 0.0, 1.0)


@pytest.mark.usefixtures("models")
def test_the_pinned_weights_end_when_another_run_takes_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a run in the URL the one written to last is shown, which can become another."""
    runs = {run.run_id: run for run in queries.runs()}
    monkeypatch.setattr(queries, "runs", lambda: [runs["finished"]])
    page = run_page("live", prompt="inference:1", ref="0,0,1")
    assert slider_data(page)["reference"] == [0, 0, 1]
    monkeypatch.setattr(queries, "runs", lambda: [runs["died"], runs["finished"]])
    page.run()
    assert not page.exception
    assert slider_data(page)["reference"] is None
    assert "ref" not in page.query_params


@pytest.mark.usefixtures("models")
def test_a_link_to_another_run_brings_its_own_pinned_weights() -> None:
    page = live_page(ref="0,0,1")
    page.query_params["run"] = "died"
    page.query_params["ref"] = "0,1,0"
    page.run()
    assert slider_data(page)["reference"] == [0, 1, 0]


def test_the_atlas_page_shows_an_own_prompt_once_it_is_mapped(models: Recording) -> None:
    page = run_page("atlas", run="finished", text="I feel stuck.")
    assert not page.exception
    assert "I feel stuck." in [text.value for text in page.text]
    assert "no atlas yet" in page.info[0].value
    assert page.query_params["text"] == "I feel stuck."
    run = next(run for run in queries.runs() if run.run_id == "finished")
    assert mapped(run, "I feel stuck.").is_done
    page.run()
    assert not page.exception
    assert "All 3 responses to this prompt" in said(page)
    assert any("You said: I feel stuck." in text.value for text in page.text)
    page.button[0].click().run()
    assert "I feel stuck." not in said(page)
    assert models.asked == []


def test_the_atlas_page_shows_what_is_stored_of_an_own_prompt(models: Recording) -> None:
    text = "Since the move I hardly sleep (aggregation 1)."
    page = run_page("atlas", run="finished", text=text, w="1,0,0")
    assert "All 2 responses to this prompt" in said(page)
    assert models.asked == []


def test_the_atlas_page_loads_no_models_where_nothing_may_be_generated(
    models: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READ_ONLY, "1")
    live.use_loader(None)
    page = run_page("atlas", run="finished", text="I feel stuck.")
    assert not page.exception
    assert not page.error
    [told] = [info.value for info in page.info if "no atlas" in info.value]
    assert "a prompt of the run is shown" in told
    assert models.asked == []


@pytest.mark.usefixtures("models")
def test_an_own_prompt_left_for_another_comes_back_when_asked_for() -> None:
    page = live_page(text="I feel stuck.")
    page.button_group(key="prompt-source").set_value("inference").run()
    assert "text" not in page.query_params
    page.button_group(key="prompt-source").set_value("your own").run()
    assert page.text_area[0].value == "I feel stuck."


def test_a_long_own_prompt_is_kept_but_no_part_of_the_link(models: Recording) -> None:
    page = live_page()
    page.button_group(key="prompt-source").set_value("your own").run()
    long = "I feel stuck. " * 40
    page.text_area[0].set_value(long).run()
    assert models.asked[-1][0] == long.strip()
    assert "text" not in page.query_params
    assert "no part of the link" in said(page)
    page.run()
    assert page.text_area[0].value == long


@pytest.mark.usefixtures("models")
def test_the_export_holds_all_answers_and_tokens_of_the_page() -> None:
    page = live_page(prompt="aggregation:1", w="1,0.5,0", ref="0,1,0")
    labels = [getattr(button, "label", "") for button in page.get("download_button")]
    # The ensemble, the pinned weights, base and three members; "Response 5." and the end.
    assert labels == [
        "This view as JSON",
        "6 answers as CSV",
        "6 answers as Parquet",
        *(f"{n_tokens(page)} tokens with their split as {kind}" for kind in ("CSV", "Parquet")),
    ]


def n_tokens(page: AppTest) -> int:
    [strip] = [part for part in page.get("bidi_component") if part.key == "live-tokens"]
    return len(json.loads(strip.proto.json)["tokens"])
