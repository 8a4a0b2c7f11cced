"""Streamlit v2 components: small scripts that run in the page and send events back."""

from __future__ import annotations

from importlib import resources


def source(*names: str) -> str:
    """Return scripts or styles of this folder, one after the other."""
    folder = resources.files("emorl_dashboard.components")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
