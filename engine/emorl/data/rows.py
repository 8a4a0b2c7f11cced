"""Rows of a data file, good and bad, and the checks that every format shares."""

from __future__ import annotations

from dataclasses import dataclass

from emorl.config import DataConfig
from emorl.data.masking import mask_personal_data

_EXCERPT_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Exchange:
    """A usable row: a prompt and a person's response (empty where the data has none)."""

    line: int
    prompt: str
    reference: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used."""

    line: int
    """Line of the file where the row begins, from 1; in Parquet, which has no lines, the row."""
    reason: str
    excerpt: str
    """The beginning of the row, with personal data masked."""


def checked_exchange(
    line: int, prompt: object, reference: object, config: DataConfig
) -> Exchange | BadRow:
    """Return a usable row with the texts stripped and masked, or why it is a bad one.

    A reference of None means that the data set has none; one that is there must have text.
    """
    excerpt = excerpt_of(prompt if isinstance(prompt, str) else repr(prompt))
    for name, value in (("prompt", prompt), ("response", reference)):
        reason = None if name == "response" and value is None else _fault(name, value, config)
        if reason:
            return BadRow(line, reason, excerpt)
    return Exchange(
        line,
        mask_personal_data(str(prompt).strip()),
        "" if reference is None else mask_personal_data(str(reference).strip()),
    )


def is_utf8(text: str) -> bool:
    """Say whether ``text`` is free of the surrogates that stand for bytes that are not UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def excerpt_of(text: str) -> str:
    """Return the beginning of ``text`` on one line, printable, with personal data masked."""
    start = mask_personal_data(text[: 4 * _EXCERPT_CHARACTERS])
    printable = start.encode("utf-8", errors="replace").decode("utf-8")
    line = " ".join("".join(c if c.isprintable() else " " for c in printable).split())
    return line if len(line) <= _EXCERPT_CHARACTERS else line[: _EXCERPT_CHARACTERS - 1] + "\u2026"


def too_long(name: str, text: str, config: DataConfig) -> str | None:
    """Say that a field is longer than allowed, if it is."""
    if len(text) <= config.max_field_characters:
        return None
    return (
        f"{name} has {len(text):,} characters, more than data.max_field_characters = "
        f"{config.max_field_characters:,}"
    )


def _fault(name: str, value: object, config: DataConfig) -> str | None:
    if value is None:
        return f"the {name} is missing"
    if not isinstance(value, str):
        return f"the {name} is not a text but {type(value).__name__}"
    if not is_utf8(value):
        return f"the {name} is not UTF-8"
    if not value.strip():
        return f"the {name} is blank"
    return too_long(f"the {name}", value, config)
