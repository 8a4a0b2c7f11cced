"""Text of others where Streamlit reads Markdown: no link, no picture, no formatting."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Return Markdown that shows the text as it is.

    URLs, names of files and of systems come from anybody; a picture among them would make the
    reader's browser fetch it.
    """
    return re.sub(r"([\\`*_{}\[\]<>$~:|#!])", r"\\\1", text)
