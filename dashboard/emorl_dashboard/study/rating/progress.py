"""Where one annotator stands in a study: computed from the plan and the stored answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from emorl_dashboard.study.protocol.assignment import (
    Standing,
    is_served,
    left_by_others,
    may_have,
    share,
)
from emorl_dashboard.study.protocol.blinding import presentation_order
from emorl_dashboard.study.protocol.plan import PlanItem, StudyPlan
from emorl_dashboard.study.protocol.ratings import ItemState

LEAST_RATED = 0.5
"""Part of one's items that must be rated, not skipped, for the share to count as complete."""

COMPLETE_RULE = (
    "You get a completion code once every item of yours has an answer and at least half of them "
    "are rated."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The annotator's own order of items, and the answers so far."""

    order: tuple[str, ...]
    """Codes of the items that are the annotator's, without practice."""
    states: Mapping[str, ItemState]
    """By item code; items without an answer are left out."""
    practice: tuple[str, ...] = ()
    """Codes of the exercises, in their order."""
    extra: tuple[str, ...] = ()
    """Items that others left and that this annotator may take over, in order."""

    @property
    def n_items(self) -> int:
        """Items to rate."""
        return len(self.order)

    @property
    def n_rated(self) -> int:
        """Items with a rating."""
        own = set(self.order)
        return sum(state.kind == "rating" and code in own for code, state in self.states.items())

    @property
    def skipped(self) -> tuple[str, ...]:
        """Codes of items that were skipped and not rated since, in order."""
        return tuple(
            code for code in self.order if code in self.states and self.states[code].kind == "skip"
        )

    @property
    def open_items(self) -> tuple[str, ...]:
        """Items without any answer, in order: exercises first."""
        return tuple(code for code in (*self.practice, *self.order) if code not in self.states)

    @property
    def is_complete(self) -> bool:
        """Whether there were items, each has an answer, and enough of them are ratings."""
        is_enough = self.n_rated >= LEAST_RATED * self.n_items
        return self.n_items > 0 and is_enough and not self.open_items

    def position(self, code: str) -> int:
        """Return an item's place in the order, from 1; an exercise's place among exercises."""
        if code in self.practice:
            return self.practice.index(code) + 1
        if code in self.order:
            return self.order.index(code) + 1
        return self.n_items + 1

    def before(self, code: str | None) -> str | None:
        """Return the item before another; None stands for the end, and for no item before."""
        if code in self.practice:
            return None  # an exercise is behind one for good
        index = self.order.index(code) if code in self.order else self.n_items
        return self.order[index - 1] if index > 0 else None


def progress_of(
    plan: StudyPlan,
    annotator: str,
    standing: Standing,
    *,
    place: int | None = None,
    helps: bool = False,
) -> Progress:
    """Combine a plan with the stored answers.

    Items of the share that have all their ratings from others are no longer the annotator's, nor
    are those that an earlier holder of the place has rated; items that were taken over are.

    Args:
        plan: The sealed study.
        annotator: Whose progress it is.
        standing: Of everybody.
        place: Whose share the annotator has.
        helps: Whether to look for items that others left.
    """
    states = {
        code: answers[annotator]
        for code, answers in standing.answers.items()
        if annotator in answers
    }
    shared = share(plan, place)
    known = {item.code: item for item in plan.items}
    own = [
        code
        for code in shared
        if code in states
        or (
            may_have(plan, standing, code, annotator=annotator)
            and not _is_done_before(standing, known, code, place)
        )
    ]
    taken_over = [
        code
        for code in states
        if code in known and code not in set(shared) and known[code].kind != "practice"
    ]
    extra = left_by_others(plan, standing, annotator=annotator) if helps else []
    return Progress(
        order=_ordered(plan, annotator, own) + _ordered(plan, annotator, taken_over),
        states={code: state for code, state in states.items() if code in known},
        practice=_ordered(
            plan, annotator, [item.code for item in plan.items if item.kind == "practice"]
        ),
        extra=_ordered(plan, annotator, [code for code in extra if code not in set(own)]),
    )


def _is_done_before(
    standing: Standing, known: Mapping[str, PlanItem], code: str, place: int | None
) -> bool:
    # Of a copy the original decides: only who rated both can tell a difference.
    item = known[code]
    return place is not None and (
        is_served(standing, item, place)
        or (item.copy_of in known and is_served(standing, known[item.copy_of], place))
    )


def _ordered(plan: StudyPlan, annotator: str, codes: list[str]) -> tuple[str, ...]:
    wanted = set(codes)
    copies = {item.code: item.copy_of for item in plan.items if item.copy_of}
    whole = _whole_order(
        plan.seed,
        annotator,
        tuple(item.code for item in plan.items),
        frozenset(copies.values()),
        frozenset(copies),
    )
    return tuple(code for code in whole if code in wanted)


@lru_cache(maxsize=512)
def _whole_order(
    seed: str,
    annotator: str,
    codes: tuple[str, ...],
    originals: frozenset[str],
    copies: frozenset[str],
) -> tuple[str, ...]:
    # Cached: every click asks for it, and it is a keyed hash per item.
    return presentation_order(seed, annotator, codes, originals=originals, copies=copies)
