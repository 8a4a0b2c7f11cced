"""Invites: secret, stored hashed, ended at once, and slow to guess."""

from __future__ import annotations

import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emorl.errors import DiskError, StoreError, StudyError
from emorl_dashboard.study.custody import invites
from emorl_dashboard.study.custody.invites import (
    active_places,
    deactivate,
    holder_of,
    invite,
    invited,
    invites_path,
    token_digest,
)
from emorl_dashboard.study.custody.unblinding import (
    close_study,
    log_path,
    open_study,
    study_state,
    unblind,
    unblinded_at,
)
from emorl_dashboard.study.protocol.files import append_record, read_records, replace_whole
from emorl_dashboard.study.protocol.plan import write_plan
from emorl_dashboard.study.rating.throttle import BURST, SECONDS_PER_TRY, Throttle
from tests.dashboard.study.samples import plan_of, shared_plan


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_plan(tmp_path, shared_plan(n_annotators=2))
    return tmp_path


def test_a_token_leads_to_its_annotator_and_is_nowhere_stored(study: Path) -> None:
    token = invite(study, "demo", " Ada ")
    assert len(token) >= 43  # 256 bits
    found = holder_of(study, token_digest(token))
    assert found is not None
    assert (found[0], found[1].annotator, found[1].place) == ("demo", "ada", 1)
    for file in (study / "studies" / "demo").iterdir():
        assert token not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("wrong", ["", "x", "0" * 43])
def test_another_token_leads_nowhere(study: Path, wrong: str) -> None:
    token = invite(study, "demo", "ada")
    for guess in (wrong, token[:-1], token + "A", token.swapcase(), invites.token_digest(token)):
        assert holder_of(study, token_digest(guess)) is None


def test_all_hashes_are_compared_in_constant_time(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [invite(study, "demo", name) for name in ("ada", "bob", "cy")]
    compared: list[str] = []

    def compare(known: str, given: str) -> bool:
        compared.append(known)
        return known == given

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert holder_of(study, token_digest(tokens[0])) is not None
    assert len(compared) == 3


def test_an_ended_link_leads_nowhere_and_a_new_one_gets_the_place_back(study: Path) -> None:
    first = invite(study, "demo", "ada")
    deactivate(study, "demo", "ada")
    assert holder_of(study, token_digest(first)) is None
    second = invite(study, "demo", "ada")
    assert holder_of(study, token_digest(first)) is None
    found = holder_of(study, token_digest(second))
    assert found is not None
    assert found[1].place == 1
    with pytest.raises(StudyError, match="Nobody active is called 'bob'"):
        deactivate(study, "demo", "bob")


def test_a_new_annotator_takes_the_first_free_place(study: Path) -> None:
    for name in ("ada", "bob", "cy"):
        invite(study, "demo", name)
    deactivate(study, "demo", "ada")
    invite(study, "demo", "dee")
    places = {one.annotator: one.place for one in invited(study, "demo") if one.is_active}
    assert places == {"bob": 2, "cy": 3, "dee": 1}
    before = {name: held.before for name, held in active_places(study, "demo").items()}
    assert before == {"bob": set(), "cy": set(), "dee": {"ada"}}
    invite(study, "demo", "ada")  # back, at the next free place: the ratings were of place 1
    before = {name: held.before for name, held in active_places(study, "demo").items()}
    assert before == {"ada": set(), "bob": set(), "cy": set(), "dee": {"ada"}}


def test_invites_made_at_once_have_places_of_their_own(study: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: invite(study, "demo", f"person{n}"), range(24)))
    assert sorted(one.place for one in invited(study, "demo")) == list(range(1, 25))


def test_the_first_invite_opens_a_study_and_a_closed_one_takes_none(study: Path) -> None:
    assert study_state(study, "demo") == "sealed"
    invite(study, "demo", "ada")
    assert study_state(study, "demo") == "open"
    close_study(study, "demo", by="me")
    with pytest.raises(StudyError, match="is closed and takes no ratings"):
        invite(study, "demo", "bob")
    open_study(study, "demo", by="me")
    assert study_state(study, "demo") == "open"


def test_a_study_without_invites_has_none(tmp_path: Path) -> None:
    write_plan(tmp_path, plan_of())
    assert study_state(tmp_path, "demo") == "open"
    with pytest.raises(StudyError, match="without invites"):
        invite(tmp_path, "demo", "ada")


def test_unblinding_is_logged_final_and_keeps_its_first_time(study: Path) -> None:
    assert unblinded_at(study, "demo") is None
    before = datetime.now(UTC).replace(microsecond=0)
    first = unblind(study, "demo", by="me", reason="all ratings are in")
    assert before <= first <= datetime.now(UTC)
    assert study_state(study, "demo") == "unblinded"
    assert unblind(study, "demo", by="you", reason="again") == first
    assert unblinded_at(study, "demo") == first
    events = [(r["event"], r.get("by")) for r in read_records(log_path(study, "demo"))]
    assert events == [("closed", "me"), ("unblinded", "me"), ("unblinded", "you")]
    for change in (open_study, close_study):
        with pytest.raises(StudyError, match="is unblinded"):
            change(study, "demo", by="me")


@pytest.mark.parametrize(("by", "reason"), [("", "x"), ("x", " ")])
def test_unblinding_needs_a_name_and_a_reason(study: Path, by: str, reason: str) -> None:
    with pytest.raises(StudyError, match="give a name and a reason"):
        unblind(study, "demo", by=by, reason=reason)
    assert unblinded_at(study, "demo") is None


def test_a_log_that_ends_in_the_middle_of_a_line_loses_only_that_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_record(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "half')
    assert read_records(path) == [{"n": 1}]
    append_record(path, {"n": 3})
    assert read_records(path) == [{"n": 1}, {"n": 3}]


def test_a_damaged_log_is_refused_with_its_line(study: Path) -> None:
    invite(study, "demo", "ada")
    with invites_path(study, "demo").open("ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(StoreError, match=r"invites\.jsonl is damaged at line 2"):
        invited(study, "demo")


def test_a_line_that_lacks_only_its_end_is_a_record_before_and_after_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2}')
    assert read_records(path) == [{"n": 1}, {"n": 2}]
    append_record(path, {"n": 3})
    assert read_records(path) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_line_that_does_not_fit_is_an_error_and_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    append_record(path, {"n": 1})
    before, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda handle, content: write(handle, content[:-1]))
    with pytest.raises(DiskError, match="no room"):
        append_record(path, {"n": 2})
    assert path.read_bytes() == before


def test_what_killed_writers_left_is_swept_up_once_it_is_old(tmp_path: Path) -> None:
    old, young, other = (tmp_path / name for name in ("tmpold.tmp", "tmpyoung.tmp", "old.tmp"))
    for path in (old, young, other):
        path.write_text("half", encoding="utf-8")
    for path in (old, other):
        os.utime(path, (0, 0))
    replace_whole(tmp_path / "head.json", "{}")
    assert {path.name for path in tmp_path.iterdir()} == {"tmpyoung.tmp", "old.tmp", "head.json"}


@pytest.mark.parametrize("stored", [7, None, "\u00e9" * 64, "abc", ["x"]])
def test_a_hash_that_is_none_keeps_nobody_out_of_other_studies(
    study: Path, stored: object
) -> None:
    token = invite(study, "demo", "ada")
    write_plan(study, shared_plan(study_id="other", n_annotators=2))
    record = {"event": "invited", "annotator": "bo", "at": "2030-01-01T00:00:00+00:00"}
    append_record(invites_path(study, "other"), record | {"token_sha256": stored})
    found = holder_of(study, token_digest(token))
    assert found is not None
    assert found[0] == "demo"
    with pytest.raises(StoreError, match="64 hexadecimal digits"):
        invited(study, "other")


@pytest.mark.parametrize("texts", [("me", "bad \udcff"), ("\ud800", "done")])
def test_a_reason_that_no_file_can_store_changes_nothing(
    study: Path, texts: tuple[str, str]
) -> None:
    open_study(study, "demo", by="me")
    before = log_path(study, "demo").read_bytes()
    with pytest.raises(StudyError, match="half of a character"):
        unblind(study, "demo", by=texts[0], reason=texts[1])
    with pytest.raises(StudyError, match="half of a character"):
        close_study(study, "demo", by="\udcff")
    assert log_path(study, "demo").read_bytes() == before
    assert study_state(study, "demo") == "open"


def test_guessing_is_slowed_by_address_and_others_are_not() -> None:
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])
    for _ in range(BURST):
        assert throttle.wait_seconds("1.2.3.4") == 0
        throttle.failed("1.2.3.4")
    assert throttle.wait_seconds("1.2.3.4") == SECONDS_PER_TRY
    assert throttle.wait_seconds("5.6.7.8") == 0
    now[0] += SECONDS_PER_TRY
    assert throttle.wait_seconds("1.2.3.4") == 0
    throttle.failed("1.2.3.4")
    assert throttle.wait_seconds("1.2.3.4") > 0
