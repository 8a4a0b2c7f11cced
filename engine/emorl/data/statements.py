"""Client statements of the embedded corpus, put together from phrases.

A statement's *combination* is its topic, situation, barrier, goal and value. An eighth of all
combinations, chosen by a hash, is reserved for runs: no model that ships with the package has
seen one of them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from random import Random

from emorl.data.feelings import FEELINGS, VALUES, Feeling
from emorl.data.phrases import TOPICS, Topic

_RESERVED_ONE_IN = 8
_HAS_GOAL, _HAS_BARRIER, _HAS_VALUE, _HAS_STRENGTH = 0.75, 0.85, 0.45, 0.2

_SECOND_PERSON = {
    "I am": "you are",
    "I was": "you were",
    "I": "you",
    "me": "you",
    "my": "your",
    "myself": "yourself",
    "mine": "yours",
    "we": "you",
}
_FIRST_PERSON = re.compile(r"\b(I am|I was|I|me|my|myself|mine|we)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a client says: the phrases and the text made of them."""

    topic: Topic
    situation: str
    barrier: str | None
    goal: str | None
    value: str | None
    strength: str | None
    feeling: Feeling
    text: str = ""

    @property
    def combination(self) -> tuple[str, ...]:
        """Topic, situation, barrier, goal and value; an absent phrase is empty."""
        return (
            self.topic.name,
            self.situation,
            self.barrier or "",
            self.goal or "",
            self.value or "",
        )


def draw_statement(rng: Random, *, reserved: bool) -> Statement:
    """Draw a statement whose combination is reserved for runs, or one that is not."""
    while True:
        statement = _draw_phrases(rng)
        if is_reserved(statement.combination) == reserved:
            return _with_text(statement, rng)


def is_reserved(combination: tuple[str, ...]) -> bool:
    """Say whether a combination is kept for runs; the answer never changes."""
    digest = hashlib.sha256("|".join(combination).encode()).digest()
    return digest[0] % _RESERVED_ONE_IN == 0


def second_person(phrase: str) -> str:
    """Turn a client's phrase round: "my hand picks it up" becomes "your hand picks it up"."""
    return _FIRST_PERSON.sub(lambda match: _SECOND_PERSON[match.group()], phrase)


def sentence(clause: str, end: str = ".") -> str:
    """Write a clause as a sentence."""
    return clause[0].upper() + clause[1:] + end


def _draw_phrases(rng: Random) -> Statement:
    topic = rng.choice(TOPICS)
    goal = rng.choice(topic.goals) if rng.random() < _HAS_GOAL else None
    # A response can only add meaning where the client gave some: a goal or a value is there.
    has_value = goal is None or rng.random() < _HAS_VALUE
    return Statement(
        topic=topic,
        situation=rng.choice(topic.situations),
        barrier=rng.choice(topic.barriers) if rng.random() < _HAS_BARRIER else None,
        goal=goal,
        value=rng.choice(VALUES) if has_value else None,
        strength=rng.choice(topic.strengths) if rng.random() < _HAS_STRENGTH else None,
        feeling=rng.choice(FEELINGS),
    )


def _with_text(statement: Statement, rng: Random) -> Statement:
    stated = rng.choice(statement.feeling.stated)
    opening = sentence(statement.situation)
    rest = [*_wish(statement, rng), *_value(statement, rng), *_strength(statement, rng)]
    place = rng.randrange(3)
    if place == 0:
        sentences = [sentence(stated), opening, *rest]
    elif place == 1:
        sentences = [sentence(f"{statement.situation}, and {stated}"), *rest]
    else:
        sentences = [opening, *rest, sentence(stated)]
    return Statement(
        topic=statement.topic,
        situation=statement.situation,
        barrier=statement.barrier,
        goal=statement.goal,
        value=statement.value,
        strength=statement.strength,
        feeling=statement.feeling,
        text=" ".join(sentences),
    )


def _wish(statement: Statement, rng: Random) -> list[str]:
    goal, barrier = statement.goal, statement.barrier
    if goal and barrier:
        wordings = (
            f"I want to {goal}, but {barrier}",
            f"I would love to {goal}, only {barrier}",
            f"{barrier}, and yet I wish I could {goal}",
        )
    elif goal:
        wordings = (f"I really want to {goal}", f"I wish I could {goal}", f"I hope to {goal}")
    elif barrier:
        wordings = (
            f"the trouble is that {barrier}",
            f"I have tried to change, but {barrier}",
            f"{barrier}, you know",
        )
    else:
        return []
    return [sentence(rng.choice(wordings))]


def _value(statement: Statement, rng: Random) -> list[str]:
    if statement.value is None:
        return []
    wordings = (
        f"{statement.value} means a lot to me",
        f"{statement.value} has always mattered to me",
        f"I care about {statement.value}",
    )
    return [sentence(rng.choice(wordings))]


def _strength(statement: Statement, rng: Random) -> list[str]:
    if statement.strength is None:
        return []
    return [sentence(rng.choice(("at least {}", "still, {}")).format(statement.strength))]
