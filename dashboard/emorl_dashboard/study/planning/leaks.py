"""Names of systems and runs where annotators could read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from emorl_dashboard.study.planning.draft import StudyDraft
from emorl_dashboard.study.planning.finding import Finding, counted
from emorl_dashboard.study.planning.sources import SystemText
from emorl_dashboard.study.protocol.guidelines import level_rows

_MUCH_RARER = 0.5
"""A word that every system says more often than this, relative to the one that says it most, tells
none of them."""


def leaks(draft: StudyDraft, chosen: Sequence[SystemText]) -> list[Finding]:
    """Return where names stand: in responses, and in what is shown beside every response."""
    return [*_in_responses(draft, chosen), *_beside(draft, chosen)]


def _in_responses(draft: StudyDraft, chosen: Sequence[SystemText]) -> Iterable[Finding]:
    """Find names of systems and runs inside of responses."""
    for name, pattern in _names(draft, chosen):
        where = [text for text in chosen if pattern.search(text.text)]
        if where:
            todo = (
                "Take it out of the texts: another name for the system would take it out of this "
                "check only. If the word is ordinary language, accept it."
                if _tells_system(where, chosen)
                else "Take a signature out of the texts. If the word is ordinary language, accept "
                "it, or give the system another name (under Systems, or with `emorl study "
                "rename`)."
            )
            yield Finding(
                severity="warning",
                message=f"The name {name!r} stands in {_counted_by_system(where)}: an annotator "
                f"could learn which system wrote them. {todo}",
            )
    for stored, label, pattern in _renamed(draft, chosen):
        where = [text for text in chosen if pattern.search(text.text)]
        if not where:
            continue
        told = f"{stored!r}, which the study calls {label!r}, stands in"
        if _tells_system(where, chosen):
            yield Finding(
                severity="warning",
                message=f"{told} {_counted_by_system(where)}: an annotator could learn which "
                "system wrote them. The new name changes no text: take it out of the texts. If "
                "the word is ordinary language, accept it.",
            )
        else:
            yield Finding(
                severity="note",
                message=f"{told} {_counted_by_system(where)}, so it tells no system from another.",
            )


def _counted_by_system(where: Sequence[SystemText]) -> str:
    owners = Counter(text.system for text in where)
    shares = ", ".join(f"{n} of {system}" for system, n in sorted(owners.items()))
    return f"{counted(len(where), 'response')} ({shares})"


def _tells_system(where: Sequence[SystemText], chosen: Sequence[SystemText]) -> bool:
    """Tell whether a word stands in some systems' texts far more often than in another's."""
    found, texts = (Counter(text.system for text in part) for part in (where, chosen))
    shares = sorted((found[system] / n_texts for system, n_texts in texts.items()), reverse=True)
    return len(shares) < 2 or shares[-1] <= _MUCH_RARER * shares[0]


def _beside(draft: StudyDraft, chosen: Sequence[SystemText]) -> Iterable[Finding]:
    """Find names of systems and runs in what stands beside every response."""
    guidelines = draft.guidelines
    questions = [str(value) for row in level_rows(guidelines) for value in row.values()]
    beside = {
        "the name of the study": [draft.study_id],
        "the guidelines": [guidelines.text, guidelines.example_prompt],
        "the questions": questions,
    }
    prompts = sorted({text.prompt for text in chosen})
    for name, pattern in _names(draft, chosen):
        places = [
            place for place, texts in beside.items() if any(pattern.search(one) for one in texts)
        ]
        if places:
            yield Finding(
                severity="warning",
                message=f"The name {name!r} stands in {' and in '.join(places)}: annotators read "
                "it and could learn what is compared. Reword it, or accept it if the word is "
                "ordinary language.",
            )
        n_prompts = sum(pattern.search(prompt) is not None for prompt in prompts)
        if n_prompts:
            yield Finding(
                severity="note",
                message=f"The name {name!r} stands in {counted(n_prompts, 'prompt')}: annotators "
                "read it beside every system's response.",
            )


def _names(
    draft: StudyDraft, chosen: Sequence[SystemText]
) -> Iterable[tuple[str, re.Pattern[str]]]:
    names = {text.system for text in chosen} | {source.run_id for source in draft.sources}
    for name in sorted(names - {""}):
        yield name, _pattern(name)


def _renamed(
    draft: StudyDraft, chosen: Sequence[SystemText]
) -> Iterable[tuple[str, str, re.Pattern[str]]]:
    """Give the stored names that the study does not use, with the names that it has for them."""
    used = {text.system for text in chosen}
    pairs = {pair for source in draft.sources for pair in source.labels}
    for stored, label in sorted(pairs):
        if label in used and stored not in used:
            yield stored, label, _pattern(stored)


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
