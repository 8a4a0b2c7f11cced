"""One annotator at work in one browser tab: which item is shown, and saving answers once.

The desk lives as long as the tab. It holds no answer that is not in the store: closing the tab
loses nothing that was called saved.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dashboard.study.plan import StudyPlan
from dashboard.study.progress import Progress, progress_of
from dashboard.study.ratings import Answer, Kind, Submission, rated, skipped
from dashboard.study.store import AnnotationStore
from engine.errors import EmorlError, StoreError

log = logging.getLogger(__name__)

DOUBLE_CLICK_SECONDS = 0.5
"""A second click this soon after the first is the same click: it must not act on the next item."""

Outcome = Literal["saved", "failed", "incomplete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the page has to say about the last click."""

    outcome: Outcome
    item_code: str
    message: str


@dataclass(slots=True, kw_only=True)
class Desk:
    """Keeps request ids, the item that is revisited, and the last notice."""

    plan: StudyPlan
    annotator: str
    store: AnnotationStore
    clock: Callable[[], float] = time.monotonic
    revisited: str | None = None
    """An earlier item that the annotator went back to."""
    notice: Notice | None = None
    _order: Progress = field(init=False)
    _requests: dict[str, str] = field(default_factory=dict)
    _shown_at: dict[str, float] = field(default_factory=dict)
    _acknowledged: dict[str, Submission] = field(default_factory=dict)
    _acted_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._order = progress_of(self.plan, self.annotator, {})

    def progress(self) -> Progress:
        """Return where the annotator stands, from the store."""
        return progress_of(
            self.plan, self.annotator, self.store.states(self.plan.study_id, self.annotator)
        )

    def request(self, code: str) -> str:
        """Return the id that the answer to the item now shown will bear."""
        return self._requests[code]

    def show(self, progress: Progress) -> str | None:
        """Return the item to show, None at the end; its request id is made here, once."""
        code = self.revisited or progress.next_open
        if code is not None and code not in self._requests:
            self._requests[code] = uuid.uuid4().hex
            self._shown_at[code] = self.clock()
        return code

    def rate(self, code: str, values: Mapping[str, int | None]) -> None:
        """Save the values of all criteria of an item, and go on; say so if that fails."""
        missing = [
            criterion.name
            for criterion in self.plan.guidelines.criteria
            if values.get(criterion.name) is None
        ]
        if missing:
            if not self._is_double_click():
                self.notice = Notice(
                    outcome="incomplete",
                    item_code=code,
                    message=f"Not saved yet: rate {_listed(missing)} too.",
                )
            return
        answers = tuple(
            rated(criterion, value)
            for criterion in self.plan.guidelines.criteria
            if (value := values[criterion.name]) is not None
        )
        self._save(code, "rating", answers)

    def skip(self, code: str) -> None:
        """Store that the annotator does not rate an item, and go on."""
        if not self._is_double_click():
            answers = tuple(skipped(criterion) for criterion in self.plan.guidelines.criteria)
            self._save(code, "skip", answers)

    def go_back(self, code: str | None) -> None:
        """Show the item before ``code`` (None: before the end) with its earlier answers."""
        if self._is_double_click():
            return
        before = self._order.before(code)
        if before is not None:
            self.visit(before)
        self._acted_at = self.clock()

    def go_on(self) -> None:
        """Leave a revisited item as it is and show the first item without an answer."""
        self.revisited = None
        self.notice = None

    def visit(self, code: str) -> None:
        """Show one item again, with its earlier answers."""
        self.revisited = code
        self.notice = None
        self._forget(code)  # a visit is a new chance to answer: new request id, new clock

    def _save(self, code: str, kind: Kind, answers: tuple[Answer, ...]) -> None:
        submission = self._submission(code, kind, answers)
        done = self._acknowledged.get(code)
        if (
            code not in self._requests
            and done is not None
            and (done.kind, done.answers) == (kind, answers)
        ):
            return  # the second half of a double click: its item is no longer shown
        try:
            self.store.record(submission)
        except EmorlError as error:
            self.notice = Notice(
                outcome="failed",
                item_code=code,
                message=str(error),
            )
            return
        self._acknowledged[code] = submission
        self._forget(code)
        self._acted_at = self.clock()
        self.revisited = None
        word = "Skipped" if kind == "skip" else "Saved"
        self.notice = Notice(
            outcome="saved", item_code=code, message=f"{word} item {submission.position}."
        )
        self._publish()

    def _submission(self, code: str, kind: Kind, answers: tuple[Answer, ...]) -> Submission:
        return Submission(
            request_id=self._requests.get(code) or uuid.uuid4().hex,
            study_id=self.plan.study_id,
            item_code=self.plan.item(code).code,
            annotator=self.annotator,
            kind=kind,
            answers=answers,
            position=self._order.position(code),
            guideline_version=self.plan.guidelines.version,
            seconds=max(0.0, self.clock() - self._shown_at.get(code, self.clock())),
        )

    def _publish(self) -> None:
        try:
            self.store.publish(self.plan.study_id)
        except StoreError as error:
            # The rating is safe; the snapshot is written again with the next answer.
            log.warning("%s", error)

    def _forget(self, code: str) -> None:
        self._requests.pop(code, None)
        self._shown_at.pop(code, None)

    def _is_double_click(self) -> bool:
        return self.clock() - self._acted_at < DOUBLE_CLICK_SECONDS


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
