"""The questions that annotators answer, and what each point of the scale means."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from engine.errors import StudyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One point of a scale."""

    value: int
    label: str
    description: str
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One question about a response, answered by one level."""

    name: str
    """Name of the objective that it judges."""
    question: str
    levels: tuple[Level, ...]
    """Rising, at least two."""

    def __post_init__(self) -> None:
        values = [level.value for level in self.levels]
        if len(values) < 2 or values != list(range(values[0], values[0] + len(values))):
            raise StudyError(
                f"The levels of criterion {self.name!r} must be two or more whole numbers in a "
                f"row, rising by one; got {values}. Mend guidelines.toml."
            )

    @property
    def minimum(self) -> int:
        """Lowest value of the scale."""
        return self.levels[0].value

    @property
    def maximum(self) -> int:
        """Highest value of the scale."""
        return self.levels[-1].value

    def label(self, value: int) -> str:
        """Return what a value means."""
        return self.levels[value - self.minimum].label


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidelines:
    """Everything that stands beside the form."""

    version: str
    example_prompt: str
    """The statement that all examples answer."""
    criteria: tuple[Criterion, ...]


def guidelines_for(objectives: Sequence[str]) -> Guidelines:
    """Return the shipped guidelines: one criterion per objective, in their order.

    An objective without texts of its own gets the generic ones.
    """
    source = resources.files("dashboard.study") / "guidelines.toml"
    table = tomllib.loads(source.read_text(encoding="utf-8"))
    known = {criterion["name"]: criterion for criterion in table["criteria"]}
    return Guidelines(
        version=table["version"],
        example_prompt=table["example_prompt"].strip(),
        criteria=tuple(
            parse_criterion(known.get(name) or _generic(table["generic"], name))
            for name in objectives
        ),
    )


def parse_criterion(table: Mapping[str, Any]) -> Criterion:
    """Turn a table of texts, from TOML or a plan, into a criterion."""
    return Criterion(
        name=table["name"],
        question=table["question"],
        levels=tuple(
            Level(
                value=level["value"],
                label=level["label"],
                description=level["description"].strip(),
                example=level["example"].strip(),
            )
            for level in table["levels"]
        ),
    )


def _generic(texts: Mapping[str, Any], name: str) -> dict[str, Any]:
    question = texts["question"].replace("{name}", name)
    return {"name": name, "question": question, "levels": texts["levels"]}
