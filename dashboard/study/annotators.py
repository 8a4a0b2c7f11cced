"""Names of annotators."""

from __future__ import annotations

import re
import unicodedata

from engine.errors import StudyError

LONGEST_NAME = 40


def annotator_id(name: str) -> str:
    """Return the one spelling under which a person's ratings are kept.

    Case and surrounding blanks do not count: who types ``Ada`` today and ``ada`` tomorrow goes
    on with the same items.

    Raises:
        StudyError: If the name is empty, too long or has other characters.
    """
    spelling = "-".join(unicodedata.normalize("NFKC", name).casefold().split())
    if not re.fullmatch(rf"[^\W_][\w.\-]{{0,{LONGEST_NAME - 1}}}", spelling):
        shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
        raise StudyError(
            f"A name has 1 to {LONGEST_NAME} letters, digits, '-', '_' or '.', and starts with "
            f"a letter or digit; got {shown!r}. Initials or a made-up name are fine."
        )
    return spelling
