"""Where one annotator stands in a study: computed from the plan and the stored answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.study.blinding import presentation_order
from dashboard.study.plan import StudyPlan
from dashboard.study.ratings import ItemState


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The annotator's own order of items, and the answers so far."""

    order: tuple[str, ...]
    """Item codes."""
    states: Mapping[str, ItemState]
    """By item code; items without an answer are left out."""

    @property
    def n_items(self) -> int:
        """Items to rate."""
        return len(self.order)

    @property
    def n_rated(self) -> int:
        """Items with a rating."""
        return sum(state.kind == "rating" for state in self.states.values())

    @property
    def skipped(self) -> tuple[str, ...]:
        """Codes of items that were skipped and not rated since, in order."""
        return tuple(
            code for code in self.order if code in self.states and self.states[code].kind == "skip"
        )

    @property
    def next_open(self) -> str | None:
        """First item in order without any answer; None when all have one."""
        return next((code for code in self.order if code not in self.states), None)

    def position(self, code: str) -> int:
        """Return an item's place in the order, from 1."""
        return self.order.index(code) + 1

    def before(self, code: str | None) -> str | None:
        """Return the item before another; None stands for the end, and for no item before."""
        index = self.n_items if code is None else self.order.index(code)
        return self.order[index - 1] if index > 0 else None


def progress_of(plan: StudyPlan, annotator: str, states: Mapping[str, ItemState]) -> Progress:
    """Combine a plan with an annotator's stored answers."""
    order = presentation_order(plan.seed, annotator, (item.code for item in plan.items))
    known = set(order)
    return Progress(
        order=order, states={code: state for code, state in states.items() if code in known}
    )
