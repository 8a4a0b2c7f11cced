"""What clients of the embedded corpus feel and value, and how a counsellor puts it.

All phrases were written for this project.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeling:
    """One feeling, as the client says it and as a listener hears it."""

    stated: tuple[str, ...]
    """Clauses in the first person."""
    names: tuple[str, ...]
    """Adjectives that complete "you feel ..."."""
    depths: tuple[str, ...]
    """What lies in the feeling; completes "I can hear how ashamed you are, and ..."."""


FEELINGS = (
    Feeling(
        stated=("I am so ashamed of it", "I feel ashamed"),
        names=("ashamed",),
        depths=("how lonely it is to hide it", "how hard you are on yourself"),
    ),
    Feeling(
        stated=("I am exhausted", "I feel so exhausted"),
        names=("exhausted",),
        depths=("how heavy it is to carry on like this", "how little is left for you"),
    ),
    Feeling(
        stated=("I am frightened", "I feel so frightened of where this goes"),
        names=("frightened",),
        depths=("how alone that fear can make you", "how much there is to lose"),
    ),
    Feeling(
        stated=("I am so frustrated with myself", "it leaves me frustrated"),
        names=("frustrated",),
        depths=("how much effort goes unseen", "how it stings to try and fall short"),
    ),
    Feeling(
        stated=("I feel guilty all the time", "I cannot help feeling guilty"),
        names=("guilty",),
        depths=("how deeply you care", "how that guilt follows you around"),
    ),
    Feeling(
        stated=("I just feel sad", "it makes me so sad"),
        names=("sad",),
        depths=("how much has been lost along the way", "how quietly you have borne it"),
    ),
    Feeling(
        stated=("I am angry about it", "it makes me so angry"),
        names=("angry",),
        depths=("how unfair it all seems", "how long that anger has been building"),
    ),
    Feeling(
        stated=("I feel hopeless", "it all seems hopeless"),
        names=("hopeless",),
        depths=("how dark it gets when nothing helps", "how brave it is to still be here"),
    ),
    Feeling(
        stated=("I am overwhelmed by it all", "I feel overwhelmed"),
        names=("overwhelmed",),
        depths=("how it all comes at you at once", "how hard it is to find any rest"),
    ),
    Feeling(
        stated=("I am always worried", "I am so worried"),
        names=("worried",),
        depths=("how those worries never let you go", "how tiring it is to stay on guard"),
    ),
)

VALUES = (
    "being a good parent",
    "keeping my word",
    "my independence",
    "my health",
    "being honest",
    "my family",
    "standing on my own feet",
    "my faith",
    "being there for others",
    "having peace of mind",
    "my freedom",
    "self-respect",
    "being strong for my children",
    "a quiet life",
)
"""Completes "... means a lot to me"."""
