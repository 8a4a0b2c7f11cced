"""Labelled examples for the reflection and empathy scorers, and what a policy tries on them.

A policy that is rewarded by a scorer finds every text that the scorer overrates. So the scorers
learn from such texts too: responses meant for somebody else, parroting, loops, shuffled words,
halves glued together, the wrong feeling, sentences that break off, one word, nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from emorl.data.corpus import CORRUPTED_SHARE, LEVEL_WEIGHTS
from emorl.data.corruption import corrupt
from emorl.data.feelings import FEELINGS, VALUES, Feeling
from emorl.data.responses import draw_response
from emorl.data.statements import Statement, draw_statement

TRICK_SHARE = 0.6
"""Share of examples that are tricks."""


@dataclass(frozen=True, slots=True)
class Example:
    """A response to a prompt, with the levels that it deserves."""

    prompt: str
    response: str
    reflection: int
    empathy: int
    trick: str = ""
    """Name of the trick, empty for an honest response."""


def draw_examples(n: int, seed: int) -> list[Example]:
    """Return ``n`` examples, tricks among them; the same seed gives the same ones."""
    rng = Random(f"examples/{seed}")
    names = list(TRICKS)
    weights = [_WEIGHTS.get(name, 1) for name in names]
    return [
        draw_trick(rng, rng.choices(names, weights)[0])
        if rng.random() < TRICK_SHARE
        else _honest(rng)
        for _ in range(n)
    ]


def draw_trick(rng: Random, name: str) -> Example:
    """Return an example of one of ``TRICKS``."""
    statement = draw_statement(rng, reserved=False)
    response, reflection, empathy = TRICKS[name](rng, statement)
    return Example(statement.text, response, reflection, empathy, name)


def _honest(rng: Random) -> Example:
    statement = draw_statement(rng, reserved=False)
    reflection, empathy = _levels(rng)
    response = draw_response(rng, statement, reflection, empathy)
    if rng.random() < CORRUPTED_SHARE:
        response = corrupt(rng, response)
    return Example(statement.text, response, reflection, empathy)


def _for_somebody_else(rng: Random, statement: Statement) -> tuple[str, int, int]:
    return _good_response(rng, _somebody_else(rng, statement)), 0, 0


def _wrong_content(rng: Random, statement: Statement) -> tuple[str, int, int]:
    """Reflect what the client, talking of the same topic, did not say."""
    reflection, empathy = rng.choice(((1, 0), (2, 0), (2, 0), (1, 2), (2, 2), (2, 2)))
    other = _other_content(rng, statement)
    return draw_response(rng, other, reflection, empathy), 0, empathy


def _half_wrong_content(rng: Random, statement: Statement) -> tuple[str, int, int]:
    """Reflect one thing that the client said together with one that they did not."""
    other = _other_content(rng, statement)
    goal, barrier = other.goal, other.barrier
    if rng.random() < 0.5:
        goal = statement.goal or goal
    else:
        barrier = statement.barrier or statement.situation
    mixed = replace(other, goal=goal, barrier=barrier, value=None)
    empathy = rng.choice((0, 0, 2))
    while True:
        response = draw_response(rng, mixed, 2, empathy)
        if any(start in response.lower() for start in ("part of you longs", "even though")):
            return response, 0, empathy


def _wrong_feeling(rng: Random, statement: Statement) -> tuple[str, int, int]:
    reflection, empathy = rng.choice(((0, 1), (0, 2), (0, 2), (1, 2), (2, 2), (2, 2)))
    other = replace(statement, feeling=rng.choice(_other_feelings(statement)))
    return draw_response(rng, other, reflection, empathy), reflection, 0


def _wrong_subject(rng: Random, statement: Statement) -> tuple[str, int, int]:
    """Attune to the right feeling, but about something else."""
    other = replace(statement, topic=_somebody_else(rng, statement, same_topic=False).topic)
    return draw_response(rng, other, 0, 2), 0, 0


def _parrot(rng: Random, statement: Statement) -> tuple[str, int, int]:
    sentences = [part.rstrip(".") + "." for part in statement.text.split(". ")]
    return rng.choice((statement.text, rng.choice(sentences), " ".join(sentences[:2]))), 0, 0


def _loop(rng: Random, statement: Statement) -> tuple[str, int, int]:
    words = _good_response(rng, statement).split()
    length = rng.choice((1, 2, 3, 5, len(words) // 2, len(words)))
    start = rng.randrange(max(1, len(words) - length))
    looped = words[: start + length] + words[start : start + length] * rng.choice((2, 3, 4))
    return " ".join(looped[:50]), 0, 0


def _twice(rng: Random, statement: Statement) -> tuple[str, int, int]:
    """Say one thing in two ways, to have more of it."""
    levels = rng.choice(((2, 0), (0, 2)))
    first, second = (draw_response(rng, statement, *levels) for _ in range(2))
    return f"{first} {second}", min(1, levels[0]), min(1, levels[1])


def _shuffle(rng: Random, statement: Statement) -> tuple[str, int, int]:
    words = _good_response(rng, statement).split()
    rng.shuffle(words)
    return " ".join(words), 0, 0


def _splice(rng: Random, statement: Statement) -> tuple[str, int, int]:
    """Glue the front of one good response to the back of another."""
    front = _good_response(rng, statement).split()
    back = _good_response(rng, rng.choice((statement, _somebody_else(rng, statement)))).split()
    cut_front = rng.randrange(2, max(3, len(front) - 1))
    cut_back = rng.randrange(2, max(3, len(back) - 1))
    return " ".join(front[:cut_front] + back[cut_back:]), 0, 0


def _with_a_strangers(rng: Random, statement: Statement) -> tuple[str, int, int]:
    """Add a response for somebody else to a good one."""
    parts = [
        _good_response(rng, statement),
        _good_response(rng, _somebody_else(rng, statement)),
    ]
    rng.shuffle(parts)
    return " ".join(parts), 0, 0


def _broken_off(rng: Random, statement: Statement) -> tuple[str, int, int]:
    reflection, empathy = rng.choice(((2, 0), (0, 2)))
    words = draw_response(rng, statement, reflection, empathy).split()
    return " ".join(words[: rng.randrange(2, max(3, len(words) * 2 // 3))]), 0, 0


def _almost_nothing(rng: Random, statement: Statement) -> tuple[str, int, int]:
    words = _good_response(rng, statement).split()
    return rng.choice(("", ".", "You.", "I", "Yes.", "I hear you.", rng.choice(words))), 0, 0


Trick = Callable[[Random, Statement], tuple[str, int, int]]
TRICKS: dict[str, Trick] = {
    "for somebody else": _for_somebody_else,
    "wrong content": _wrong_content,
    "half wrong content": _half_wrong_content,
    "wrong feeling": _wrong_feeling,
    "wrong subject": _wrong_subject,
    "parrot": _parrot,
    "loop": _loop,
    "twice": _twice,
    "shuffle": _shuffle,
    "splice": _splice,
    "with a stranger's": _with_a_strangers,
    "broken off": _broken_off,
    "almost nothing": _almost_nothing,
}
"""Each returns a response and the levels of reflection and empathy that it deserves."""

_WEIGHTS = {
    "for somebody else": 3,
    "wrong content": 4,
    "half wrong content": 3,
    "wrong feeling": 6,
    "wrong subject": 2,
    "with a stranger's": 2,
}
"""How often a trick is drawn beside the others: more for what is harder to see."""


def _levels(rng: Random) -> tuple[int, int]:
    return rng.choices(list(LEVEL_WEIGHTS), weights=list(LEVEL_WEIGHTS.values()))[0]


def _good_response(rng: Random, statement: Statement) -> str:
    return draw_response(rng, statement, *rng.choice(((2, 0), (0, 2), (2, 2), (1, 2), (2, 1))))


def _somebody_else(rng: Random, statement: Statement, *, same_topic: bool = True) -> Statement:
    """Draw a statement that shares no phrase with ``statement``."""
    while True:
        other = draw_statement(rng, reserved=False)
        if other.feeling is statement.feeling or (
            not same_topic and other.topic is statement.topic
        ):
            continue
        if not set(other.combination[1:]) & set(statement.combination[1:]) - {""}:
            return other


def _other_content(rng: Random, statement: Statement) -> Statement:
    """Replace all that the client said, but not the topic and the feeling."""
    topic = statement.topic

    def another(phrases: tuple[str, ...], said: str | None) -> str:
        return rng.choice([phrase for phrase in phrases if phrase != said])

    return replace(
        statement,
        situation=another(topic.situations, statement.situation),
        barrier=another(topic.barriers, statement.barrier),
        goal=another(topic.goals, statement.goal),
        value=another(VALUES, statement.value),
        strength=another(topic.strengths, statement.strength),
    )


def _other_feelings(statement: Statement) -> list[Feeling]:
    return [feeling for feeling in FEELINGS if feeling is not statement.feeling]
