"""One annotator at work: each answer saved once, and an honest word about every click."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dashboard.study.desk import DOUBLE_CLICK_SECONDS, Desk
from dashboard.study.ratings import Submission
from dashboard.study.store import AnnotationStore
from engine.errors import DiskError
from tests.dashboard.study.samples import plan_of

ALL_2 = {"reflection": 2, "empathy": 2, "fluency": 2}
ALL_1 = {"reflection": 1, "empathy": 1, "fluency": 1}


@dataclass
class Clock:
    """Time that passes only when told."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


class RefusingStore(AnnotationStore):
    """A store whose disk can be full."""

    is_full = False

    def record(self, submission: Submission) -> bool:
        if self.is_full:
            raise DiskError("No room left.")
        return super().record(submission)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RefusingStore]:
    opened = RefusingStore(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(store: RefusingStore, clock: Clock) -> Desk:
    return new_tab(store, clock)


def new_tab(store: AnnotationStore, clock: Clock, annotator: str = "ada") -> Desk:
    return Desk(plan=plan_of(), annotator=annotator, store=store, clock=clock)


def shown(desk: Desk) -> str:
    code = desk.show(desk.progress())
    assert code is not None
    return code


def events(desk: Desk, code: str) -> list[int | None]:
    """Values of one criterion over time."""
    rows = desk.store.history("demo", desk.annotator, code)
    return [row["value"] for row in rows if row["criterion"] == "fluency"]


def test_saving_moves_on_to_the_next_item_in_the_annotators_order(desk: Desk) -> None:
    order = desk.progress().order
    for position, code in enumerate(order, start=1):
        assert shown(desk) == code
        desk.rate(code, ALL_2)
        assert desk.notice is not None
        assert (desk.notice.outcome, desk.notice.message) == ("saved", f"Saved item {position}.")
    progress = desk.progress()
    assert (desk.show(progress), progress.n_rated) == (None, 4)


def test_order_position_and_seconds_are_stored_with_the_rating(desk: Desk, clock: Clock) -> None:
    desk.rate(shown(desk), ALL_2)
    code = shown(desk)
    clock.now += 12.5
    desk.rate(code, ALL_1)
    rows = desk.store.history("demo", "ada", code)
    assert {(row["position"], row["seconds"], row["guideline_version"]) for row in rows} == {
        (2, 12.5, "1")
    }


@pytest.mark.parametrize("missing", [{}, {"reflection": 2}, ALL_2 | {"empathy": None}])
def test_nothing_is_stored_before_every_question_has_an_answer(
    desk: Desk, missing: dict[str, int | None]
) -> None:
    code = shown(desk)
    desk.rate(code, missing)
    assert desk.notice is not None
    assert desk.notice.outcome == "incomplete"
    assert "empathy" in desk.notice.message
    assert events(desk, code) == []
    assert shown(desk) == code


def test_zero_is_an_answer(desk: Desk) -> None:
    code = shown(desk)
    desk.rate(code, dict.fromkeys(ALL_2, 0))
    assert events(desk, code) == [0]


def test_the_second_half_of_a_double_click_stores_nothing(desk: Desk) -> None:
    code = shown(desk)
    desk.rate(code, ALL_2)
    desk.rate(code, ALL_2)  # the browser sent the old button again before the new page came
    assert events(desk, code) == [2]
    assert desk.progress().n_rated == 1


def test_a_changed_answer_sent_right_behind_is_a_new_event(desk: Desk) -> None:
    code = shown(desk)
    desk.rate(code, ALL_2)
    desk.rate(code, ALL_1)
    assert events(desk, code) == [2, 1]


def test_a_double_click_that_hits_the_next_items_buttons_does_nothing_there(
    desk: Desk, clock: Clock
) -> None:
    first = shown(desk)
    desk.skip(first)
    second = shown(desk)
    clock.now += DOUBLE_CLICK_SECONDS / 2
    desk.skip(second)
    desk.rate(second, {})
    desk.go_back(second)
    assert desk.progress().skipped == (first,)
    assert desk.notice is not None
    assert desk.notice.outcome == "saved"
    assert shown(desk) == second


def test_skipping_is_counted_apart_and_can_be_made_good(desk: Desk, clock: Clock) -> None:
    code = shown(desk)
    desk.skip(code)
    progress = desk.progress()
    assert (progress.n_rated, progress.skipped) == (0, (code,))
    assert shown(desk) != code
    clock.now += 60
    desk.visit(code)
    assert shown(desk) == code
    desk.rate(code, ALL_1)
    progress = desk.progress()
    assert (progress.n_rated, progress.skipped) == (1, ())
    assert events(desk, code) == [None, 1]


def test_going_back_shows_earlier_values_and_a_change_is_one_more_event(
    desk: Desk, clock: Clock
) -> None:
    first = shown(desk)
    for values in (ALL_2, ALL_1, ALL_2):
        desk.rate(first, values)
        clock.now += 10
        desk.go_back(shown(desk))
        assert shown(desk) == first
        assert desk.progress().states[first].values == values
    assert events(desk, first) == [2, 1, 2]
    assert desk.progress().n_rated == 1


def test_returning_without_change_stores_nothing(desk: Desk, clock: Clock) -> None:
    first = shown(desk)
    desk.rate(first, ALL_2)
    second = shown(desk)
    clock.now += 10
    desk.go_back(second)
    desk.go_on()
    assert shown(desk) == second
    assert events(desk, first) == [2]


def test_there_is_nothing_before_the_first_item(desk: Desk) -> None:
    first = shown(desk)
    desk.go_back(first)
    assert shown(desk) == first


def test_a_failed_save_stays_says_so_and_the_retry_stores_once(
    desk: Desk, store: RefusingStore
) -> None:
    code = shown(desk)
    request = desk.request(code)
    store.is_full = True
    desk.rate(code, ALL_2)
    assert desk.notice is not None
    assert (desk.notice.outcome, desk.notice.message) == ("failed", "No room left.")
    assert (shown(desk), desk.request(code)) == (code, request)
    store.is_full = False
    desk.rate(code, ALL_2)
    assert desk.notice.outcome == "saved"
    assert events(desk, code) == [2]
    assert {row["request_id"] for row in store.history("demo", "ada", code)} == {request}


def test_a_snapshot_that_fails_does_not_turn_saved_into_failed(
    desk: Desk, store: RefusingStore
) -> None:
    (store.studies / "demo").write_text("no folder", encoding="utf-8")
    code = shown(desk)
    desk.rate(code, ALL_2)
    assert desk.notice is not None
    assert desk.notice.outcome == "saved"
    assert events(desk, code) == [2]


def test_a_new_tab_resumes_at_the_first_item_without_an_answer(desk: Desk, clock: Clock) -> None:
    for _ in range(2):
        desk.rate(shown(desk), ALL_2)
    tab = new_tab(desk.store, clock)
    assert tab.progress().n_rated == 2
    assert shown(tab) == desk.progress().order[2]


def test_two_tabs_on_one_item_leave_one_current_answer(desk: Desk, clock: Clock) -> None:
    tab = new_tab(desk.store, clock)
    code = shown(desk)
    assert shown(tab) == code
    desk.rate(code, ALL_2)
    tab.rate(code, ALL_1)
    assert desk.progress().states[code].values == ALL_1
    assert desk.progress().n_rated == 1
    assert events(desk, code) == [2, 1]


def test_an_annotator_sees_no_answer_of_another(desk: Desk, clock: Clock) -> None:
    for code in desk.progress().order:
        desk.rate(code, ALL_2)
    other = new_tab(desk.store, clock, annotator="bob")
    assert other.progress().states == {}
