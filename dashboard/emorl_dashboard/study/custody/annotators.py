"""Names of annotators."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from emorl.errors import StudyError
from emorl_dashboard.study.protocol.guidelines import TOTAL

LONGEST_NAME = 40


def annotator_id(name: str) -> str:
    """Return the one spelling under which a person's ratings are kept.

    Case and surrounding blanks do not count: who types ``Ada`` today and ``ada`` tomorrow goes
    on with the same items.

    Raises:
        StudyError: If the name is empty, too long, has other characters, or is the word that the
            results use for everybody.
    """
    spelling = spelled(name)
    if spelling == TOTAL:
        raise StudyError(
            f"Nobody can be called {TOTAL!r}: the results call everybody together so. Take "
            "another name."
        )
    if not re.fullmatch(rf"[^\W_][\w.\-]{{0,{LONGEST_NAME - 1}}}", spelling):
        shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
        raise StudyError(
            f"A name has 1 to {LONGEST_NAME} letters, digits, '-', '_' or '.', and starts with "
            f"a letter or digit; got {shown!r}. Initials or a made-up name are fine."
        )
    return spelling


def spelled(name: str) -> str:
    """Return the spelling that is kept of a name, which may be no good one."""
    return "-".join(unicodedata.normalize("NFKC", name).casefold().split())


def once_each(names: Iterable[str]) -> tuple[str, ...]:
    """Return the spellings of several people's names, each person once, in their order.

    Raises:
        StudyError: If one of the names will not do.
    """
    return tuple(dict.fromkeys(annotator_id(name) for name in names))
