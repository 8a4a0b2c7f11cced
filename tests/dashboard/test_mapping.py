"""Atlases built beside the pages, and whose turn it is to use the models."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emorl.atlas.rows import ScoredAtlas
from emorl_dashboard.data import queries
from emorl_dashboard.data.queries import Run
from emorl_dashboard.live import background_atlases as mapping
from emorl_dashboard.live import models as live
from emorl_dashboard.live.background_atlases import Progress
from emorl_dashboard.live.models import GenerationLock
from tests.support.formula import OBJECTIVES
from tests.support.formula_models import STEPS_TO_MAP, UNMAPPABLE, FormulaModels

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 20.0


class Stepwise(FormulaModels):
    """Formula models that tell when a step of an atlas is done."""

    def __init__(self) -> None:
        super().__init__(OBJECTIVES)
        self.stepped = threading.Semaphore(0)
        self.prompts: list[str] = []

    def map_prompt(self, prompt: str, n_nodes: int) -> ScoredAtlas:
        self.prompts.append(prompt)
        self.stepped.release()
        if "broken" in prompt:
            raise RuntimeError("a bug")
        if "endless" not in prompt:
            return super().map_prompt(prompt, n_nodes)
        self._mapped[prompt] = 0
        step = super().map_prompt(prompt, n_nodes)
        return replace(step, atlas=replace(step.atlas, node_forwards=0))


@pytest.fixture
def models(served: Path) -> Iterator[Stepwise]:
    assert served.is_dir()
    found = Stepwise()
    live.use_loader(lambda _folder: found)
    yield found
    live.use_loader(None)


@pytest.fixture
def run(served: Path) -> Run:
    assert served.is_dir()
    return next(run for run in queries.runs() if run.run_id == "finished")


def mapped(run: Run, prompt: str) -> Progress:
    """Follow a prompt until its atlas is as far as it gets."""
    before = set(threading.enumerate())
    mapping.follow(run, prompt)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_SECONDS)
    return mapping.follow(run, prompt)


@pytest.mark.usefixtures("models")
def test_a_prompt_that_is_followed_becomes_an_atlas(run: Run) -> None:
    assert mapping.found(run, "I feel stuck.") is None
    progress = mapped(run, "I feel stuck.")
    assert progress.is_done
    assert progress.scored is not None
    assert progress.scored.atlas.is_complete
    assert progress.covered == pytest.approx(1.0)
    assert progress.n_nodes == 10 * STEPS_TO_MAP  # the formula reads 10 nodes a step


def test_the_same_prompt_is_mapped_once(models: Stepwise, run: Run) -> None:
    mapped(run, "I feel stuck.")
    mapping.follow(run, "I feel stuck.")
    assert models.prompts == ["I feel stuck."] * STEPS_TO_MAP


def test_a_prompt_that_nobody_asks_about_any_more_is_left(
    models: Stepwise, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "WANTED_SECONDS", 0.2)
    progress = mapped(run, "endless")
    assert not progress.is_done
    assert models.prompts


@pytest.mark.usefixtures("models")
def test_an_atlas_that_does_not_fit_says_why(run: Run) -> None:
    progress = mapped(run, UNMAPPABLE)
    assert progress.is_done
    assert progress.problem == "Raise policy.memory_mib."


@pytest.mark.usefixtures("models")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_ends_one_atlas_and_not_the_others(run: Run) -> None:
    assert "RuntimeError: a bug" in mapped(run, "broken").problem
    assert mapped(run, "I feel stuck.").is_done


def test_people_come_before_background_work() -> None:
    turns, order = GenerationLock(), []
    arrived = threading.Semaphore(0)

    def background() -> None:
        arrived.release()
        with turns.later():
            order.append("background")

    def person() -> None:
        arrived.release()
        with turns.now():
            order.append("person")

    with turns.now():
        threads = [threading.Thread(target=job) for job in (background, person)]
        for thread in threads:
            thread.start()
        for _ in threads:
            arrived.acquire(timeout=PATIENCE_SECONDS)
        while turns.n_waiting < 1:  # the person stands in the line
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert order == ["person", "background"]


def test_a_turn_is_given_back_after_an_error() -> None:
    turns = GenerationLock()
    with pytest.raises(ValueError, match="wrong"), turns.now():
        raise ValueError("wrong")
    with turns.later():
        assert turns.n_waiting == 0
