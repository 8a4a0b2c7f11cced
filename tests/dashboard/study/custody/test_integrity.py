"""What was sealed, logged and rated stays so: edits are found, said, and undo no unblinding."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from emorl.errors import DiskError, StoreError, StudyError
from emorl_dashboard.study.custody import integrity
from emorl_dashboard.study.custody.chain import append_chained, head_path, held, read_chain
from emorl_dashboard.study.custody.unblinding import (
    close_study,
    log_path,
    log_sealing,
    open_study,
    study_log,
    study_state,
    unblind,
    unblinded_at,
    unchanged,
)
from emorl_dashboard.study.protocol.files import append_record, read_records
from emorl_dashboard.study.protocol.plan import StudyPlan, plan_path, write_plan
from emorl_dashboard.study.rating import session
from emorl_dashboard.study.rating.desk import Desk
from emorl_dashboard.study.records.store import AnnotationStore
from emorl_dashboard.study.reporting.datasheet import _who_has_the_seal
from emorl_dashboard.study.reporting.export import export_study
from emorl_dashboard.study.reporting.material import read_material
from emorl_dashboard.study.reporting.status import status
from tests.dashboard.study.samples import plan_of, rating

ALL_1 = {"reflection": 1, "empathy": 1, "fluency": 1}


@pytest.fixture
def plan(tmp_path: Path) -> StudyPlan:
    plan = plan_of()
    write_plan(tmp_path, plan)
    log_sealing(tmp_path, plan)
    close_study(tmp_path, "demo", by="me")
    open_study(tmp_path, "demo", by="me")
    close_study(tmp_path, "demo", by="me")
    return plan


def lines(artifacts: Path) -> list[str]:
    return log_path(artifacts, "demo").read_text(encoding="utf-8").splitlines(keepends=True)


def rewrite(artifacts: Path, kept: list[str]) -> None:
    log_path(artifacts, "demo").write_text("".join(kept), encoding="utf-8")


@pytest.mark.usefixtures("plan")
def test_every_entry_names_the_seal_and_vouches_for_those_before(
    tmp_path: Path,
) -> None:
    log = study_log(tmp_path, "demo")
    assert [record["event"] for record in log.records] == ["sealed", "closed", "opened", "closed"]
    assert [record["before"] for record in log.records] == ["", *log.hashes[:-1]]
    assert {record["seal"] for record in log.records} == {plan_of().seal}
    assert (log.trouble, log.n_unchained) == ("", 0)
    assert status(tmp_path, "demo").remarks == ()


EDITS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "last entry taken off": (lambda kept: kept[:-1], "had 5 entries and has 4"),
    "all but the first taken off": (lambda kept: kept[:1], "had 5 entries and has 1"),
    "an entry in the middle": (lambda kept: [kept[0], *kept[2:]], "Entry 2 does not follow"),
    "a changed entry": (
        lambda kept: [kept[0].replace("sealed", "opened"), *kept[1:]],
        "Entry 2 does not follow",
    ),
    "the last entry changed": (
        lambda kept: [*kept[:-1], kept[-1].replace("unblinded", "opened")],
        "first 5 entries are not those",
    ),
    "an entry put in": (
        lambda kept: [*kept, '{"event": "opened", "at": "2030-01-01T00:00:00+00:00"}\n'],
        "Entry 6 bears no hash",
    ),
    "the last entry torn": (
        lambda kept: [*kept[:-1], kept[-1].replace("}\n", "\n")],
        "had 5 entries and has 4",
    ),
    "the whole log": (lambda _: [], "had 5 entries and has 0"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_no_edit_of_the_log_takes_unblinding_back_and_each_is_said(
    tmp_path: Path, plan: StudyPlan, edit: str
) -> None:
    first = unblind(tmp_path, "demo", by="me", reason="all in")
    change, said = EDITS[edit]
    rewrite(tmp_path, change(lines(tmp_path)))
    assert study_state(tmp_path, "demo") == "unblinded"
    assert unblinded_at(tmp_path, "demo") == first
    with pytest.raises(StudyError, match="is unblinded"):
        open_study(tmp_path, "demo", by="me")
    found = status(tmp_path, "demo")
    assert found.takes_no_ratings
    assert said in "\n".join(found.lines())
    assert said in " ".join(read_material(tmp_path, "demo").remarks)
    # Going on in a changed log does not make it whole.
    unblind(tmp_path, "demo", by="me", reason="again")
    assert said in integrity.trouble_of(plan, study_log(tmp_path, "demo"))


@pytest.mark.usefixtures("plan")
def test_without_the_file_beside_it_the_log_is_not_trusted(tmp_path: Path) -> None:
    head_path(log_path(tmp_path, "demo")).unlink()
    assert "last entry is gone" in study_log(tmp_path, "demo").trouble
    head_path(log_path(tmp_path, "demo")).write_text("nothing", encoding="utf-8")
    assert "cannot be read" in study_log(tmp_path, "demo").trouble


@pytest.mark.usefixtures("plan")
def test_a_changed_log_takes_no_ratings_until_a_backup_is_back(tmp_path: Path) -> None:
    open_study(tmp_path, "demo", by="me")
    backup = lines(tmp_path)
    rewrite(tmp_path, backup[:-2])  # as if it had never been closed
    assert study_state(tmp_path, "demo") == "closed"
    with pytest.raises(StudyError, match="was changed by hand"):
        open_study(tmp_path, "demo", by="me")
    rewrite(tmp_path, backup)
    assert study_state(tmp_path, "demo") == "open"


def test_a_writer_killed_between_entry_and_head_leaves_a_whole_log(
    tmp_path: Path, plan: StudyPlan
) -> None:
    head = head_path(log_path(tmp_path, "demo"))
    before = head.read_bytes()
    open_study(tmp_path, "demo", by="me")
    head.write_bytes(before)
    assert study_log(tmp_path, "demo").trouble == ""
    assert study_state(tmp_path, "demo") == "open"
    rewrite(tmp_path, lines(tmp_path)[:1])
    head.unlink()
    assert integrity.trouble_of(plan, study_log(tmp_path, "demo")) == ""


class Killed(BaseException):
    """The process ends here."""


def die(*_: object) -> int:
    raise Killed


def test_a_writer_killed_anywhere_locks_nobody_out_and_edits_are_still_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, replace_ = os.write, Path.replace

    def in_part(keep: Callable[[bytes], bytes]) -> Callable[[int, bytes], int]:
        def cut(handle: int, content: bytes) -> int:
            write(handle, keep(content))
            raise Killed

        return cut

    def after(path: Path, target: Path) -> Path:
        replace_(path, target)
        raise Killed

    # Nothing of the line, a part that ends within a text, all but its end, all; then the head.
    deaths: list[tuple[object, str, object]] = [
        (os, "write", die),
        (os, "write", in_part(lambda line: line[: line.index(b"}") + 1])),
        (os, "write", in_part(lambda line: line[:-1])),
        (os, "write", in_part(lambda line: line)),
        (os, "fsync", die),
        (Path, "replace", die),
        (Path, "replace", after),
    ]
    for number, (first, second) in enumerate(product(deaths, deaths)):
        log = tmp_path / f"{number}" / "log.jsonl"
        for event, death in (("sealed", first), ("opened", second)):
            with monkeypatch.context() as context:
                context.setattr(*death)
                with pytest.raises(Killed):
                    append(log, event)
            assert read_chain(log).trouble == ""
        append(log, "closed")
        append(log, "opened")
        found = read_chain(log)
        assert (found.trouble, found.records[-1]["event"]) == ("", "opened")
        whole = log.read_text(encoding="utf-8").splitlines(keepends=True)
        log.write_text("".join(whole[:-1]), encoding="utf-8")
        assert "entries and has" in read_chain(log).trouble
        log.write_text("".join(whole), encoding="utf-8")
        head_path(log).unlink()
        assert "last entry is gone" in read_chain(log).trouble


def refuse(*_: object) -> Path:
    raise OSError("No space left on device")


def append(log: Path, event: str) -> None:
    with held(log, alone=True):
        append_chained(log, {"event": event, "at": "2030-01-01T00:00:00", "reason": "a} b"})


def test_an_entry_that_cannot_be_named_is_not_logged_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.jsonl"
    for event in ("sealed", "opened", "closed"):
        with monkeypatch.context() as context:
            context.setattr(Path, "replace", refuse)
            with pytest.raises(DiskError, match="Nothing was changed"):
                append(log, event)
        before = read_chain(log)
        append(log, event)
        assert read_chain(log).records[:-1] == before.records
    assert [record["event"] for record in read_chain(log).records] == [
        "sealed",
        "opened",
        "closed",
    ]
    assert read_chain(log).trouble == ""


@pytest.mark.parametrize("number", ["1e400", "-5", '"x"', "null"])
@pytest.mark.usefixtures("plan")
def test_a_file_beside_the_log_that_counts_nonsense_is_said(tmp_path: Path, number: str) -> None:
    head_path(log_path(tmp_path, "demo")).write_text(
        f'{{"n_entries": {number}, "sha256": "", "first": {{}}}}', encoding="utf-8"
    )
    assert "cannot be read" in study_log(tmp_path, "demo").trouble


def test_a_log_of_an_earlier_version_is_read_said_and_vouched_for_from_now_on(
    tmp_path: Path,
) -> None:
    write_plan(tmp_path, plan_of())
    for event in ("opened", "closed"):
        append_record(
            log_path(tmp_path, "demo"), {"event": event, "at": "2030-01-01T00:00:00+00:00"}
        )
    assert study_state(tmp_path, "demo") == "closed"
    (remark,) = status(tmp_path, "demo").remarks
    assert "an earlier version wrote: 2 of 2." in remark
    assert not status(tmp_path, "demo").takes_no_ratings
    open_study(tmp_path, "demo", by="me")
    # The new entry vouches for the earlier ones as they are now, not as they were written.
    (remark,) = status(tmp_path, "demo").remarks
    assert "an earlier version wrote: 2 of 3." in remark
    rewrite(tmp_path, lines(tmp_path)[1:])
    assert "Entry 2 does not follow" in study_log(tmp_path, "demo").trouble


def open_plan(artifacts: Path, seed: str = "seed") -> StudyPlan:
    plan = plan_of(seed=seed)
    write_plan(artifacts, plan)
    log_sealing(artifacts, plan)
    return plan


def desk_of(artifacts: Path, plan: StudyPlan, store: AnnotationStore) -> Desk:
    who = session.Visitor(study_id="demo", annotator="ada")
    admit = partial(session._admitted, artifacts, who)
    return Desk(plan=plan, annotator="ada", store=store, admit=admit)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnnotationStore:
    store = AnnotationStore(tmp_path / "studies")
    monkeypatch.setattr(session, "open_store", lambda _artifacts: store)
    return store


def test_unblinding_waits_for_a_rating_on_its_way_and_none_comes_after(
    tmp_path: Path, store: AnnotationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = open_plan(tmp_path)
    desk = desk_of(tmp_path, plan, store)
    code = desk.show(desk.progress())
    assert code is not None
    record, order = store.record, list[str]()

    def end_it() -> None:
        unblind(tmp_path, "demo", by="me", reason="all in")
        order.append("unblinded")

    unblinding = threading.Thread(target=end_it)

    def late(*arguments: object) -> bool:
        # The state was asked and allowed the rating: now somebody unblinds.
        unblinding.start()
        unblinding.join(timeout=0.3)
        order.append("rated")
        return record(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "record", late)
    desk.rate(code, ALL_1)
    unblinding.join(timeout=30)
    assert order == ["rated", "unblinded"]
    stored = store.history("demo", "ada", code)
    entry = stored[0]["log_entry"]
    # The rating was admitted under the entry before "closed" and "unblinded".
    assert study_log(tmp_path, "demo").hashes.index(entry) == 0
    monkeypatch.setattr(store, "record", record)
    desk.rate(code, {"reflection": 2, "empathy": 2, "fluency": 2})
    assert desk.notice is not None
    assert "finished" in desk.notice.message
    assert store.history("demo", "ada", code) == stored
    store.close()


def test_who_rates_keeps_no_other_rater_waiting(tmp_path: Path) -> None:
    open_plan(tmp_path)
    with unchanged(tmp_path, "demo"), unchanged(tmp_path, "demo"):
        assert study_state(tmp_path, "demo") == "open"


def test_consent_and_ratings_name_the_seal_and_another_plan_is_refused(
    tmp_path: Path, store: AnnotationStore
) -> None:
    plan = open_plan(tmp_path)
    desk = desk_of(tmp_path, plan, store)
    desk.annotate("", "consent")
    code = desk.show(desk.progress())
    assert code is not None
    desk.rate(code, ALL_1)
    head = study_log(tmp_path, "demo").head
    assert store.admitted_under("demo") == {(plan.seal, head)}
    assert {row["seal"] for row in store.history("demo", "ada", code)} == {plan.seal}
    # Plan, seal and log are replaced together; the ratings know better.
    for path in (plan_path, log_path):
        path(tmp_path, "demo").unlink()
    head_path(log_path(tmp_path, "demo")).unlink()
    other = open_plan(tmp_path, seed="other")
    desk = desk_of(tmp_path, other, store)
    with pytest.raises(StudyError, match="its files were changed"):
        desk.show(desk.progress())
    store.publish("demo")
    store.close()
    found = status(tmp_path, "demo")
    assert found.takes_no_ratings
    assert (
        f"name the seal {plan.seal[:12]}, and the plan has {other.seal[:12]}" in found.remarks[0]
    )
    assert "entries that the log of this study lacks" in found.remarks[0]
    with pytest.raises(StoreError, match="not about this plan"):
        read_material(tmp_path, "demo")


def test_a_log_about_another_plan_is_said(tmp_path: Path) -> None:
    plan = open_plan(tmp_path)
    plan_path(tmp_path, "demo").unlink()
    write_plan(tmp_path, other := plan_of(seed="other"))
    assert plan.seal != other.seal
    assert "not the one that was sealed first" in status(tmp_path, "demo").remarks[0]


def test_what_was_stored_before_seals_were_recorded_is_no_trouble_and_is_said_for_good(
    tmp_path: Path, store: AnnotationStore
) -> None:
    plan = open_plan(tmp_path)
    old, new = (item.code for item in plan.items[:2])
    store.record(rating(1, 1, 1, item_code=old), plan)
    desk = desk_of(tmp_path, plan, store)
    desk.annotate("", "consent")
    assert desk.show(desk.progress()) is not None
    desk.rate(new, ALL_1)
    store.close()
    # One answer of two; the consent names both, the rating of the first item neither.
    said = "under which they were given: 1 of 3."
    found = status(tmp_path, "demo")
    assert said in " ".join(found.remarks)
    assert not found.takes_no_ratings
    # Later entries of the log vouch for it, not for the rating: who reads an export learns it.
    unblind(tmp_path, "demo", by="me", reason="all in")
    export_study(tmp_path, "demo", tmp_path / "out")
    for name in ("README.md", "datasheet.md"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert said in text
        assert "vouch for each other." not in text


def test_the_chain_is_over_the_content_whatever_the_order_of_its_names(tmp_path: Path) -> None:
    open_plan(tmp_path)
    path = log_path(tmp_path, "demo")
    turned = [
        json.dumps(dict(reversed(list(record.items())))) + "\n" for record in read_records(path)
    ]
    rewrite(tmp_path, turned)
    assert read_chain(path).trouble == ""


def test_the_datasheet_says_whether_every_rating_names_the_seal(
    tmp_path: Path, store: AnnotationStore
) -> None:
    plan = open_plan(tmp_path)
    desk = desk_of(tmp_path, plan, store)
    while code := desk.show(desk.progress()):
        desk.rate(code, ALL_1)
    store.publish("demo")
    unblind(tmp_path, "demo", by="me", reason="all in")
    material = read_material(tmp_path, "demo")
    assert _who_has_the_seal(material) == "Every rating names it."
    earlier = replace(material, current=material.current.drop(columns="seal"))
    assert _who_has_the_seal(earlier) == "Not all ratings name the seal."
    store.close()
