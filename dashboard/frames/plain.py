"""Text of others on a page: no Markdown of theirs, and no folders of this machine."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Return Markdown that shows the text as it is.

    URLs, names of files and of systems come from anybody; a picture among them would make the
    reader's browser fetch it.
    """
    return re.sub(r"([\\`*_{}\[\]<>$~:|#!])", r"\\\1", text)


def without_folders(text: str) -> str:
    """Shorten each full path to its last part: where things lie is none of a visitor's business.

    Addresses of the web stay as they are.
    """
    return re.sub(r"(?<![\w:/.~-])/(?:[\w.+@-]+/)+([\w.+@-]+)", r"\1", text)
