"""Opaque item codes, and the order of items, from the seed of a study.

Both are keyed hashes (HMAC-SHA256): without the seed, which stays in the plan, a code tells
nothing about the system behind it, and nobody can foresee another annotator's order.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

_CODE_BYTES = 10
"""80 bits: two of a million items share a code with a chance below 1e-12."""


def new_seed() -> str:
    """Return a seed that nobody can guess."""
    return secrets.token_hex(16)


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def item_code(seed: str, prompt_index: int, response: str) -> str:
    """Return the code of a (prompt, response) pair: 16 lower-case letters and digits."""
    digest = _keyed(seed, "code", str(prompt_index), text_hash(response))
    return base64.b32encode(digest[:_CODE_BYTES]).decode().lower()


def presentation_order(seed: str, annotator: str, codes: Iterable[str]) -> tuple[str, ...]:
    """Return the codes in the order in which one annotator sees them.

    The order depends on the seed, the annotator and the codes only: neither on the order in
    which they are given, nor on who else rates, nor on when.
    """
    return tuple(sorted(codes, key=lambda code: _keyed(seed, "order", annotator, code)))


def _keyed(seed: str, *parts: str) -> bytes:
    # Lengths before the parts: ("ab", "c") and ("a", "bc") must not be the same message.
    message = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(seed.encode(), message.encode(), hashlib.sha256).digest()
