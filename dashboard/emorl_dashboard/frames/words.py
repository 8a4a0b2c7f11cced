"""Word by word: what a text has that another lacks in that place, and where it lacks something."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

Mark = Literal["same", "own", "missing"]
"""In both texts, in this text only, or in the other only: such a piece is no part of this text."""

Pieces = list[tuple[str, Mark]]

_MOST_WORDS = 1_000
"""Longer texts are compared as bags of words: an alignment takes time by the square."""


def count_words(text: str) -> int:
    """Return the number of words, as white space divides them."""
    return len(text.split())


def differing_words(text: str, reference: str) -> Pieces:
    """Cut a text into what ``reference`` has too, in the same order, and what it lacks.

    Returns:
        Pieces in order; those that are not ``missing`` make up ``text`` when joined. Words of the
        reference are ``missing`` where nothing stands in their place.
    """
    marks, missing = _aligned(text.split(), reference.split())
    pieces: Pieces = []
    place = -1
    for part in re.split(r"(\s+)", text):
        is_word = bool(part) and not part.isspace()
        place += is_word
        if is_word and place in missing:
            pieces.append((missing.pop(place), "missing"))
        mark = marks[place] if is_word else _between(marks, place)
        if part and pieces and pieces[-1][1] == mark:
            pieces[-1] = (pieces[-1][0] + part, mark)
        elif part:
            pieces.append((part, mark))
    return pieces + [(words, "missing") for words in missing.values()]


def _aligned(words: list[str], others: list[str]) -> tuple[list[Mark], dict[int, str]]:
    """Return each word's mark, and what is missing before the word at a position."""
    if max(len(words), len(others)) > _MOST_WORDS:
        known = set(others)
        return ["same" if word in known else "own" for word in words], {}
    marks: list[Mark] = ["own"] * len(words)
    missing = {}
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    for change, start, end, other_start, other_end in matcher.get_opcodes():
        if change == "equal":
            marks[start:end] = ["same"] * (end - start)
        elif change == "insert":
            missing[start] = " ".join(others[other_start:other_end])
    return marks, missing


def _between(marks: list[Mark], place: int) -> Mark:
    """Mark the white space after the word at ``place``: between two own words it is own too."""
    near = [marks[other] for other in (place, place + 1) if 0 <= other < len(marks)]
    return "own" if near == ["own", "own"] else "same"
