"""One annotator at work: each answer saved once, and an honest word about every click."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from emorl.errors import DiskError, StudyError
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.protocol.ratings import Submission
from emorl_dashboard.study.rating.desk import DOUBLE_CLICK_SECONDS, Desk
from emorl_dashboard.study.records.store import AnnotationStore, utc_now
from tests.dashboard.study.samples import plan_of, rating, shared_plan

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

    def record(self, submission: Submission, plan: StudyPlan | None = None) -> bool:
        if self.is_full:
            raise DiskError("No room left.")
        return super().record(submission, plan)


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


def test_every_click_that_was_heard_has_a_name_that_no_desk_ever_repeats(
    desk: Desk, clock: Clock
) -> None:
    names = [desk.heard]
    desk.rate(shown(desk), {})
    names.append(desk.heard)
    desk.rate(shown(desk), ALL_2)
    names += [desk.heard, new_tab(desk.store, clock).heard]
    assert len(set(names)) == 4


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


@pytest.mark.parametrize("values", [ALL_1, ALL_2])
def test_undo_takes_back_no_answer_of_another_tab(
    desk: Desk, clock: Clock, values: dict[str, int]
) -> None:
    tab = new_tab(desk.store, clock)
    code = shown(desk)
    assert shown(tab) == code
    desk.rate(code, ALL_2)
    tab.rate(code, values)
    clock.now += 5
    desk.undo()
    assert desk.notice is not None
    assert desk.notice.outcome == "refused"
    assert desk.progress().states[code].values == values
    assert shown(desk) == code
    desk.undo()  # there is nothing of this tab left to take back
    assert len(events(desk, code)) == 2


def test_a_skip_in_a_stale_tab_keeps_the_rating_and_shows_it(desk: Desk, clock: Clock) -> None:
    tab = new_tab(desk.store, clock)
    code = shown(desk)
    assert shown(tab) == code
    desk.rate(code, ALL_2)
    tab.skip(code)
    assert tab.notice is not None
    assert tab.notice.outcome == "refused"
    assert "answered in another tab" in tab.notice.message
    assert events(desk, code) == [2]
    assert shown(tab) == code
    clock.now += 5
    tab.skip(code)  # now that the rating was seen, it may be replaced
    assert events(desk, code) == [2, None]


def test_after_a_restart_what_was_seen_is_known_by_the_same_name(
    tmp_path: Path, clock: Clock
) -> None:
    first = AnnotationStore(tmp_path)
    desk = new_tab(first, clock)
    code = shown(desk)
    desk.rate(code, ALL_2)
    first.close()
    desk.store = AnnotationStore(tmp_path)
    clock.now += 5
    desk.undo()
    assert events(desk, code) == [2, None]
    desk.store.close()


def test_an_annotator_sees_no_answer_of_another(desk: Desk, clock: Clock) -> None:
    for code in desk.progress().order:
        desk.rate(code, ALL_2)
    other = new_tab(desk.store, clock, annotator="bob")
    assert other.progress().states == {}


def test_undo_takes_the_answer_back_and_shows_the_item_again(desk: Desk, clock: Clock) -> None:
    code = shown(desk)
    desk.rate(code, ALL_2)
    clock.now += 5
    desk.undo()
    assert desk.notice is not None
    assert desk.notice.message == "Your answer was taken back."
    assert desk.progress().states == {}
    assert shown(desk) == code
    assert events(desk, code) == [2, None]
    clock.now += 5
    desk.undo()  # there is nothing more to take back
    assert events(desk, code) == [2, None]
    desk.rate(code, ALL_1)
    assert desk.progress().states[code].values == ALL_1


def test_undo_takes_a_skip_back_too(desk: Desk, clock: Clock) -> None:
    code = shown(desk)
    desk.skip(code)
    clock.now += 5
    desk.undo()
    assert desk.progress().skipped == ()
    assert shown(desk) == code


def test_flag_and_comment_are_stored_once_each_and_can_be_changed(desk: Desk) -> None:
    code = shown(desk)
    desk.annotate(code, "flag")
    desk.comment(code, "  looks cut off ")
    desk.comment(code, "looks cut off")
    notes = desk.store.notes("demo", "ada", code)
    assert (notes.is_flagged, notes.comment) == (True, "looks cut off")
    desk.annotate(code, "unflag")
    desk.comment(code, "")
    notes = desk.store.notes("demo", "ada", code)
    assert (notes.is_flagged, notes.comment) == (False, "")
    assert desk.store.notes("demo", "bob", code).comment == ""
    assert len(desk.store._rows("SELECT * FROM notes")) == 4


def test_nothing_is_stored_once_the_page_may_store_nothing(desk: Desk, clock: Clock) -> None:
    first = shown(desk)
    desk.rate(first, ALL_2)
    second = shown(desk)
    before = desk.store._rows("SELECT * FROM rating_events ORDER BY event_number")

    def refuse() -> NoReturn:
        raise StudyError("This study is closed.")

    desk.admit = refuse
    acts: tuple[Callable[[], None], ...] = (
        lambda: desk.rate(second, ALL_1),
        lambda: desk.skip(second),
        desk.undo,
        lambda: desk.annotate(second, "flag"),
        lambda: desk.comment(second, "late"),
        lambda: desk.annotate("", "consent"),
    )
    for act in acts:
        clock.now += 10
        act()
        assert desk.notice is not None
        assert (desk.notice.outcome, desk.notice.message) == ("failed", "This study is closed.")
    assert desk.store._rows("SELECT * FROM rating_events ORDER BY event_number") == before
    assert desk.store._rows("SELECT * FROM notes") == []


def test_nothing_is_leased_to_somebody_who_may_store_nothing(desk: Desk) -> None:
    def refuse() -> NoReturn:
        raise StudyError("Your invite was ended.")

    desk.admit = refuse
    with pytest.raises(StudyError, match="was ended"):
        desk.show(desk.progress())
    assert desk.store._rows("SELECT * FROM leases") == []


def test_who_was_invited_sees_no_path_of_the_server(tmp_path: Path, clock: Clock) -> None:
    store = RefusingStore(tmp_path)
    desk = Desk(plan=shared_plan(), annotator="ada", store=store, clock=clock, place=1)
    store.is_full = True
    desk.rate(shown(desk), ALL_2)
    assert desk.notice is not None
    assert desk.notice.outcome == "failed"
    assert "No room left" not in desk.notice.message
    assert "tell the study's owner" in desk.notice.message
    store.close()


def test_an_item_that_others_took_meanwhile_is_refused_and_passed_over(
    store: RefusingStore, clock: Clock
) -> None:
    plan = shared_plan(2, systems=("base",), n_annotators=2)
    desk = Desk(plan=plan, annotator="ada", store=store, clock=clock, place=1)
    code = shown(desk)
    store.release("demo", "ada")  # as if the lease had ended
    for name in ("bob", "cy"):
        store.record(rating(1, 1, 1, item_code=code, annotator=name), plan)
    desk.rate(code, ALL_2)
    assert desk.notice is not None
    assert desk.notice.outcome == "refused"
    assert events(desk, code) == []
    assert shown(desk) != code
    assert desk.progress().n_items == 1


def test_exercises_come_first_do_not_count_and_are_compared_with_the_guidelines(
    store: RefusingStore, clock: Clock
) -> None:
    plan = shared_plan(2, systems=("base",), n_practice=2)
    desk = Desk(plan=plan, annotator="ada", store=store, clock=clock, place=1)
    for _ in range(2):
        assert plan.item(shown(desk)).kind == "practice"
        desk.rate(shown(desk), ALL_2)
        assert desk.notice is not None
        assert "The guidelines call it" in desk.notice.message
    assert plan.item(shown(desk)).kind == "rating"
    assert (desk.progress().n_rated, desk.progress().n_items) == (0, 2)
    assert desk.progress().before(shown(desk)) is None


def test_who_is_through_can_take_over_what_others_left(store: RefusingStore, clock: Clock) -> None:
    plan = shared_plan(4, systems=("base",), n_annotators=4, n_ratings_per_item=1)
    desk = Desk(plan=plan, annotator="ada", store=store, clock=clock, place=1)
    desk.rate(shown(desk), ALL_2)
    assert desk.show(desk.progress()) is None
    assert len(desk.complete(desk.progress())) == 8
    assert desk.complete(desk.progress()) == desk.complete(desk.progress())
    assert len(store._rows("SELECT * FROM notes")) == 1
    desk.help_out()
    for n in range(3):
        clock.now += 5
        desk.rate(shown(desk), ALL_1)
        assert (desk.progress().n_items, desk.progress().n_rated) == (2 + n, 2 + n)
    assert desk.show(desk.progress()) is None


def test_leaving_gives_the_item_back(store: RefusingStore, clock: Clock) -> None:
    plan = shared_plan(1, systems=("base",), n_annotators=2, n_ratings_per_item=1)
    (place,) = plan.items[0].places
    desk = Desk(plan=plan, annotator="ada", store=store, clock=clock, place=place)
    code = shown(desk)
    assert not store.lease(plan, code, "bob")
    desk.leave()
    assert store.lease(plan, code, "bob")


def test_when_the_item_was_shown_is_stored(desk: Desk) -> None:
    code = shown(desk)
    before = utc_now()
    desk.rate(code, ALL_2)
    (row, *_) = desk.store.history("demo", "ada", code)
    assert row["shown_at"] <= before <= row["stored_at"]
