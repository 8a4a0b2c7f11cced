"""What an annotator submits, and what is known about an item: plain checked records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from emorl.errors import StudyError
from emorl_dashboard.study.protocol.guidelines import Criterion

Kind = Literal["rating", "skip", "withdrawn"]
"""Answered, deliberately not answered, or an answer taken back."""

SideFirst = Literal["", "a", "b"]

NoteKind = Literal["consent", "flag", "unflag", "comment", "completed"]

LONGEST_COMMENT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one criterion, with its meaning: never a widget's index or a key."""

    criterion: str
    scale_minimum: int
    scale_maximum: int
    value: int | None
    """None when the item was skipped."""
    label: str
    """What the value means; empty when the item was skipped."""

    def __post_init__(self) -> None:
        if self.value is None:
            return
        if not self.scale_minimum <= self.value <= self.scale_maximum:
            raise StudyError(
                f"{self.criterion} must be {self.scale_minimum} to {self.scale_maximum}, got "
                f"{self.value}. Choose one of the levels of the guidelines."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One click of Save or Skip: answers to all criteria of one item, stored together."""

    request_id: str
    """Made before the click; the same click sent twice bears the same id."""
    study_id: str
    item_code: str
    annotator: str
    kind: Kind
    answers: tuple[Answer, ...]
    position: int
    """Of the item in this annotator's order, from 1."""
    guideline_version: str
    seconds: float
    """From showing the item to the click."""
    shown_at: datetime | None = None
    """When the item was shown, UTC; unknown in early studies."""
    shown_first: SideFirst = ""
    """Which response of a pair stood first on the page."""
    replaces: str | None = None
    """Request of the only answer that this may take the place of, "" for none; None: of any."""
    seal: str = ""
    """Of the plan that it was given under; unknown in early studies."""
    log_entry: str = ""
    """Hash of the entry of the study's log that it was admitted under; "" without any."""

    def __post_init__(self) -> None:
        names = [answer.criterion for answer in self.answers]
        open_ = [answer.criterion for answer in self.answers if answer.value is None]
        if not names or len(set(names)) != len(names):
            raise StudyError(f"Need one answer per criterion, got answers to {names}.")
        if self.kind == "rating" and open_:
            raise StudyError(f"Rate {' and '.join(open_)} too: every question needs an answer.")
        if self.kind != "rating" and len(open_) != len(names):
            raise StudyError("A skipped item has no values; save it as a rating instead.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something an annotator said that is no rating: consent, a flag, a comment, the end."""

    note_id: str
    """Made before the click; the same click sent twice bears the same id."""
    study_id: str
    annotator: str
    kind: NoteKind
    item_code: str = ""
    text: str = ""
    guideline_version: str = ""
    seal: str = ""
    log_entry: str = ""

    def __post_init__(self) -> None:
        if len(self.text) > LONGEST_COMMENT:
            raise StudyError(
                f"A comment has at most {LONGEST_COMMENT} characters, got {len(self.text)}. "
                "Shorten it."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """The current answer to one item."""

    kind: Kind
    values: Mapping[str, int]
    """By criterion; empty when skipped."""
    request_id: str = field(default="", compare=False)
    """Of the submission that it came with."""


PAIR_LABELS = {-1: "a is better", 0: "tie", 1: "b is better"}
"""Meaning of a pairwise answer; a and b are the responses as the plan names them."""


def preferred(criterion: Criterion, value: int) -> Answer:
    """Return the answer to one question about a pair.

    Raises:
        StudyError: If the value is not -1, 0 or 1.
    """
    return Answer(
        criterion=criterion.name,
        scale_minimum=-1,
        scale_maximum=1,
        value=value,
        label=PAIR_LABELS.get(value, ""),
    )


def rated(criterion: Criterion, value: int) -> Answer:
    """Return an answer with the meaning that the criterion gives it.

    Raises:
        StudyError: If the value is not on the scale.
    """
    on_scale = criterion.minimum <= value <= criterion.maximum
    return Answer(
        criterion=criterion.name,
        scale_minimum=criterion.minimum,
        scale_maximum=criterion.maximum,
        value=value,
        label=criterion.label(value) if on_scale else "",
    )


def skipped(criterion: Criterion) -> Answer:
    """Return the empty answer to a criterion of a skipped item."""
    return Answer(
        criterion=criterion.name,
        scale_minimum=criterion.minimum,
        scale_maximum=criterion.maximum,
        value=None,
        label="",
    )
