"""What to know before a study is sealed: leaks of identity, poor texts, balance.

A finding stops sealing only if the study could not work; the others are for the owner to accept,
and the plan keeps them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import combinations
from statistics import mean

from emorl_dashboard.study.planning.draft import StudyDraft
from emorl_dashboard.study.planning.finding import MOST_LISTED, Finding, counted, listed
from emorl_dashboard.study.planning.leaks import leaks
from emorl_dashboard.study.planning.sources import SystemText
from emorl_dashboard.study.protocol.assignment import preview
from emorl_dashboard.study.protocol.comparisons import groups, shared_prompts
from emorl_dashboard.study.protocol.plan import PlanItem

NEAR_DUPLICATE = 0.95
"""Two responses to a prompt that share so much of their text are hardly worth comparing."""

LENGTH_RATIO = 1.5
"""Systems whose responses differ by more in length can be told apart by it."""

_TOO_COMMON = 0.5
"""A system that answers more of its prompts with one text has lost variety."""


def findings(
    draft: StudyDraft,
    texts: Sequence[SystemText],
    chosen: Sequence[SystemText],
    items: Sequence[PlanItem],
) -> list[Finding]:
    """Return all findings, the gravest first.

    Args:
        draft: The settings.
        texts: All responses of the sources.
        chosen: The responses that are part of the study.
        items: What became of them.
    """
    found = [
        *_cannot_work(draft, items),
        *_not_compared(draft, chosen, items),
        *leaks(draft, chosen),
        *_empty(chosen),
        *_near_duplicates(chosen),
        *_without_variety(chosen),
        *_lengths(chosen),
        *_incomplete(texts, chosen, draft),
        *_copies(draft, items),
        *_balance(draft, items),
    ]
    return sorted(found, key=lambda finding: ("stop", "warning", "note").index(finding.severity))


def _cannot_work(draft: StudyDraft, items: Sequence[PlanItem]) -> Iterable[Finding]:
    rated = [item for item in items if item.kind == "rating"]
    names = {system for item in rated for system in (*item.systems, *item.other_systems)}
    if not rated:
        yield Finding(
            severity="stop",
            message="There is nothing to rate: choose systems that answered the same prompts"
            + (" differently." if draft.mode == "pairwise" else "."),
        )
    elif len(names) < 2:
        yield Finding(
            severity="stop" if draft.mode == "pairwise" else "warning",
            message=f"There is one system only, {names.pop()}: nothing to compare it with.",
        )


def _not_compared(
    draft: StudyDraft, chosen: Sequence[SystemText], items: Sequence[PlanItem]
) -> Iterable[Finding]:
    shared = shared_prompts(items)
    lacking = [pair for pair, n_prompts in shared.items() if not n_prompts]
    if not lacking:
        return
    sets: dict[str, set[str]] = defaultdict(set)
    for text in chosen:
        sets[text.prompt].add(text.data_set)
    names = sorted({name for found in sets.values() if len(found) > 1 for name in found})
    todo = (
        f"The same prompts stand in data sets {listed(names)}: give their sources one data_set "
        "(a column of the file; without it, the file's name)."
        if names
        else "Add their responses to the same prompts, under one data_set."
    )
    if len(lacking) == len(shared):
        yield Finding(
            severity="stop",
            message=f"No two systems have a prompt in common, so nothing can be compared. {todo}",
        )
        return
    differently = " that both answered differently" if draft.mode == "pairwise" else ""
    pairs = listed([f"{one} with {other}" for one, other in lacking])
    apart = groups(shared)
    told = "; ".join(listed(group) for group in apart[:MOST_LISTED])
    split = "" if len(apart) == 1 else f" Nothing compares these groups with each other: {told}."
    yield Finding(
        severity="warning",
        message=f"Without a common prompt{differently}, and so never compared: {pairs}.{split} "
        f"{todo}",
    )


def _empty(chosen: Sequence[SystemText]) -> Iterable[Finding]:
    empty = Counter(text.system for text in chosen if not text.text.strip())
    for system, n_empty in sorted(empty.items()):
        is_are = "is" if n_empty == 1 else "are"
        yield Finding(
            severity="warning",
            message=f"{counted(n_empty, 'response')} of {system} {is_are} empty.",
        )


def _near_duplicates(chosen: Sequence[SystemText]) -> Iterable[Finding]:
    by_prompt: dict[tuple[str, int], set[str]] = defaultdict(set)
    for text in chosen:
        by_prompt[text.data_set, text.prompt_index].add(text.text)
    n_near = sum(
        _is_near(first, second)
        for texts in by_prompt.values()
        for first, second in combinations(sorted(texts), 2)
    )
    n_equal = len(chosen) - sum(len(texts) for texts in by_prompt.values())
    if n_equal:
        yield Finding(
            severity="note",
            message=f"{counted(n_equal, 'response')} the same as another system's to the same "
            "prompt: such a text is shown once, and its rating counts for every system that gave "
            "it.",
        )
    if n_near:
        yield Finding(
            severity="note",
            message=f"{counted(n_near, 'pair')} of responses to the same prompt with at least "
            f"{100 * NEAR_DUPLICATE:.0f} % of the text in common: expect ties.",
        )


def _is_near(first: str, second: str) -> bool:
    words, others = first.lower().split(), second.lower().split()
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    if matcher.real_quick_ratio() < NEAR_DUPLICATE or matcher.quick_ratio() < NEAR_DUPLICATE:
        return False
    return matcher.ratio() >= NEAR_DUPLICATE


def _without_variety(chosen: Sequence[SystemText]) -> Iterable[Finding]:
    by_system: dict[str, Counter[str]] = defaultdict(Counter)
    for text in chosen:
        by_system[text.system][text.text] += 1
    for system, counts in sorted(by_system.items()):
        n_same = max(counts.values())
        if n_same > 1 and n_same > _TOO_COMMON * counts.total():
            yield Finding(
                severity="warning",
                message=f"{system} gives one text to {n_same} of {counts.total()} prompts: "
                "annotators will recognise it.",
            )


def _lengths(chosen: Sequence[SystemText]) -> Iterable[Finding]:
    words: dict[str, list[int]] = defaultdict(list)
    for text in chosen:
        words[text.system].append(len(text.text.split()))
    means = sorted((mean(counts), system) for system, counts in words.items())
    if len(means) > 1 and means[-1][0] > LENGTH_RATIO * means[0][0]:
        yield Finding(
            severity="note",
            message=f"Responses differ in length: {means[-1][1]} has {means[-1][0]:.1f} words on "
            f"average, {means[0][1]} {means[0][0]:.1f}. Length may give systems away.",
        )


def _incomplete(
    texts: Sequence[SystemText], chosen: Sequence[SystemText], draft: StudyDraft
) -> Iterable[Finding]:
    for data_set in sorted({text.data_set for text in texts}):
        own = [text for text in texts if text.data_set == data_set]
        n_systems = len({text.system for text in own})
        answered = Counter(text.prompt_index for text in own)
        n_lacking = sum(n < n_systems for n in answered.values())
        n_chosen = len({text.prompt_index for text in chosen if text.data_set == data_set})
        if n_lacking:
            yield Finding(
                severity="warning",
                message=f"{n_lacking} of {len(answered)} prompts of {data_set} are left out: not "
                f"all of its {n_systems} systems answered them.",
            )
        if n_chosen < draft.n_items_per_data_set:
            yield Finding(
                severity="note",
                message=f"{data_set} has {n_chosen} prompts that all its systems answered; "
                f"{draft.n_items_per_data_set} were asked for.",
            )


def _copies(draft: StudyDraft, items: Sequence[PlanItem]) -> Iterable[Finding]:
    counts: Counter[str] = Counter(item.kind for item in items)
    for kind, asked in (
        ("gold", draft.n_gold),
        ("repeat", draft.n_repeats),
        ("practice", draft.n_practice),
    ):
        if counts[kind] < asked:
            yield Finding(
                severity="note",
                message=f"{asked} {kind} items were asked for, {counts[kind]} could be made.",
            )


def _balance(draft: StudyDraft, items: Sequence[PlanItem]) -> Iterable[Finding]:
    shares = preview(items, draft.n_annotators)
    sizes = [share.n_items for share in shares]
    if not any(sizes):
        return
    gaps = [
        max(counts) - min(counts)
        for system in {name for share in shares for name in share.n_by_system}
        if (counts := [share.n_by_system.get(system, 0) for share in shares])
    ]
    gap = max(gaps, default=0)
    balance = (
        "all see every system equally often"
        if gap == 0
        else f"how often two of them see one system differs by at most {counted(gap, 'item')}"
    )
    n_items = f"{min(sizes)} to {max(sizes)}" if min(sizes) < max(sizes) else f"{max(sizes)}"
    yield Finding(severity="note", message=f"Each annotator gets {n_items} items; {balance}.")
