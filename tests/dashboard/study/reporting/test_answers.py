"""Ratings joined with the plan: one row per system, whatever was shared, copied or skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from emorl.errors import StudyError
from emorl_dashboard.study.planning.building import blind_items
from emorl_dashboard.study.planning.sources import SystemText
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.rating.desk import Desk
from emorl_dashboard.study.rating.replies import texts_in_order
from emorl_dashboard.study.records.store import AnnotationStore
from emorl_dashboard.study.reporting.answers import (
    ANSWER_COLUMNS,
    PAIR_COLUMNS,
    answer_frame,
    pair_frame,
)
from tests.dashboard.study.samples import GUIDELINES, plan_of, rating, shared_plan, skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnnotationStore]:
    opened = AnnotationStore(tmp_path)
    yield opened
    opened.close()


def published(store: AnnotationStore) -> pd.DataFrame:
    _, current, _ = store.publish("demo")
    return pd.read_parquet(current)


def test_a_shared_item_gives_one_row_per_system_and_a_skip_no_value(
    store: AnnotationStore,
) -> None:
    texts = [
        SystemText(system=system, data_set="d", prompt_index=3, prompt="p", text=text)
        for system, text in (("a", "same"), ("b", "same"), ("c", "other"))
    ]
    items = blind_items("seed", texts)
    plan = StudyPlan(
        study_id="demo", run_id="", created_at="", seed="seed", guidelines=GUIDELINES, items=items
    )
    shared = next(item for item in items if len(item.systems) == 2)
    other = next(item for item in items if len(item.systems) == 1)
    store.record(rating(2, 1, 0, item_code=shared.code))
    store.record(skip(item_code=other.code))
    frame = answer_frame(plan, published(store))
    assert tuple(frame.columns) == ANSWER_COLUMNS
    assert len(frame) == 9
    assert set(frame.source_item) == {"d/3"}
    rated = frame[frame.item_code == shared.code].pivot_table(
        index="system", columns="criterion", values="value"
    )
    assert rated.loc["a"].to_dict() == {"reflection": 2, "empathy": 1, "fluency": 0}
    assert rated.loc["a"].to_dict() == rated.loc["b"].to_dict()
    left = frame[frame.system == "c"]
    assert left.is_skipped.all()
    assert left.value.isna().all()
    assert (frame.scale_minimum == 0).all()
    assert (frame.scale_maximum == 2).all()


def test_kinds_and_originals_are_told(store: AnnotationStore) -> None:
    plan = shared_plan(6, n_gold=1, n_repeats=1, n_practice=1)
    for item in plan.items:
        store.record(rating(1, 1, 1, item_code=item.code))
    frame = answer_frame(plan, published(store)).drop_duplicates("item_code")
    assert frame.kind.value_counts().to_dict() == {
        "rating": 12,
        "gold": 1,
        "repeat": 1,
        "practice": 1,
    }
    for _, row in frame[frame.kind.isin(["gold", "repeat"])].iterrows():
        assert plan.item(row.copy_of).source_item == row.source_item
    assert frame[frame.kind == "practice"].system.tolist() == [""]


def test_no_ratings_give_no_rows_with_all_columns(store: AnnotationStore) -> None:
    answers = answer_frame(plan_of(), published(store))
    pairs = pair_frame(shared_plan(mode="pairwise"), published(store))
    assert (tuple(answers.columns), tuple(pairs.columns)) == (ANSWER_COLUMNS, PAIR_COLUMNS)
    assert answers.empty
    assert pairs.empty


def test_the_frame_of_the_other_mode_is_refused(store: AnnotationStore) -> None:
    with pytest.raises(StudyError, match="Use pair_frame"):
        answer_frame(shared_plan(mode="pairwise"), published(store))
    with pytest.raises(StudyError, match="Use answer_frame"):
        pair_frame(plan_of(), published(store))


def test_a_rating_of_an_unknown_item_is_refused(store: AnnotationStore) -> None:
    store.record(rating(1, 1, 1, item_code="unknown"))
    with pytest.raises(StudyError, match="no item 'unknown'"):
        answer_frame(plan_of(), published(store))


def test_a_preference_is_about_the_response_whichever_side_it_stood_on(
    store: AnnotationStore,
) -> None:
    """Everybody prefers the text of system best, wherever it stands."""
    plan = shared_plan(8, systems=("base", "best"), mode="pairwise", n_annotators=2)
    first_sides = set()
    for name, place in (("ada", 1), ("bob", 2)):
        desk = Desk(plan=plan, annotator=name, store=store, place=place, clock=iter_clock())
        for n in range(8):
            code = desk.show(desk.progress())
            assert code is not None
            item = plan.item(code)
            best = "a" if item.systems == ("best",) else "b"
            submitted_first = "a" if is_first(desk, code, "a") else "b"
            first_sides.add(submitted_first)
            value = 0 if n == 0 else 1 if submitted_first == best else 2
            desk.rate(code, dict.fromkeys(("reflection", "empathy", "fluency"), value))
    assert first_sides == {"a", "b"}
    frame = pair_frame(plan, published(store))
    assert tuple(frame.columns) == PAIR_COLUMNS
    decided = frame[frame.preference != "tie"]
    winners = decided.system_a.where(decided.preference == "a", decided.system_b)
    assert set(winners) == {"best"}
    assert (frame.preference == "tie").sum() == 6
    events = store.history("demo", "ada", frame.item_code.iloc[0])
    assert events[0]["label"] in ("a is better", "tie", "b is better")
    assert events[0]["shown_first"] in ("a", "b")


def is_first(desk: Desk, code: str, side: str) -> bool:
    item = desk.plan.item(code)
    texts = {"a": item.response, "b": item.other_response}
    return texts_in_order(desk.plan, desk.annotator, item)[0] == texts[side]


def iter_clock() -> Callable[[], float]:
    """Return a clock that jumps over the pause after a double click."""
    times = iter(range(0, 100_000, 10))
    return lambda: float(next(times))


def test_a_skipped_pair_has_no_preference(store: AnnotationStore) -> None:
    plan = shared_plan(1, systems=("base", "best"), mode="pairwise")
    store.record(skip(item_code=plan.items[0].code))
    frame = pair_frame(plan, published(store))
    assert frame.preference.tolist() == [None] * 3
