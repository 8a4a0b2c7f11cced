"""What a plan is large enough to find, in words: for its owner, and for the datasheet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from emorl.errors import InputError
from emorl_dashboard.study.protocol.comparisons import fewest_shared_prompts
from emorl_dashboard.study.protocol.plan import StudyPlan

_UNKNOWN = (
    "What this plan can find is not known: that takes a fixed number of ratings per item, and two "
    "systems on two common prompts."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smallest:
    """The smallest difference of two systems that a plan finds with 80 % power at 5 %."""

    value: float
    """In points of the scale, or as share of the preferences; infinite: none would be found."""
    criteria: tuple[str, ...]
    """That are asked on this scale."""
    scale: tuple[int, int] | None
    """None: a preference."""

    @property
    def share(self) -> float:
        """Return the difference as a share of all that there could be, to compare scales."""
        return self.value if self.scale is None else self.value / (self.scale[1] - self.scale[0])

    @property
    def told(self) -> str:
        """Return the number alone."""
        if math.isinf(self.value):
            return "none"
        return f"{100 * self.value:.0f} %" if self.scale is None else f"{self.value:.2f}"

    @property
    def sentence(self) -> str:
        """Return the number with what it is about."""
        what = f"({', '.join(self.criteria)})"
        if self.scale is None:
            return f"Smallest preference found with 80 % power at 5 % {what}: {_preferred(self)}"
        told = "none: more than the whole scale" if math.isinf(self.value) else self.told
        return (
            f"Smallest difference of means found with 80 % power at 5 % {what}: {told} on the "
            f"scale {self.scale[0]} to {self.scale[1]} (by simulation)."
        )


def smallest_found(plan: StudyPlan) -> tuple[Smallest, ...]:
    """Return what the plan could find, for every scale that its criteria have.

    Of two systems that have the fewest prompts in common. Empty where the plan has no fixed
    number of ratings, or is too small for any comparison.
    """
    # Imported here: they simulate, and other pages need none of what they load.
    from emorl_dashboard.study.analysis.power import minimal_detectable_difference
    from emorl_dashboard.study.analysis.power_pairs import minimal_detectable_preference

    rated = [item for item in plan.items if item.kind == "rating"]
    systems = {name for item in rated for name in (*item.systems, *item.other_systems)}
    n_raters = plan.n_ratings_per_item or plan.n_annotators
    if n_raters is None or len(systems) < 2:
        return ()
    n_items = fewest_shared_prompts(plan.items)
    by_scale: dict[tuple[int, int] | None, list[str]] = {}
    for one in plan.guidelines.criteria:
        scale = None if plan.mode == "pairwise" else (one.minimum, one.maximum)
        by_scale.setdefault(scale, []).append(one.name)
    try:
        return tuple(
            Smallest(
                value=minimal_detectable_preference(
                    n_items=n_items, n_annotators_per_item=n_raters
                )
                if scale is None
                else minimal_detectable_difference(
                    n_items=n_items,
                    n_annotators_per_item=n_raters,
                    n_systems=len(systems),
                    scale=scale,
                ),
                criteria=tuple(criteria),
                scale=scale,
            )
            for scale, criteria in by_scale.items()
        )
    except InputError:
        return ()  # too few items for any difference


def sentences(found: tuple[Smallest, ...]) -> list[str]:
    """Return what a plan could find in words, one sentence per scale."""
    return [one.sentence for one in found] or [_UNKNOWN]


def _preferred(one: Smallest) -> str:
    assumed = (
        "(by simulation of two systems and the interval of their strengths, or a sign test where "
        "one of them never loses; assumed: every fourth pair of equals is called a tie)."
    )
    if math.isinf(one.value):
        return f"none: not even if one of two systems were always preferred {assumed}"
    return f"one of two systems gets {one.told} of the answers that are no tie {assumed}"
