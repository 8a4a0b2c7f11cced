"""What the values of a form mean for the study, and what the page answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emorl.errors import EmorlError, InputError
from emorl_dashboard.study.protocol.blinding import completion_code, stands_first
from emorl_dashboard.study.protocol.plan import PlanItem, StudyPlan
from emorl_dashboard.study.protocol.ratings import (
    Answer,
    SideFirst,
    Submission,
    preferred,
    rated,
    skipped,
)

__all__ = [
    "completion_code",
    "empty_answers",
    "form_values",
    "listed",
    "rated_answers",
    "reason",
    "said",
    "shown_first",
    "texts_in_order",
]

FAILED = (
    "The server cannot read or write its files now. Try again in a minute; if that does not help, "
    "tell the study's owner. Everything that was called saved is kept."
)
"""In place of errors that speak of files, which are the owner's business."""

FIRST, TIE, SECOND = 1, 0, 2
"""Values of a pairwise form, and its keys: the response shown first, neither, the second."""


def shown_first(plan: StudyPlan, annotator: str, code: str) -> SideFirst:
    """Return which response of a pair stands first for an annotator; "" for a single one."""
    return stands_first(plan.seed, annotator, code) if plan.mode == "pairwise" else ""


def texts_in_order(plan: StudyPlan, annotator: str, item: PlanItem) -> tuple[str, ...]:
    """Return the responses of an item as they stand on the annotator's page."""
    if item.other_response is None:
        return (item.response,)
    texts = (item.response, item.other_response)
    return texts if shown_first(plan, annotator, item.code) == "a" else texts[::-1]


def rated_answers(
    plan: StudyPlan, annotator: str, code: str, values: Mapping[str, int | None]
) -> tuple[Answer, ...]:
    """Return the answers that the values of a form stand for.

    Raises:
        StudyError: If a value is not on its scale.
    """
    first = shown_first(plan, annotator, code)
    answers = []
    for criterion in plan.guidelines.criteria:
        value = values[criterion.name]
        if value is None:
            continue
        answers.append(
            preferred(criterion, _turned(value, first)) if first else rated(criterion, value)
        )
    return tuple(answers)


def form_values(
    plan: StudyPlan, annotator: str, code: str, stored: Mapping[str, int]
) -> dict[str, int]:
    """Return stored values as the form shows them: the inverse of ``rated_answers``."""
    first = shown_first(plan, annotator, code)
    if not first:
        return dict(stored)
    back = {_turned(value, first): value for value in (FIRST, TIE, SECOND)}
    return {criterion: back[value] for criterion, value in stored.items()}


def empty_answers(plan: StudyPlan) -> tuple[Answer, ...]:
    """Return the answers of a skipped or withdrawn item."""
    return tuple(skipped(criterion) for criterion in plan.guidelines.criteria)


def said(plan: StudyPlan, submission: Submission) -> str:
    """Return what the page says after saving; an exercise is compared with the guidelines."""
    item = plan.item(submission.item_code)
    if submission.kind == "withdrawn":
        return "Your answer was taken back."
    if item.kind != "practice":
        word = "Skipped" if submission.kind == "skip" else "Saved"
        return f"{word} item {submission.position}."
    if submission.kind == "skip":
        return "Exercise skipped."
    return " ".join(["Exercise saved.", *_expected(plan, item, submission)])


def reason(plan: StudyPlan, error: EmorlError) -> str:
    """Return what an annotator reads of an error: who was invited sees no path of the server."""
    if not plan.requires_invite or isinstance(error, InputError):
        return str(error)
    return FAILED


def listed(names: Sequence[str]) -> str:
    """Return names as a part of a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _turned(value: int, first: SideFirst) -> int:
    """Return -1 if response ``a`` is better, 0 for a tie, 1 if ``b`` is."""
    if value == TIE:
        return 0
    return -1 if (value == FIRST) == (first == "a") else 1


def _expected(plan: StudyPlan, item: PlanItem, submission: Submission) -> list[str]:
    """Compare with the level whose example the response is; pairs have no such level."""
    given = {answer.criterion: answer.value for answer in submission.answers}
    sentences = []
    for criterion in plan.guidelines.criteria:
        for level in criterion.levels:
            if level.example != item.response or item.other_response is not None:
                continue
            value = given[criterion.name]
            sentences.append(
                f"The guidelines call it {level.value} · {level.label} for {criterion.name}"
                + ("." if value == level.value else f"; you chose {value}.")
            )
    return sentences
