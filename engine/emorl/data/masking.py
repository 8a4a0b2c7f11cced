"""Hide what could name or reach a person: e-mail addresses, phone numbers, titled names.

A plain filter for the patterns that turn up in counselling data sets. It does not find every
name, and is no replacement for data that was anonymised by people.
"""

from __future__ import annotations

import re

_NAME = r"[A-Z][a-z'\u2019-]*[a-z]"
_NAMES = rf"(?:[A-Z]\.\s*){{0,3}}{_NAME}(?:\s+(?:[A-Z]\.\s*)?{_NAME})?"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
    # An area code in brackets or set off, then 3 and 4 digits; any number behind a plus sign; or
    # ten digits in a row.
    (
        re.compile(
            r"(?<![\w+])(?:\+?\d{1,3}[\s.-]+)?(?:\(\d{3}\)\s*|\d{3}[\s.-])\d{3}[\s.-]?\d{4}(?!\d)"
            r"|(?<!\w)\+\d[\d\s().-]{6,}\d"
            r"|(?<!\w)\d{10,11}(?!\w)"
        ),
        "[phone]",
    ),
    (re.compile(rf"\b(Dr|Prof|Mr|Mrs|Ms|Miss)\b(\.?)\s+{_NAMES}"), r"\1\2 [name]"),
    (re.compile(rf"\b(Doctor|Professor)\s+{_NAMES}"), r"\1 [name]"),
    (re.compile(rf"\b{_NAMES}(,\s*)(MD|M\.D\.|PhD|Ph\.D\.|DO|LCSW)(?!\w)"), r"[name]\1\2"),
)


def mask_personal_data(text: str) -> str:
    """Return ``text`` with e-mail addresses, phone numbers and titled names replaced.

    ``Dr. Ann Lee``, ``Doctor Lee`` and ``Ann Lee, MD`` count as titled names; a first name on
    its own does not.
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
