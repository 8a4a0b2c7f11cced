"""Shares are balanced and sealed; no item gets too many ratings; what is left comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from emorl.errors import ItemTakenError
from emorl_dashboard.study.planning.building import damaged, practice_items
from emorl_dashboard.study.protocol.assignment import (
    HeldPlace,
    Standing,
    assigned_places,
    preview,
    share,
)
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.rating.progress import progress_of
from emorl_dashboard.study.records.store import AnnotationStore
from tests.dashboard.study.samples import GUIDELINES, SYSTEMS, rating, shared_plan, skip

START = datetime(2030, 1, 1)
PLACES = {
    name: HeldPlace(number, START) for number, name in enumerate(("ada", "bob", "cy", "dee"), 1)
}


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[AnnotationStore]:
    opened = AnnotationStore(tmp_path, clock=clock)
    yield opened
    opened.close()


@pytest.mark.parametrize(("n_annotators", "k"), [(2, 2), (5, 2), (7, 3), (4, 1), (30, 3)])
def test_every_item_has_k_places_and_shares_differ_by_one_item(n_annotators: int, k: int) -> None:
    plan = shared_plan(12, systems=SYSTEMS, n_annotators=n_annotators, n_ratings_per_item=k)
    assert {len(set(item.places)) for item in plan.items} == {k}
    sizes = [len(share(plan, place)) for place in range(1, n_annotators + 1)]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == 60 * k
    for system in SYSTEMS:
        seen = [one.n_by_system.get(system, 0) for one in preview(plan.items, n_annotators)]
        assert max(seen) - min(seen) <= 3


def test_who_rates_with_whom_is_mixed() -> None:
    plan = shared_plan(24, systems=SYSTEMS, n_annotators=4, n_ratings_per_item=2)
    assert len(Counter(item.places for item in plan.items)) == 6


def test_the_places_depend_on_the_seed_and_not_on_the_order_of_the_items() -> None:
    plan = shared_plan(8, systems=SYSTEMS, n_annotators=5)

    def places(seed: str, items: tuple[object, ...]) -> dict[str, tuple[int, ...]]:
        return assigned_places(seed, items, n_annotators=5, n_ratings_per_item=2)  # type: ignore[arg-type]

    assert places("seed", plan.items) == places("seed", plan.items[::-1])
    assert places("seed", plan.items) != places("other", plan.items)


def test_copies_go_to_those_who_rate_the_original_and_come_a_fifth_of_the_order_later() -> None:
    plan = shared_plan(20, systems=SYSTEMS, n_annotators=4, n_gold=5, n_repeats=5, n_practice=3)
    counts = plan.n_of_kind()
    assert (counts["gold"], counts["repeat"], counts["practice"]) == (5, 5, 3)
    copies = [item for item in plan.items if item.copy_of]
    assert len({item.copy_of for item in copies}) == 10
    for place in range(1, 5):
        order = _order(plan, f"person{place}", place)
        for copy in copies:
            assert copy.places == plan.item(copy.copy_of).places
            if place in copy.places:
                gap = order.index(copy.code) - order.index(copy.copy_of)
                assert gap > len(order) * 0.1


def _order(plan: StudyPlan, annotator: str, place: int) -> tuple[str, ...]:
    standing = Standing(answers={}, leases={}, holders={})
    return progress_of(plan, annotator, standing, place=place).order


def test_gold_is_visibly_damaged_and_a_repeat_is_the_same_text() -> None:
    plan = shared_plan(10, n_gold=3, n_repeats=3)
    for item in plan.items:
        if item.copy_of:
            original = plan.item(item.copy_of)
            assert item.code != original.code
            assert (item.response == original.response) == (item.kind == "repeat")
            assert set(item.response.split()) == set(original.response.split())
    assert damaged("same same same", b"key")  # ends, although no shuffle changes it


def test_exercises_are_the_examples_of_the_guidelines() -> None:
    items = practice_items("seed", GUIDELINES, "rating", 20)
    assert len(items) == 9
    assert {item.kind for item in items} == {"practice"}
    pairs = practice_items("seed", GUIDELINES, "pairwise", 4)
    assert all(item.other_response for item in pairs)


def test_no_item_gets_more_than_k_ratings_and_the_refused_changes_nothing(
    store: AnnotationStore,
) -> None:
    plan = shared_plan(1, systems=("base",), n_annotators=4)
    code = plan.items[0].code
    for name in ("ada", "bob"):
        store.record(rating(1, 1, 1, item_code=code, annotator=name), plan)
    with pytest.raises(ItemTakenError, match="Nothing was stored"):
        store.record(rating(1, 1, 1, item_code=code, annotator="cy"), plan)
    assert store.states("demo", "cy") == {}
    assert not store.lease(plan, code, "cy")
    # Who has rated it may change the answer.
    store.record(rating(2, 2, 2, item_code=code, annotator="ada"), plan)
    assert store.states("demo", "ada")[code].values["empathy"] == 2


def test_eight_at_once_give_one_item_two_ratings(store: AnnotationStore) -> None:
    plan = shared_plan(6, systems=("base",), n_annotators=4)
    for item in plan.items:

        def send(name: str, code: str = item.code) -> bool:
            try:
                return store.record(rating(1, 1, 1, item_code=code, annotator=name), plan)
            except ItemTakenError:
                return False

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(send, [f"person{n}" for n in range(8)])) == 2


def test_a_skip_leaves_room_for_others(store: AnnotationStore) -> None:
    plan = shared_plan(1, systems=("base",), n_annotators=4)
    code = plan.items[0].code
    store.record(skip(item_code=code), plan)
    for name in ("bob", "cy"):
        assert store.record(rating(1, 1, 1, item_code=code, annotator=name), plan)
    with pytest.raises(ItemTakenError):
        store.record(rating(1, 1, 1, item_code=code), plan)


def test_a_lease_keeps_the_item_until_it_ends(store: AnnotationStore, clock: Clock) -> None:
    plan = shared_plan(1, systems=("base",), n_annotators=4)
    code = plan.items[0].code
    assert store.lease(plan, code, "ada")
    assert store.lease(plan, code, "bob")
    assert not store.lease(plan, code, "cy")
    clock.now += timedelta(minutes=31)
    assert store.lease(plan, code, "cy")
    # Ada comes back late: bob's lease has ended too, so that there is still room for her.
    assert store.record(rating(1, 1, 1, item_code=code, annotator="ada"), plan)
    with pytest.raises(ItemTakenError):
        store.record(rating(1, 1, 1, item_code=code, annotator="bob"), plan)
    assert store.record(rating(1, 1, 1, item_code=code, annotator="cy"), plan)


def test_leases_and_notes_survive_the_end_of_the_process(tmp_path: Path, clock: Clock) -> None:
    plan = shared_plan(1, systems=("base",), n_annotators=4)
    code = plan.items[0].code
    first = AnnotationStore(tmp_path, clock=clock)
    assert first.lease(plan, code, "ada")
    first.record(rating(1, 1, 1, item_code=code, annotator="bob"), plan)
    first.close()
    second = AnnotationStore(tmp_path, clock=clock)
    assert not second.lease(plan, code, "cy")
    second.release("demo", "ada")
    assert second.lease(plan, code, "cy")
    second.close()


def test_what_an_absent_annotator_left_comes_to_who_helps(
    store: AnnotationStore, clock: Clock
) -> None:
    plan = shared_plan(6, systems=("base",), n_annotators=3)

    def extra(annotator: str, places: dict[str, HeldPlace]) -> tuple[str, ...]:
        with store.standing(plan, places) as standing:
            return progress_of(
                plan, annotator, standing, place=places[annotator][0], helps=True
            ).extra

    assert extra("ada", PLACES) == ()
    # Bob's link is ended: his share is there for ada, but for what she has anyway.
    without_bob = {name: place for name, place in PLACES.items() if name != "bob"}
    left = {item.code for item in plan.items if 2 in item.places and 1 not in item.places}
    assert left
    assert set(extra("ada", without_bob)) == left
    # Nobody was seen for longer than a day: the share of all others is there.
    clock.now += timedelta(hours=25)
    assert set(extra("ada", PLACES)) == {i.code for i in plan.items if 1 not in i.places}


def test_a_withdrawn_answer_is_gone_and_its_event_is_kept(store: AnnotationStore) -> None:
    plan = shared_plan(1, systems=("base",), n_annotators=4)
    code = plan.items[0].code
    for name in ("ada", "bob"):
        store.record(rating(1, 1, 1, item_code=code, annotator=name), plan)
    store.record(skip(item_code=code, kind="withdrawn"), plan)
    assert store.states("demo", "ada") == {}
    assert [row["kind"] for row in store.history("demo", "ada", code)] == [
        *["rating"] * 3,
        *["withdrawn"] * 3,
    ]
    assert store.record(rating(1, 1, 1, item_code=code, annotator="cy"), plan)


def test_who_gets_the_place_of_another_is_not_given_what_that_one_has_rated(
    store: AnnotationStore,
) -> None:
    plan = shared_plan(4, n_annotators=2, n_gold=1)
    (gold,) = [item for item in plan.items if item.kind == "gold"]
    originals = [item.code for item in plan.items if item.kind == "rating"]
    done = {*originals[:5], gold.copy_of}
    for code in done:
        store.record(rating(1, 1, 1, item_code=code), plan)

    def left(places: dict[str, HeldPlace], name: str, *, helps: bool = False) -> set[str]:
        with store.standing(plan, places) as standing:
            found = progress_of(plan, name, standing, place=places[name].place, helps=helps)
        return {*found.open_items, *found.extra}

    # Ada, who had place 1, is replaced by bob; cy has place 2 and does not lose her share.
    places = {"bob": HeldPlace(1, START, frozenset({"ada"})), "cy": HeldPlace(2, START)}
    assert left(places, "bob") == set(originals) - done
    assert left(places, "bob", helps=True) == set(originals) - done
    for code in set(originals) - done:
        store.record(rating(1, 1, 1, item_code=code, annotator="bob"), plan)
    assert left(places, "cy") == {*originals, gold.code}
    # If nobody has place 2, bob may step in for it.
    alone = {"bob": places["bob"]}
    assert left(alone, "bob") == set()
    assert left(alone, "bob", helps=True) == done


def test_a_rating_counts_for_the_place_that_its_annotator_has_now(store: AnnotationStore) -> None:
    plan = shared_plan(1, systems=("base",), n_annotators=2)
    code = plan.items[0].code
    store.record(rating(1, 1, 1, item_code=code), plan)
    places = {"bob": HeldPlace(1, START, frozenset({"ada"})), "ada": HeldPlace(2, START)}
    with store.standing(plan, places) as standing:
        assert progress_of(plan, "bob", standing, place=1).open_items == (code,)
