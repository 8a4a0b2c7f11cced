"""The embedded default: a tiny base and three scorers that ship with the package.

Settings name them ``embedded:base``, ``embedded:reflection``, ``embedded:empathy`` and
``embedded:fluency``. Importing this package loads no model.
"""

from __future__ import annotations

from pathlib import Path

from emorl.errors import ModelError

EMBEDDED_ROOT = Path(__file__).parent
"""Folder of the shipped models."""

EMBEDDED_NAMES = ("base", "reflection", "empathy", "fluency")

DESCRIPTIONS = {
    "embedded:reflection": "how deeply a response reflects what the client said",
    "embedded:empathy": "how well a response names what the client feels",
    "embedded:fluency": "how natural the language of a response is",
}
"""What each scorer rewards, for objectives that are not described in the settings."""


def embedded_path(name: str) -> Path:
    """Return the folder of an embedded model.

    Args:
        name: ``embedded:base`` and the like.

    Raises:
        ModelError: If there is no embedded model of that name.
    """
    short = name.removeprefix("embedded:")
    if short not in EMBEDDED_NAMES:
        allowed = ", ".join(f"embedded:{known}" for known in EMBEDDED_NAMES)
        raise ModelError(f"There is no embedded model {name!r}; there are {allowed}.")
    return EMBEDDED_ROOT / short
