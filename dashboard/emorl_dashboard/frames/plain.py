"""Text of others on a page: no Markdown of theirs, and no folders of this machine."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Return Markdown that shows the text as it is.

    URLs, names of files and of systems come from anybody; a picture among them would make the
    reader's browser fetch it.
    """
    return re.sub(r"([\\`*_{}\[\]<>$~:|#!])", r"\\\1", text)


def plain_message(text: str) -> str:
    """Return Markdown that shows a message as it is, but its commands between backticks as code.

    Code is as harmless as escaped text: nothing in it is a link, a picture or HTML.
    """
    parts = re.split(r"(?<!`)`([^`\n]+)`(?!`)", text)
    return "".join(f"`{part}`" if place % 2 else plain(part) for place, part in enumerate(parts))


def without_folders(text: str) -> str:
    """Shorten each full path to its last part: where things lie is none of a visitor's business.

    Addresses of the web stay as they are.
    """
    return re.sub(r"(?<![\w:/.~-])/(?:[\w.+@-]+/)+([\w.+@-]+)", r"\1", text)
