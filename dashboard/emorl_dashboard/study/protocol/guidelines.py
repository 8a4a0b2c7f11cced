"""The questions that annotators answer, and what each point of the scale means."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeGuard

from emorl.errors import StudyError

TOTAL = "all"
"""What results call everything taken together; nothing else may bear this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One point of a scale."""

    value: int
    label: str
    description: str
    example: str = ""

    def __post_init__(self) -> None:
        _check_texts(
            "a level", label=self.label, description=self.description, example=self.example
        )
        if not self.label.strip():
            raise StudyError("The label of a level must be a text that says what it means.")
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise StudyError(
                f"The value of level {self.label!r} must be a whole number, got {self.value!r}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One question about a response, answered by one level."""

    name: str
    """Name of the objective that it judges."""
    question: str
    levels: tuple[Level, ...]
    """Rising, at least two."""

    def __post_init__(self) -> None:
        _check_texts("a criterion", name=self.name, question=self.question)
        if not self.name.strip() or self.name == TOTAL:
            raise StudyError(
                f"A criterion needs a name other than {TOTAL!r}, which the results use for the "
                f"total; got {self.name!r}."
            )
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
    text: str = ""
    """What annotators read before the questions, in Markdown."""

    def __post_init__(self) -> None:
        _check_texts(
            "guidelines",
            version=self.version,
            example_prompt=self.example_prompt,
            text=self.text,
        )
        if not self.criteria:
            raise StudyError("Guidelines need at least one criterion, got none.")
        names = [criterion.name for criterion in self.criteria]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StudyError(
                f"Each criterion needs a name of its own; {', '.join(map(repr, twice))} stands "
                "there more than once. Rename or remove the others."
            )


def guidelines_for(objectives: Sequence[str]) -> Guidelines:
    """Return the shipped guidelines: one criterion per objective, in their order.

    An objective without texts of its own gets the generic ones.
    """
    source = resources.files("emorl_dashboard.study.protocol") / "guidelines.toml"
    table = tomllib.loads(source.read_text(encoding="utf-8"))
    known = {criterion["name"]: criterion for criterion in table["criteria"]}
    return Guidelines(
        version=table["version"],
        example_prompt=table["example_prompt"].strip(),
        text=table["text"].strip(),
        criteria=tuple(
            parse_criterion(known.get(name) or _generic(table["generic"], name))
            for name in objectives
        ),
    )


def read_guidelines(path: Path, known: Guidelines) -> Guidelines:
    """Return the guidelines of a file.

    Args:
        path: Markdown, which replaces the text before the questions; or TOML in the layout of
            ``emorl_dashboard/study/protocol/guidelines.toml``.
        known: What a Markdown file leaves as it is.

    Raises:
        StudyError: If the file cannot be read or does not have that layout.
    """
    try:
        content = path.read_text(encoding="utf-8")
        if path.suffix.lower() != ".toml":
            return replace(known, text=content.strip())
        table = tomllib.loads(content)
        return parse_guidelines({"version": "1", "example_prompt": "", **table})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(
            f"Cannot read guidelines from {path}: {error!r}. Expected Markdown, or TOML with "
            "text, example_prompt and criteria, as the project's own guidelines.toml."
        ) from error


LevelRow = dict[str, Any]


def level_rows(guidelines: Guidelines) -> list[LevelRow]:
    """Return one row per level, for a table that can be edited."""
    return [
        {
            "criterion": criterion.name,
            "question": criterion.question,
            "value": level.value,
            "label": level.label,
            "description": level.description,
            "example": level.example,
        }
        for criterion in guidelines.criteria
        for level in criterion.levels
    ]


def criteria_of(rows: Sequence[LevelRow]) -> tuple[Criterion, ...]:
    """Return the criteria of an edited table: rows of one criterion stand together or apart.

    Raises:
        StudyError: If a field is empty or the values of a criterion are no scale.
    """
    grouped: dict[str, list[LevelRow]] = {}
    for number, row in enumerate(rows, start=1):
        texts = {name: str(row.get(name) or "").strip() for name in _LEVEL_TEXTS}
        value = row.get("value")
        if not texts["criterion"] or not texts["label"] or not _is_whole(value):
            raise StudyError(
                f"Row {number} of the questions needs a criterion, a whole number as value and a "
                f"label; got {texts['criterion']!r}, {value!r}, {texts['label']!r}."
            )
        grouped.setdefault(texts["criterion"], []).append(texts | {"value": int(value)})
    if not grouped:
        raise StudyError("A study needs at least one question; the table is empty.")
    return tuple(
        Criterion(
            name=name,
            question=next((row["question"] for row in levels if row["question"]), name),
            levels=tuple(
                Level(**{key: row[key] for key in ("value", "label", "description", "example")})
                for row in sorted(levels, key=lambda row: int(row["value"]))
            ),
        )
        for name, levels in grouped.items()
    )


def _is_whole(value: object) -> TypeGuard[float]:
    # A table that was edited in a browser gives floats, and NaN for an empty cell.
    return isinstance(value, (int, float)) and math.isfinite(value) and value == int(value)


def _check_texts(whose: str, **texts: object) -> None:
    for name, text in texts.items():
        if not isinstance(text, str):
            raise StudyError(
                f"The {name} of {whose} must be a text, got {text!r}. In TOML, put it in quotes."
            )


_LEVEL_TEXTS = ("criterion", "question", "label", "description", "example")


def versioned(guidelines: Guidelines) -> Guidelines:
    """Return guidelines whose version tells their texts: a changed text is another version.

    The shipped ones keep their number; others get the number they came from and a hash.
    """
    shipped = guidelines_for([criterion.name for criterion in guidelines.criteria])
    number = guidelines.version.split("+")[0]
    if replace(guidelines, version=number) == shipped:
        return shipped
    texts = asdict(replace(guidelines, version=number))
    canonical = json.dumps(texts, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return replace(guidelines, version=f"{number}+{digest[:8]}")


def safe_markdown(text: str) -> str:
    """Return Markdown that loads nothing from elsewhere: pictures become plain text."""
    return text.replace("![", "!\\[")


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


def parse_guidelines(table: Mapping[str, Any]) -> Guidelines:
    """Turn the guidelines of a plan into records; early plans have no text."""
    return Guidelines(
        version=table["version"],
        example_prompt=table["example_prompt"],
        criteria=tuple(parse_criterion(criterion) for criterion in table["criteria"]),
        text=table.get("text", ""),
    )


def _generic(texts: Mapping[str, Any], name: str) -> dict[str, Any]:
    question = texts["question"].replace("{name}", name)
    return {"name": name, "question": question, "levels": texts["levels"]}
