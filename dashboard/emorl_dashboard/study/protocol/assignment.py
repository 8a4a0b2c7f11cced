"""Who rates which item: shares that are fixed when a study is sealed, and who may step in.

Every item belongs to as many *places* as it is to get ratings; an invited annotator takes a place
and has its share. Shares are balanced: no two places differ by more than one item, and each
sees every system about as often. An item that is shown is *leased* for a while. An annotator who
leaves for good, or is not seen for long, leaves the rest of the share to the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from emorl_dashboard.study.protocol.blinding import keyed
from emorl_dashboard.study.protocol.plan import PlanItem, StudyPlan
from emorl_dashboard.study.protocol.ratings import ItemState


def assigned_places(
    seed: str, items: Sequence[PlanItem], *, n_annotators: int, n_ratings_per_item: int
) -> dict[str, tuple[int, ...]]:
    """Return the places, from 1, that rate each item.

    Gold and repeated items go to the places of their originals: one person judges both.

    Args:
        seed: Of the study; the result depends on it and on nothing that is drawn.
        items: Of all kinds, in any order; practice items belong to every place.
        n_annotators: Number of places.
        n_ratings_per_item: Places per item, at most ``n_annotators``.
    """
    load: Counter[int] = Counter()
    by_system: Counter[tuple[int, str]] = Counter()
    found: dict[str, tuple[int, ...]] = {}
    originals = [item for item in items if item.kind == "rating"]
    for item in sorted(originals, key=lambda item: keyed(seed, "assign", item.code)):
        systems = (*item.systems, *item.other_systems)

        def wanted(
            place: int, code: str = item.code, systems: tuple[str, ...] = systems
        ) -> tuple[int, int, bytes]:
            seen = sum(by_system[place, system] for system in systems)
            return load[place], seen, keyed(seed, "place", code, str(place))

        chosen = sorted(range(1, n_annotators + 1), key=wanted)[:n_ratings_per_item]
        for place in chosen:
            load[place] += 1
            by_system.update((place, system) for system in systems)
        found[item.code] = tuple(sorted(chosen))
    for item in items:
        if item.kind != "rating":
            found[item.code] = found.get(item.copy_of, ())
    return found


def share(plan: StudyPlan, place: int | None) -> tuple[str, ...]:
    """Return the codes that a place rates (None: of somebody beyond the places), without practice.

    Where a study has no places everybody rates everything.
    """
    return tuple(
        item.code
        for item in plan.items
        if item.kind != "practice"
        and (plan.n_annotators is None or (place is not None and place in item.places))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSize:
    """What one place has to do."""

    place: int
    n_items: int
    n_by_system: Mapping[str, int]
    n_copies: int
    """Gold and repeated items among them."""


def preview(items: Iterable[PlanItem], n_annotators: int) -> list[ShareSize]:
    """Return the share of every place, for the owner to see before sealing."""
    sizes = []
    for place in range(1, n_annotators + 1):
        own = [item for item in items if place in item.places]
        by_system = Counter(
            system
            for item in own
            if item.kind == "rating"
            for system in (*item.systems, *item.other_systems)
        )
        sizes.append(
            ShareSize(
                place=place,
                n_items=len(own),
                n_by_system=dict(sorted(by_system.items())),
                n_copies=sum(item.kind in ("gold", "repeat") for item in own),
            )
        )
    return sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where all annotators of a study stand at one moment."""

    answers: Mapping[str, Mapping[str, ItemState]]
    """Item code -> annotator -> current answer."""
    leases: Mapping[str, frozenset[str]]
    """Item code -> annotators who are looking at it."""
    holders: Mapping[int, str]
    """Place -> the annotator who works on it and was seen lately."""
    before: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Place -> who held it earlier, and may have rated a part of its share."""

    def n_ratings(self, code: str) -> int:
        """Return how many annotators have rated an item."""
        return sum(state.kind == "rating" for state in self.answers.get(code, {}).values())


class HeldPlace(NamedTuple):
    """The place of an active annotator."""

    place: int
    since: datetime
    before: frozenset[str] = frozenset()
    """Who held it earlier."""


def is_served(standing: Standing, item: PlanItem, place: int) -> bool:
    """Tell whether a former holder of a place has given the rating that was the place's to give.

    A rating of somebody who has another of the item's places now counts for that one.
    """
    now_elsewhere = {standing.holders[p] for p in item.places if p in standing.holders}
    answers = standing.answers.get(item.code, {})
    return any(
        answers[former].kind == "rating"
        for former in standing.before.get(place, frozenset()) - now_elsewhere
        if former in answers
    )


def n_taken(standing: Standing, code: str, *, without: str) -> int:
    """Return how many others have rated an item, or are looking at it."""
    rated = {
        other
        for other, state in standing.answers.get(code, {}).items()
        if state.kind == "rating" and other != without
    }
    return len(rated | (standing.leases.get(code, frozenset()) - {without}))


def may_have(plan: StudyPlan, standing: Standing, code: str, *, annotator: str) -> bool:
    """Tell whether an annotator may be shown an item, or rate it: no item gets too many ratings.

    An own rating may always be changed.
    """
    limit = plan.n_places(code)
    own = standing.answers.get(code, {}).get(annotator)
    if limit is None or (own is not None and own.kind == "rating"):
        return True
    return n_taken(standing, code, without=annotator) < limit


def left_by_others(plan: StudyPlan, standing: Standing, *, annotator: str) -> list[str]:
    """Return items, in any order, that lack ratings and that nobody is there to give.

    Copies are left out: only who rated the original can tell a difference.
    """
    found = []
    for item in plan.items:
        if item.kind != "rating" or annotator in standing.answers.get(item.code, {}):
            continue
        answers = standing.answers.get(item.code, {})
        expected = {
            standing.holders[place]
            for place in item.places
            if place in standing.holders
            and standing.holders[place] not in answers
            and not is_served(standing, item, place)
        }
        leased = standing.leases.get(item.code, frozenset())
        spoken_for = standing.n_ratings(item.code) + len(
            (expected | leased) - {annotator} - set(answers)
        )
        limit = plan.n_places(item.code)
        if limit is not None and annotator not in expected and spoken_for < limit:
            found.append(item.code)
    return found


def n_expected_ratings(plan: StudyPlan) -> int | None:
    """Return the number of ratings of a complete study; None where there is no limit."""
    if plan.n_ratings_per_item is None:
        return None
    limits = [plan.n_places(item.code) for item in plan.items if item.kind != "practice"]
    return sum(limit or 0 for limit in limits)
