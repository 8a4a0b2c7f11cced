"""One annotator at work in one browser tab: which item is shown, and saving answers once.

The desk lives as long as the tab. It holds no answer that is not in the store: closing the tab
loses nothing that was called saved.

The id of an answer is made here before its form is shown, and stands in the keys of the form's
buttons: the message of a click carries it, and the same message twice is the same request. The
browser does not make it: a form sends the values of Streamlit's own widgets only, and an id from
a script would come in a message of its own, which a lost connection parts from the click.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from emorl.errors import AnswerChangedError, EmorlError, ItemTakenError
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.protocol.ratings import Answer, Kind, Note, NoteKind, Submission
from emorl_dashboard.study.rating import replies
from emorl_dashboard.study.rating.progress import Progress, progress_of
from emorl_dashboard.study.rating.visits import Notice, Outcome, Showing, admit_all
from emorl_dashboard.study.records.store import AnnotationStore, Places, utc_now

log = logging.getLogger(__name__)

DOUBLE_CLICK_SECONDS = 0.5
"""A second click this soon is the same click, and no one can have read the next item: it must not
act there, nor put a complaint where "Saved" stands. A Save with all answers is never dropped."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """Keeps request ids, the item that is revisited, and the last notice."""

    plan: StudyPlan
    annotator: str
    store: AnnotationStore
    place: int | None = None
    """Whose share the annotator has; None where everybody rates everything."""
    places: Callable[[], Places] = dict
    """Who holds which place now."""
    admit: Callable[[], AbstractContextManager[str]] = admit_all
    """Raises a StudyError when nothing may be stored any more: the study was closed, the invite
    ended. Asked at every write: the page may be older than that. Gives the log entry that allows
    it; until its block ends nobody closes or unblinds the study."""
    clock: Callable[[], float] = time.monotonic
    revisited: str | None = None
    """An earlier item that the annotator went back to."""
    helps: bool = False
    """Whether the annotator goes on with items that others left."""
    notice: Notice | None = None
    last_answered: str | None = None
    """What Undo takes back: the item answered last in this tab."""
    unsaved: dict[str, Mapping[str, int | None]] = field(default_factory=dict)
    """Item code -> values that could not be saved: the form shows them again."""
    unsaved_comments: dict[str, str] = field(default_factory=dict)
    heard: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Another one with every click on Save that was heard, whatever became of it."""
    _showing: dict[str, Showing] = field(default_factory=dict)
    _acknowledged: dict[str, Submission] = field(default_factory=dict)
    _acted_at: float = float("-inf")

    def progress(self) -> Progress:
        """Return where the annotator stands, from the store."""
        with self.store.standing(self.plan, self.places()) as standing:
            return progress_of(
                self.plan, self.annotator, standing, place=self.place, helps=self.helps
            )

    def has_consented(self) -> bool:
        """Tell whether the annotator agreed to take part under the study's guidelines."""
        return self.store.has_consented(
            self.plan.study_id, self.annotator, self.plan.guidelines.version
        )

    def request(self, code: str) -> str:
        """Return the id that the answer to the item now shown will bear."""
        return self._showing[code].request_id

    def show(self, progress: Progress) -> str | None:
        """Return the item to show, None at the end; it is leased, and its request id made, here.

        Items that others have taken in the meantime are passed over.

        Raises:
            StudyError: If nothing may be stored any more: then nothing is shown, or leased.
            DiskError: If the lease cannot be stored.
        """
        wanted = (self.revisited,) if self.revisited else (*progress.open_items, *progress.extra)
        with self.admit():
            for code in wanted:
                if self._is_leased(code, progress):
                    return code
        self.revisited = None
        return None

    def rate(self, code: str, values: Mapping[str, int | None]) -> None:
        """Save the values of all criteria of an item, and go on; say so if that fails.

        In a pairwise study a value is 1 (the response shown first is better), 0 (a tie) or 2.
        """
        self.heard = uuid.uuid4().hex
        names = [criterion.name for criterion in self.plan.guidelines.criteria]
        missing = [name for name in names if values.get(name) is None]
        if missing:
            if not self._is_double_click():
                self._say(
                    "incomplete", code, f"Not saved yet: rate {replies.listed(missing)} too."
                )
            return
        answers = replies.rated_answers(self.plan, self.annotator, code, values)
        self.unsaved[code] = dict(values)
        if self._save(code, "rating", answers) or not self.has_failed(code):
            self.unsaved.pop(code, None)

    def has_failed(self, code: str) -> bool:
        """Tell whether the last click could not be stored, and was about this item."""
        notice = self.notice
        return notice is not None and (notice.outcome, notice.item_code) == ("failed", code)

    def skip(self, code: str) -> None:
        """Store that the annotator does not rate an item, and go on."""
        if not self._is_double_click():
            self._save(code, "skip", replies.empty_answers(self.plan))

    def undo(self) -> None:
        """Take back the answer given last in this tab, and show its item again."""
        # No guard against a double click: it is done only once, and a slip seen at once is quick.
        code = self.last_answered
        if code is None:
            return
        self._forget(code)
        if self._save(code, "withdrawn", replies.empty_answers(self.plan)):
            self.last_answered = None
            self.revisited = code

    def go_back(self, code: str | None) -> None:
        """Show the item before ``code`` (None: before the end) with its earlier answers."""
        if self._is_double_click():
            return
        before = self.progress().before(code)
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

    def help_out(self) -> None:
        """Go on with items that others left."""
        self.helps = True
        self.notice = None

    def annotate(self, code: str, kind: NoteKind, text: str = "") -> None:
        """Store a flag, a comment or another note about an item; say so if that fails."""
        note = Note(
            note_id=uuid.uuid4().hex,
            study_id=self.plan.study_id,
            annotator=self.annotator,
            kind=kind,
            item_code=code,
            text=text,
            guideline_version=self.plan.guidelines.version,
            seal=self.plan.seal,
        )
        try:
            with self.admit() as entry:
                self.store.note(replace(note, log_entry=entry))
        except EmorlError as error:
            self._fail(code, error)

    def comment(self, code: str, text: str) -> None:
        """Store a comment if it is another than the stored one."""
        if text.strip() != self.store.notes(self.plan.study_id, self.annotator, code).comment:
            self.unsaved_comments[code] = text
            self.annotate(code, "comment", text.strip())
            if not self.has_failed(code):
                self.unsaved_comments.pop(code, None)

    def complete(self, progress: Progress) -> str:
        """Return the code that proves the whole share, once that is noted; "" before."""
        done = partial(self.store.has_completed, self.plan.study_id, self.annotator)
        if progress.is_complete and not done():
            self.annotate("", "completed")
        is_due = progress.is_complete and done()
        return replies.completion_code(self.plan.seed, self.annotator) if is_due else ""

    def leave(self) -> None:
        """Give back items that were looked at and not answered."""
        self.store.release(self.plan.study_id, self.annotator)

    def _is_leased(self, code: str, progress: Progress) -> bool:
        now = self.clock()
        showing = self._showing.get(code)
        if showing is not None and now < showing.leased_until:
            return True
        if not self.store.lease(self.plan, code, self.annotator):
            self._forget(code)
            return False
        # Asked for again after half of its time: who reads slowly keeps the item.
        until = now + self.plan.lease_seconds / 2
        if showing is None:
            state = progress.states.get(code)
            answered = "" if state is None else state.request_id
            self._showing[code] = Showing(uuid.uuid4().hex, now, utc_now(), until, answered)
        else:
            showing.leased_until = until
        return True

    def _save(self, code: str, kind: Kind, answers: tuple[Answer, ...]) -> bool:
        submission = self._submission(code, kind, answers)
        done = self._acknowledged.get(code)
        if (
            code not in self._showing
            and done is not None
            and (done.kind, done.answers) == (kind, answers)
        ):
            return False  # the second half of a double click: its item is no longer shown
        try:
            with self.admit() as entry:
                self.store.record(replace(submission, log_entry=entry), self.plan)
        except ItemTakenError as error:
            self._forget(code)
            self.revisited = None
            self._say("refused", code, str(error))
            return False
        except AnswerChangedError as error:
            self.last_answered = None if kind == "withdrawn" else self.last_answered
            self.visit(code)  # shows what the item's answer is now
            self._say("refused", code, str(error))
            return False
        except EmorlError as error:
            self._fail(code, error)
            return False
        self._acknowledged[code] = submission
        self._forget(code)
        self.unsaved.pop(code, None)
        self._acted_at = self.clock()
        self.revisited = None
        self.last_answered = code
        self._say("saved", code, replies.said(self.plan, submission))
        return True

    def _submission(self, code: str, kind: Kind, answers: tuple[Answer, ...]) -> Submission:
        showing = self._showing.get(code)
        started = self.clock() if showing is None else showing.started
        seconds = max(0.0, self.clock() - started)
        return Submission(
            request_id=uuid.uuid4().hex if showing is None else showing.request_id,
            study_id=self.plan.study_id,
            item_code=self.plan.item(code).code,
            annotator=self.annotator,
            kind=kind,
            answers=answers,
            position=self.progress().position(code),
            guideline_version=self.plan.guidelines.version,
            seconds=seconds,
            shown_at=utc_now() - timedelta(seconds=seconds)
            if showing is None
            else showing.shown_at,
            shown_first=replies.shown_first(self.plan, self.annotator, code),
            # A rating says what it is and may replace any; a skip and Undo would only destroy.
            replaces=None if kind == "rating" else self._seen(code),
            seal=self.plan.seal,
        )

    def _seen(self, code: str) -> str:
        """Return the request of the answer that the annotator knows of; "" for none."""
        showing, done = self._showing.get(code), self._acknowledged.get(code)
        if showing is not None:
            return showing.answered
        return "" if done is None or done.kind == "withdrawn" else done.request_id

    def _fail(self, code: str, error: EmorlError) -> None:
        log.warning("An answer was not stored: %s", error)
        self._say("failed", code, replies.reason(self.plan, error))

    def _say(self, outcome: Outcome, code: str, message: str) -> None:
        self.notice = Notice(outcome=outcome, item_code=code, message=message)

    def _forget(self, code: str) -> None:
        self._showing.pop(code, None)

    def _is_double_click(self) -> bool:
        return self.clock() - self._acted_at < DOUBLE_CLICK_SECONDS
