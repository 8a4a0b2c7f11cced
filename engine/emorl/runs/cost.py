"""What a run consumed, in the paper's two ways of counting (EMORL, equation 3).

``parallel`` trains all adapters at once, so that the longest training counts; ``total`` trains
them one after the other. Both add the search. Data points are prompts, whatever the number of
samples of each; validation and held-out scoring are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emorl.records import OWN_SEARCH

Rows = Iterable[Mapping[Any, Any]]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one part of a run consumed."""

    data_points: int = 0
    samples: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.data_points + other.data_points,
            self.samples + other.samples,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run consumed."""

    adapters: dict[str, Usage]
    search: Usage
    n_measured: int
    """Directions that the search decoded and scored."""
    n_prompts: int
    """Prompts of the aggregation split."""

    @property
    def parallel_training(self) -> Usage:
        """Return the most that any adapter consumed, number by number."""
        used = list(self.adapters.values()) or [Usage()]
        return Usage(
            max(usage.data_points for usage in used),
            max(usage.samples for usage in used),
            max(usage.tokens for usage in used),
            max(usage.seconds for usage in used),
        )

    @property
    def total_training(self) -> Usage:
        """Return what all adapters consumed together."""
        return sum(self.adapters.values(), Usage())

    @property
    def parallel(self) -> Usage:
        """Return the cost with all adapters trained at once."""
        return self.parallel_training + self.search

    @property
    def total(self) -> Usage:
        """Return the cost with the adapters trained one after the other."""
        return self.total_training + self.search


def count_cost(
    steps: Rows, evaluations: Rows, prompts: Rows, responses: Rows, atlases: Rows
) -> Cost:
    """Count what a run has consumed so far, from the rows of its tables.

    Args:
        steps: ``training_steps``, whose counts run up from step to step.
        evaluations: ``evaluations``; only the measured ones of the run's own search count.
        prompts: ``prompts``.
        responses: ``responses``, or their tokens summed per direction.
        atlases: ``atlases``; a search in an atlas costs what the atlas cost.
    """
    adapters: dict[str, Usage] = {}
    for row in steps:
        before = adapters.get(row["adapter"], Usage())
        adapters[row["adapter"]] = Usage(
            max(before.data_points, int(row["data_points"])),
            max(before.samples, int(row["samples"])),
            max(before.tokens, int(row["tokens"])),
            max(before.seconds, float(row["seconds"])),
        )
    measured = [
        row for row in evaluations if row["kind"] == "measured" and row["search"] == OWN_SEARCH
    ]
    keys = {row["direction_key"] for row in measured}
    mapped = [row for row in atlases if row["split"] == "aggregation"]
    n_prompts = sum(row["split"] == "aggregation" for row in prompts)
    read = len(measured) * n_prompts
    search = Usage(
        data_points=read,
        samples=read,
        tokens=sum(int(row["n_tokens"]) for row in responses if row["direction_key"] in keys),
        seconds=float(sum(row["seconds"] for row in [*measured, *mapped])),
    )
    return Cost(adapters, search, len(measured), n_prompts)
