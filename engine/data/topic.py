"""A topic of the embedded corpus: the phrases that its clients use.

Every phrase is in the first person; ``engine.data.statements.second_person`` turns it round.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """The phrases of one topic."""

    name: str
    subjects: tuple[str, ...]
    """Complete "about ..."."""
    situations: tuple[str, ...]
    """Clauses: "I smoke a pack a day"."""
    barriers: tuple[str, ...]
    """Clauses that complete "but ..."."""
    goals: tuple[str, ...]
    """Complete "I want to ..."."""
    strengths: tuple[str, ...]
    """Clauses about what went well."""
    advice: tuple[str, ...]
    """What an unhelpful counsellor says; completes "you should ..."."""
