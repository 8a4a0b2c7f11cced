"""May this process write? Light, for the command line asks as well."""

from __future__ import annotations

import os

READ_ONLY = "EMORL_READ_ONLY"
"""Set in the environment by ``emorl dashboard --read-only``."""


def is_read_only() -> bool:
    """Tell whether pages may neither write nor generate anything."""
    return os.environ.get(READ_ONLY, "").strip().lower() not in ("", "0", "false", "no")
