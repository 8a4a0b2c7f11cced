"""The embedded corpus: counselling exchanges from a grammar, for a run without any download.

Two disjoint worlds come from one grammar: ``generate_exchanges`` feeds the models that ship with
the package, ``embedded_prompts`` feeds a run. No combination of phrases occurs in both. The
language is simple on purpose; it is no stand-in for what real clients say.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from emorl.data.corruption import corrupt
from emorl.data.responses import TOP_LEVEL, draw_response
from emorl.data.statements import Statement, draw_statement

CORRUPTED_SHARE = 0.22
"""Share of exchanges with a broken response."""

LEVEL_WEIGHTS = {
    (0, 0): 0.26,
    (1, 0): 0.17,
    (2, 0): 0.17,
    (0, 1): 0.05,
    (1, 1): 0.06,
    (2, 1): 0.05,
    (0, 2): 0.06,
    (1, 2): 0.04,
    (2, 2): 0.14,
}
"""Share of every pair of levels (reflection, empathy). An ensemble can only combine what its
base can say: responses that do both must be common enough."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One client statement and one labelled response."""

    prompt: str
    response: str
    reflection: int
    """0 none, 1 simple, 2 complex."""
    empathy: int
    """0 none, 1 names the feeling, 2 attuned."""
    fluent: bool
    """False if the response was broken on purpose."""
    topic: str


def generate_exchanges(n: int, seed: int) -> list[Exchange]:
    """Return ``n`` exchanges for pre-training and for training scorers.

    The same seed gives the same exchanges, and the first exchanges do not depend on ``n``.
    """
    rng = Random(f"exchanges/{seed}")
    return [_draw_exchange(rng, draw_statement(rng, reserved=False)) for _ in range(n)]


def embedded_prompts(n: int, seed: int) -> list[tuple[str, str]]:
    """Return ``n`` distinct prompts for a run, each with a good reference response.

    No model that ships with the package has seen their combinations of phrases.
    """
    rng = Random(f"prompts/{seed}")
    references: dict[str, str] = {}
    while len(references) < n:
        statement = draw_statement(rng, reserved=True)
        reference = draw_response(rng, statement, TOP_LEVEL, TOP_LEVEL)
        references.setdefault(statement.text, reference)
    return list(references.items())


def _draw_exchange(rng: Random, statement: Statement) -> Exchange:
    levels = rng.choices(list(LEVEL_WEIGHTS), weights=list(LEVEL_WEIGHTS.values()))
    reflection, empathy = levels[0]
    response = draw_response(rng, statement, reflection, empathy)
    fluent = rng.random() >= CORRUPTED_SHARE
    return Exchange(
        prompt=statement.text,
        response=response if fluent else corrupt(rng, response),
        reflection=reflection,
        empathy=empathy,
        fluent=fluent,
        topic=statement.topic.name,
    )
