"""One seed for a run, one derived seed for each purpose within it."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, *purpose: str | int) -> int:
    """Return a 32-bit seed for one purpose.

    Purposes do not share random numbers, and what one draws does not depend on what others drew
    before it: a resumed training samples what an undisturbed one would have.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
