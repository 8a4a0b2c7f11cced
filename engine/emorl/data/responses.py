"""Counsellor responses of the embedded corpus, built for given levels of reflection and empathy.

Reflection: 0 none (advice, a question, small talk), 1 simple (says again what the client said),
2 complex (adds meaning: a goal, a value, two minds about it). Empathy: 0 none, 1 names the
feeling, 2 is attuned (the feeling, what it is about, and what lies in it). The two levels are
those of motivational interviewing's reflections and of common empathy scales.
"""

from __future__ import annotations

from random import Random

from emorl.data.statements import Statement, second_person, sentence

TOP_LEVEL = 2
"""Levels run from 0 to this."""

_ADVICE = ("you should {}", "it is best to {}", "just {}", "I would {}")
_QUESTIONS = (
    "Have you tried to {}?",
    "Could you {}?",
    "How long has this been going on?",
    "What does your doctor say?",
    "When did it start?",
)
_SMALL_TALK = (
    "Thank you for coming in today.",
    "Let us look at your form.",
    "Many people come here with that.",
    "We have half an hour.",
)
_CLOSINGS = (
    "What would help you most?",
    "What could a first step be?",
    "Tell me more about that.",
    "Where would you like to start?",
)
_CLOSED = 0.2


def draw_response(rng: Random, statement: Statement, reflection: int, empathy: int) -> str:
    """Draw a response to ``statement`` with these levels, each 0, 1 or 2."""
    clauses = []
    if reflection:
        clauses.append(_REFLECTIONS[reflection](rng, statement))
    if empathy:
        clauses.append(_EMPATHY[empathy](rng, statement))
    rng.shuffle(clauses)
    if not clauses:
        return _plain(rng, statement)
    if reflection == 0 and rng.random() < 0.4:
        clauses.append(rng.choice((_advice, _question))(rng, statement))
    elif len(clauses) == 1 and rng.random() < _CLOSED:
        clauses.append(rng.choice(_CLOSINGS))
    return " ".join(clauses)


def _plain(rng: Random, statement: Statement) -> str:
    """Return a response without reflection or empathy."""
    kinds = [_advice, _question, _small_talk]
    chosen = rng.sample(kinds, rng.choice((1, 1, 2)))
    return " ".join(kind(rng, statement) for kind in chosen)


def _advice(rng: Random, statement: Statement) -> str:
    return sentence(rng.choice(_ADVICE).format(rng.choice(statement.topic.advice)))


def _question(rng: Random, statement: Statement) -> str:
    return rng.choice(_QUESTIONS).format(rng.choice(statement.topic.advice))


def _small_talk(rng: Random, _: Statement) -> str:
    return rng.choice(_SMALL_TALK)


def _simple_reflection(rng: Random, statement: Statement) -> str:
    said = [statement.situation]
    if statement.barrier:
        said.append(statement.barrier)
    if statement.strength:
        said.append(statement.strength)
    heard = second_person(rng.choice(said))
    wordings = (
        heard,
        f"so {heard}",
        f"you are saying that {heard}",
        f"it sounds as if {heard}",
        f"I hear that {heard}",
    )
    return sentence(rng.choice(wordings))


def _complex_reflection(rng: Random, statement: Statement) -> str:
    goal, value, barrier = (
        second_person(part) if part else None
        for part in (statement.goal, statement.value, statement.barrier)
    )
    situation = second_person(statement.situation)
    wordings = []
    if goal:
        wordings.append(f"even though {barrier or situation}, you still hope to {goal}")
        wordings.append(f"part of you longs to {goal}, and yet {barrier or situation}")
        wordings.append(f"underneath it all, you are hoping to {goal}")
    if value:
        wordings.append(f"{situation}, and that clashes with {value}")
        wordings.append(f"what is at stake for you here is {value}")
    if goal and value:
        wordings.append(f"you long to {goal} because {value} matters so much to you")
    return sentence(rng.choice(wordings))


def _named_feeling(rng: Random, statement: Statement) -> str:
    name = rng.choice(statement.feeling.names)
    wordings = (
        f"you feel {name}",
        f"it sounds like you are {name}",
        f"that leaves you {name}",
        f"I am sorry that you feel {name}",
    )
    return sentence(rng.choice(wordings))


def _attuned_feeling(rng: Random, statement: Statement) -> str:
    name = rng.choice(statement.feeling.names)
    depth = rng.choice(statement.feeling.depths)
    subject = second_person(rng.choice(statement.topic.subjects))
    wordings = (
        f"I can hear how {name} you are about {subject}, and {depth}",
        f"no wonder you feel {name} about {subject}; I can sense {depth}",
        f"it must be hard to feel so {name} about {subject}, and I see {depth}",
    )
    return sentence(rng.choice(wordings))


_REFLECTIONS = {1: _simple_reflection, 2: _complex_reflection}
_EMPATHY = {1: _named_feeling, 2: _attuned_feeling}
