"""``emorl preset``."""

from __future__ import annotations

import argparse

from emorl.config.files import preset_text


def preset(options: argparse.Namespace) -> int:
    """Print a commented settings file."""
    print(preset_text(options.name), end="")
    return 0
