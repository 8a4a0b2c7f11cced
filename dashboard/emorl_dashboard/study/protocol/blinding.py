"""Opaque item codes, and the order of items, from the seed of a study.

Both are keyed hashes (HMAC-SHA256): without the seed, which stays in the plan, a code tells
nothing about the system behind it, and nobody can foresee another annotator's order.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable
from typing import Literal

_CODE_BYTES = 10
"""80 bits: two of a million items share a code with a chance below 1e-12."""

_ORIGINALS_PART, _COPIES_PART = 0.4, 0.4
"""Parts of the order for items with copies and for the copies: a fifth of it lies between."""


def new_seed() -> str:
    """Return a seed that nobody can guess."""
    return secrets.token_hex(16)


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def short_seal(seal: str) -> str:
    """Return the beginning of a seal, for people to compare: 48 bits."""
    return seal[:12]


def item_code(seed: str, *parts: str) -> str:
    """Return the code of what the parts name: 16 lower-case letters and digits."""
    digest = keyed(seed, "code", *parts)
    return base64.b32encode(digest[:_CODE_BYTES]).decode().lower()


def presentation_order(
    seed: str,
    annotator: str,
    codes: Iterable[str],
    *,
    originals: Collection[str] = (),
    copies: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the codes in the order in which one annotator sees them.

    The order depends on the seed, the annotator and the codes only: neither on the order in
    which they are given, nor on who else rates, nor on when.

    Args:
        seed: Of the study.
        annotator: Whose order it is.
        codes: The items.
        originals: Items that have a copy among the codes: they come in the first part ...
        copies: ... and their copies in the last, so that nobody remembers the first answer.
    """

    def rank(code: str) -> tuple[float, bytes]:
        digest = keyed(seed, "order", annotator, code)
        place = int.from_bytes(digest[:8], "big") / 2**64
        if code in copies:
            place = 1 - _COPIES_PART * (1 - place)
        elif code in originals:
            place = _ORIGINALS_PART * place
        return place, digest

    return tuple(sorted(codes, key=rank))


def stands_first(seed: str, annotator: str, code: str) -> Literal["a", "b"]:
    """Return which response of a pair one annotator sees first; as likely one as the other."""
    return "a" if keyed(seed, "side", annotator, code)[0] % 2 == 0 else "b"


def completion_code(seed: str, annotator: str) -> str:
    """Return what an annotator shows as proof of having done the whole share."""
    digest = keyed(seed, "completion", annotator)
    return base64.b32encode(digest[:5]).decode()


def keyed(seed: str, *parts: str) -> bytes:
    """Return 32 bytes that nobody can foresee without the seed."""
    # Lengths before the parts: ("ab", "c") and ("a", "bc") must not be the same message.
    message = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(seed.encode(), message.encode(), hashlib.sha256).digest()
