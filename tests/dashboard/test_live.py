"""The live page with models that follow the formula of ``tests.formula``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import live
from engine.artifacts import RunFolder
from engine.errors import ModelError
from engine.records import Response, Weights
from tests.dashboard.test_pages import run_page, said
from tests.e2e.served_app import FormulaModels
from tests.formula import OBJECTIVES, scores_of


class Recording(FormulaModels):
    """Formula models that remember what they were asked."""

    def __init__(self) -> None:
        super().__init__(OBJECTIVES)
        self.asked: list[tuple[str, Weights]] = []

    def compare(self, prompt: str, weights: Weights) -> dict[str, Response]:
        self.asked.append((prompt, weights))
        return super().compare(prompt, weights)


@pytest.fixture
def models(served: Path) -> Iterator[Recording]:
    assert served.is_dir()
    recording = Recording()
    live.use_loader(lambda _folder: recording)
    yield recording
    live.use_loader(None)


def live_page(**query: str) -> AppTest:
    return run_page("live", **({"run": "finished", "prompt": "2"} | query))


def test_the_page_starts_at_the_best_weights_found(models: Recording) -> None:
    page = live_page()
    assert not page.exception
    assert models.asked[0][1] == (0.9375, 0.75, 0.3125)
    assert "These weights are evaluated" in said(page)


def test_ensemble_base_and_single_objectives_stand_side_by_side(models: Recording) -> None:
    page = live_page()
    for label in ("Ensemble", "Base", "Only reflection", "Only empathy", "Only fluency"):
        assert f"**{label}**" in said(page)
    assert f"mean **{sum(scores_of(models.asked[0][1])) / 3:.3f}**" in said(page)


def test_moving_a_slider_asks_for_those_weights_and_writes_the_url(models: Recording) -> None:
    page = live_page()
    page.slider[2].set_value(1.0).run()
    assert models.asked[-1][1] == (0.9375, 0.75, 1.0)
    assert page.query_params["w"] == "0.9375,0.75,1"


def test_a_link_restores_weights_and_prompt(models: Recording) -> None:
    page = live_page(w="0.5,0.25,0", source="aggregation", prompt="3")
    assert [slider.value for slider in page.slider] == [0.5, 0.25, 0.0]
    assert models.asked == [
        ("I want to drink less but the evenings are long (aggregation 2).", (0.5, 0.25, 0.0))
    ]


def test_presets_select_one_objective(models: Recording) -> None:
    page = live_page()
    page.button(key="preset only empathy").click().run()
    assert models.asked[-1][1] == (0.0, 1.0, 0.0)


def test_ones_own_prompt_is_answered(models: Recording) -> None:
    page = live_page(source="your own")
    assert "Write a prompt" in said(page)
    assert models.asked == []
    page.text_area[0].set_value("I feel stuck.").run()
    assert models.asked[-1][0] == "I feel stuck."


def test_the_same_question_is_answered_once(models: Recording) -> None:
    live_page().run().run()
    assert len(models.asked) == 1


def test_a_refused_prompt_is_told_in_words(models: Recording) -> None:
    page = live_page(source="your own", text="much too long")
    assert not page.exception
    assert page.error[0].value == "A prompt may have 128 tokens, got 300. Shorten it."
    assert len(models.asked) == 1


@pytest.mark.usefixtures("models")
def test_weights_between_the_points_name_the_nearest() -> None:
    assert "Nearest evaluated" in said(live_page(w="1,0.01,0"))


@pytest.mark.usefixtures("models")
def test_all_weights_zero_is_told_in_words() -> None:
    page = live_page(w="0,0,0")
    assert not page.exception
    assert "at least one weight above 0" in page.error[0].value


def test_a_run_without_all_adapters_says_which_are_missing(models: Recording) -> None:
    page = run_page("live", run="training")
    assert "not trained yet: empathy, fluency" in page.info[0].value
    assert models.asked == []


@pytest.mark.usefixtures("served")
def test_models_that_cannot_be_loaded_are_told_in_words() -> None:
    def broken(_folder: RunFolder) -> live.Models:
        raise ModelError("The adapter has rank 4, expected 8.")

    live.use_loader(broken)
    try:
        page = live_page()
    finally:
        live.use_loader(None)
    assert not page.exception
    assert page.error[0].value == "The adapter has rank 4, expected 8."
