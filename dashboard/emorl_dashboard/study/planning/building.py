"""Responses -> coded items: shared texts, pairs, gold, repeated and practice items."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from emorl_dashboard.study.planning.draft import StudyDraft
from emorl_dashboard.study.planning.sources import SystemText
from emorl_dashboard.study.protocol.assignment import assigned_places
from emorl_dashboard.study.protocol.blinding import item_code, keyed, text_hash
from emorl_dashboard.study.protocol.guidelines import Guidelines
from emorl_dashboard.study.protocol.plan import ItemKind, Mode, PlanItem

LEAST_DISTINCT_WORDS = 4
"""A shorter response can hardly be damaged so that everybody sees it."""

_PRACTICE = "guidelines"
"""Data set of practice items that come from the examples of the guidelines."""


def chosen_texts(
    seed: str, texts: Iterable[SystemText], n_items_per_data_set: int
) -> list[SystemText]:
    """Return the responses to the prompts of the study: the same prompts for all systems.

    Of each data set the prompts that all its systems answered are drawn by the seed.
    """
    by_prompt: dict[tuple[str, int], list[SystemText]] = {}
    systems: dict[str, set[str]] = {}
    for text in texts:
        by_prompt.setdefault((text.data_set, text.prompt_index), []).append(text)
        systems.setdefault(text.data_set, set()).add(text.system)
    found = []
    for data_set, expected in sorted(systems.items()):
        complete = [
            key
            for key, answers in by_prompt.items()
            if key[0] == data_set and {answer.system for answer in answers} == expected
        ]
        complete.sort(key=lambda key: keyed(seed, "prompt", key[0], str(key[1])))
        for key in sorted(complete[:n_items_per_data_set]):
            found.extend(by_prompt[key])
    return found


def study_items(draft: StudyDraft, texts: Sequence[SystemText]) -> tuple[PlanItem, ...]:
    """Return all items of a study by code, each with the places that rate it."""
    seed = draft.seed
    rated = blind_items(seed, texts, draft.mode)
    gold = _gold(seed, rated, draft.n_gold)
    golden = {item.copy_of for item in gold}
    items = [
        *rated,
        *gold,
        *_repeats(seed, [item for item in rated if item.code not in golden], draft.n_repeats),
        *practice_items(seed, draft.guidelines, draft.mode, draft.n_practice),
    ]
    if not draft.requires_invite:
        return _by_code(items)  # whoever types a name rates everything
    places = assigned_places(
        seed,
        items,
        n_annotators=draft.n_annotators,
        n_ratings_per_item=draft.n_ratings_per_item,
    )
    return _by_code(replace(item, places=places[item.code]) for item in items)


def blind_items(
    seed: str, texts: Iterable[SystemText], mode: Mode = "rating"
) -> tuple[PlanItem, ...]:
    """Turn responses into coded items; the same text to the same prompt is one item.

    Rating one text twice would cost the annotator twice and could only differ by chance; the
    item names all its systems, so that each of them gets the rating. In a pairwise study every
    two different texts to a prompt are one item; equal texts leave nothing to compare.
    """
    sharing: dict[tuple[str, int], dict[str, list[str]]] = {}
    prompts: dict[tuple[str, int], str] = {}
    for text in texts:
        key = (text.data_set, text.prompt_index)
        prompts[key] = text.prompt
        systems = sharing.setdefault(key, {}).setdefault(text.text, [])
        if text.system not in systems:
            systems.append(text.system)
    make = _single if mode == "rating" else _pairs
    return _by_code(
        item for key, by_text in sharing.items() for item in make(seed, key, prompts[key], by_text)
    )


def _single(
    seed: str, key: tuple[str, int], prompt: str, by_text: dict[str, list[str]]
) -> Iterable[PlanItem]:
    for response, systems in by_text.items():
        yield _item(seed, key, prompt, response, tuple(sorted(systems)))


def _pairs(
    seed: str, key: tuple[str, int], prompt: str, by_text: dict[str, list[str]]
) -> Iterable[PlanItem]:
    for pair in combinations(sorted(by_text), 2):
        # By the seed, not by the alphabet: a and b tell nothing.
        first, second = sorted(pair, key=lambda text: keyed(seed, "pair", *map(str, key), text))
        item = _item(seed, key, prompt, first, tuple(sorted(by_text[first])), second)
        yield replace(item, other_systems=tuple(sorted(by_text[second])))


def _item(
    seed: str,
    key: tuple[str, int],
    prompt: str,
    response: str,
    systems: tuple[str, ...],
    other: str | None = None,
    kind: ItemKind = "rating",
) -> PlanItem:
    data_set, index = key
    hashes = [text_hash(text) for text in (response, other) if text is not None]
    return PlanItem(
        code=item_code(seed, kind, data_set, str(index), *hashes),
        kind=kind,
        data_set=data_set,
        prompt_index=index,
        prompt=prompt,
        response=response,
        response_sha256=hashes[0],
        systems=systems,
        other_response=other,
    )


def _gold(seed: str, rated: Sequence[PlanItem], n_gold: int) -> list[PlanItem]:
    """Damaged copies; of a pair, response ``b`` becomes the damaged copy of ``a``."""
    fit = [item for item in rated if len(set(item.response.split())) >= LEAST_DISTINCT_WORDS]
    found = []
    for item in _drawn(seed, "gold", fit)[:n_gold]:
        broken = damaged(item.response, keyed(seed, "damage", item.code))
        gold = replace(
            item, code=item_code(seed, "gold", item.code), kind="gold", copy_of=item.code
        )
        if item.other_response is None:
            gold = replace(gold, response=broken, response_sha256=text_hash(broken))
        else:
            gold = replace(gold, other_response=broken, other_systems=())
        found.append(gold)
    return found


def _repeats(seed: str, rated: Sequence[PlanItem], n_repeats: int) -> list[PlanItem]:
    return [
        replace(item, code=item_code(seed, "repeat", item.code), kind="repeat", copy_of=item.code)
        for item in _drawn(seed, "repeat", rated)[:n_repeats]
    ]


def practice_items(
    seed: str, guidelines: Guidelines, mode: Mode, n_practice: int
) -> list[PlanItem]:
    """Return exercises from the examples of the guidelines, spread over criteria and levels.

    Fewer where the guidelines have fewer examples.
    """
    examples = [
        (criterion.name, level.value, level.example)
        for criterion in guidelines.criteria
        for level in criterion.levels
        if level.example
    ]
    if mode == "pairwise":
        pairs: list[tuple[str, str | None]] = [
            (low[2], high[2])
            for low, high in combinations(examples, 2)
            if low[0] == high[0] and low[1] < high[1]
        ]
    else:
        pairs = [(text, None) for text in dict.fromkeys(text for _, _, text in examples)]
    key = (_PRACTICE, 0)
    items = [
        _item(seed, key, guidelines.example_prompt, first, (), second, "practice")
        for first, second in pairs
    ]
    return _drawn(seed, "practice", items)[:n_practice]


def damaged(text: str, key: bytes) -> str:
    """Return a text that nobody can take for fluent: its words shuffled, some of them doubled."""
    words = text.split()
    draw = random.Random(key)
    order = words[:]
    while order == words and len(set(words)) > 1:
        draw.shuffle(order)
    doubled = set(draw.sample(range(len(order)), max(1, len(order) // 4)))
    return " ".join(
        word for place, word in enumerate(order) for word in [word] * (1 + (place in doubled))
    )


def _drawn(seed: str, purpose: str, items: Iterable[PlanItem]) -> list[PlanItem]:
    return sorted(items, key=lambda item: keyed(seed, purpose, item.code))


def _by_code(items: Iterable[PlanItem]) -> tuple[PlanItem, ...]:
    return tuple(sorted(items, key=lambda item: item.code))
