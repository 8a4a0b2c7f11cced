"""Broken English: what the fluency scorer must tell from fluent text."""

from __future__ import annotations

from random import Random

_WRONG_FORMS = {
    "you": "your",
    "your": "you",
    "are": "is",
    "is": "be",
    "to": "of",
    "the": "an",
    "feel": "feeling",
    "have": "has",
    "about": "at",
    "and": "but or",
    "that": "which that",
    "how": "what",
}
_FEWEST_EDITS = 2
_WORDS_PER_EDIT = 6


def corrupt(rng: Random, text: str) -> str:
    """Break a text: drop, double, swap and misuse some of its words, and forget the capital.

    There are at least two such edits, and about one for every six words. The result differs from
    ``text``, and is never empty if ``text`` has two or more words.
    """
    words = text.split()
    n_edits = max(_FEWEST_EDITS, round(len(words) / _WORDS_PER_EDIT))
    while " ".join(words) == text or n_edits > 0:
        rng.choice(_EDITS)(rng, words)
        n_edits -= 1
    # Who writes without care starts without care: a policy can decide for or against it at once.
    broken = " ".join(words)
    return broken[0].lower() + broken[1:]


def _drop(rng: Random, words: list[str]) -> None:
    if len(words) > 2:
        del words[rng.randrange(len(words))]


def _double(rng: Random, words: list[str]) -> None:
    place = rng.randrange(len(words))
    words.insert(place, words[place])


def _swap(rng: Random, words: list[str]) -> None:
    if len(words) > 1:
        place = rng.randrange(len(words) - 1)
        words[place], words[place + 1] = words[place + 1], words[place]


def _misuse(rng: Random, words: list[str]) -> None:
    places = [place for place, word in enumerate(words) if word.lower() in _WRONG_FORMS]
    if places:
        place = rng.choice(places)
        words[place] = _WRONG_FORMS[words[place].lower()]


_EDITS = (_drop, _double, _swap, _misuse)
