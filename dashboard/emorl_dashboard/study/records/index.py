"""What the stored events say now, kept in memory: current answers, leases, notes.

The database is the truth. Only one process writes it, so an index that is filled when the file is
opened and updated after every commit is exact, and no click has to wait for a query over all
events. Times are UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from emorl.errors import AnswerChangedError
from emorl_dashboard.study.protocol.assignment import HeldPlace, Standing
from emorl_dashboard.study.protocol.ratings import ItemState, Kind, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemNotes:
    """What an annotator attached to an item."""

    is_flagged: bool = False
    comment: str = ""


@dataclass(slots=True)
class StudyIndex:
    """The present of one study."""

    answers: dict[str, dict[str, ItemState]] = field(default_factory=lambda: defaultdict(dict))
    """Item code -> annotator -> answer; answers taken back are gone."""
    leases: dict[str, dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))
    """Item code -> annotator -> when the lease ends."""
    notes: dict[tuple[str, str], ItemNotes] = field(default_factory=dict)
    """(annotator, item code) -> flag and comment."""
    consents: set[tuple[str, str]] = field(default_factory=set)
    """(annotator, guideline version)."""
    completed: set[str] = field(default_factory=set)
    admitted: set[tuple[str, str]] = field(default_factory=set)
    """(seal of the plan, hash of the log entry) that something was stored under."""
    last_seen: dict[str, datetime] = field(default_factory=dict)

    def answer(
        self,
        code: str,
        annotator: str,
        kind: Kind,
        values: Mapping[str, int],
        stored_at: datetime,
        request_id: str,
    ) -> None:
        """Take in one submission."""
        if kind == "withdrawn":
            self.answers[code].pop(annotator, None)
        else:
            self.answers[code][annotator] = ItemState(
                kind=kind, values=dict(values), request_id=request_id
            )
            self.leases[code].pop(annotator, None)
        self._saw(annotator, stored_at)

    def check_current(self, submission: Submission) -> None:
        """Raise AnswerChangedError if the submission was meant for another answer."""
        state = self.answers.get(submission.item_code, {}).get(submission.annotator)
        current = "" if state is None else state.request_id
        if submission.replaces is not None and submission.replaces != current:
            raise AnswerChangedError(
                "This item was answered in another tab or window after it was shown here. That "
                "answer is kept, and nothing was stored now: look at it, then decide."
            )

    def lease(self, code: str, annotator: str, granted: datetime, expires: datetime) -> None:
        """Take in a lease."""
        self.leases[code][annotator] = expires
        self._saw(annotator, granted)

    def release(self, annotator: str) -> None:
        """Forget all leases of somebody."""
        for leases in self.leases.values():
            leases.pop(annotator, None)

    def note(
        self,
        annotator: str,
        kind: str,
        code: str,
        text: str,
        version: str,
        stored_at: datetime,
        admitted: tuple[str, str],
    ) -> None:
        """Take in a note."""
        self.admitted.add(admitted)
        known = self.notes.get((annotator, code), ItemNotes())
        if kind == "consent":
            self.consents.add((annotator, version))
        elif kind == "completed":
            self.completed.add(annotator)
        elif kind == "comment":
            self.notes[annotator, code] = ItemNotes(is_flagged=known.is_flagged, comment=text)
        else:
            self.notes[annotator, code] = ItemNotes(
                is_flagged=kind == "flag", comment=known.comment
            )
        self._saw(annotator, stored_at)

    def states(self, annotator: str) -> dict[str, ItemState]:
        """Return one annotator's answers by item code."""
        return {
            code: answers[annotator]
            for code, answers in self.answers.items()
            if annotator in answers
        }

    def standing(
        self, now: datetime, places: Mapping[str, HeldPlace], abandoned_seconds: float
    ) -> Standing:
        """Return where everybody stands.

        Args:
            now: The moment; leases that ended before do not count.
            places: Active annotator -> the place held.
            abandoned_seconds: Who was not seen for so long holds the place no more.
        """
        longest = timedelta(seconds=abandoned_seconds)
        return Standing(
            answers=self.answers,
            leases={
                code: frozenset(who for who, expires in leases.items() if expires > now)
                for code, leases in self.leases.items()
                if leases
            },
            holders={
                held.place: annotator
                for annotator, held in places.items()
                if now - max(held.since, self.last_seen.get(annotator, held.since)) < longest
            },
            before={held.place: held.before for held in places.values()},
        )

    def _saw(self, annotator: str, at: datetime) -> None:
        self.last_seen[annotator] = max(at, self.last_seen.get(annotator, at))
