"""The embedded corpus: seeded, labelled as built, and disjoint from what a run reads."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from emorl.data.corpus import (
    CORRUPTED_SHARE,
    LEVEL_WEIGHTS,
    Exchange,
    embedded_prompts,
    generate_exchanges,
)
from emorl.data.corruption import corrupt
from emorl.data.feelings import FEELINGS
from emorl.data.phrases import TOPICS
from emorl.data.responses import draw_response
from emorl.data.statements import draw_statement, is_reserved, second_person, sentence

N_EXCHANGES = 4000


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    return generate_exchanges(N_EXCHANGES, seed=0)


def test_the_same_seed_gives_the_same_corpus(exchanges: list[Exchange]) -> None:
    assert generate_exchanges(N_EXCHANGES, seed=0) == exchanges
    assert embedded_prompts(60, seed=3) == embedded_prompts(60, seed=3)


def test_another_seed_gives_another_corpus(exchanges: list[Exchange]) -> None:
    assert generate_exchanges(50, seed=1) != exchanges[:50]
    assert embedded_prompts(50, seed=1) != embedded_prompts(50, seed=2)


def test_a_longer_corpus_starts_like_a_shorter_one(exchanges: list[Exchange]) -> None:
    assert generate_exchanges(100, seed=0) == exchanges[:100]
    assert embedded_prompts(100, seed=0)[:40] == embedded_prompts(40, seed=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_prompts_of_a_run_are_distinct_and_as_many_as_asked(seed: int) -> None:
    prompts = [prompt for prompt, _ in embedded_prompts(480, seed)]
    assert len(prompts) == len(set(prompts)) == 480


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_run_reads_a_prompt_that_the_base_has_seen(
    seed: int, exchanges: list[Exchange]
) -> None:
    seen = {exchange.prompt for exchange in exchanges}
    assert seen.isdisjoint(prompt for prompt, _ in embedded_prompts(480, seed))


def test_every_combination_is_either_reserved_for_runs_or_not() -> None:
    # The rule is a hash of the phrases alone: it holds for every seed, not only for those drawn.
    rng = Random(0)
    for reserved in (True, False):
        for _ in range(300):
            statement = draw_statement(rng, reserved=reserved)
            assert is_reserved(statement.combination) == reserved


def test_a_prompt_shows_all_phrases_of_its_combination() -> None:
    # So that equal texts have equal combinations: disjoint combinations mean disjoint prompts.
    rng = Random(1)
    for _ in range(300):
        statement = draw_statement(rng, reserved=False)
        text = statement.text.lower()
        assert all(part.lower() in text for part in statement.combination[1:])


def test_levels_come_in_the_stated_shares(exchanges: list[Exchange]) -> None:
    counts = Counter((exchange.reflection, exchange.empathy) for exchange in exchanges)
    for levels, weight in LEVEL_WEIGHTS.items():
        # Four standard errors of a share near 0.25 in 4,000 draws: 0.027.
        assert counts[levels] / N_EXCHANGES == pytest.approx(weight, abs=0.028)
    assert LEVEL_WEIGHTS[2, 2] >= 0.12


def test_the_stated_share_of_responses_is_broken(exchanges: list[Exchange]) -> None:
    broken = sum(not exchange.fluent for exchange in exchanges) / N_EXCHANGES
    assert broken == pytest.approx(CORRUPTED_SHARE, abs=0.028)


def test_all_topics_occur(exchanges: list[Exchange]) -> None:
    assert {exchange.topic for exchange in exchanges} == {topic.name for topic in TOPICS}
    assert len(TOPICS) == 10


def test_an_attuned_response_names_the_feeling_and_lower_levels_go_less_far() -> None:
    rng = Random(2)
    for _ in range(200):
        statement = draw_statement(rng, reserved=False)
        names, depths = statement.feeling.names, statement.feeling.depths
        none, named, attuned = (draw_response(rng, statement, 0, level) for level in range(3))
        assert not any(feeling in none for feeling in names + depths)
        assert any(name in named for name in names)
        assert not any(depth in named for depth in depths)
        assert any(name in attuned for name in names)
        assert any(depth in attuned for depth in depths)


def test_a_complex_reflection_takes_up_a_goal_or_a_value_and_a_simple_one_neither() -> None:
    rng = Random(3)
    for _ in range(200):
        statement = draw_statement(rng, reserved=False)
        meanings = [second_person(p) for p in (statement.goal, statement.value) if p]
        complex_one = draw_response(rng, statement, 2, 0)
        assert any(meaning in complex_one for meaning in meanings)
        simple = draw_response(rng, statement, 1, 0)
        said = [statement.situation, statement.barrier, statement.strength]
        heard = [second_person(part).lower() for part in said if part]
        assert any(part in simple.lower() for part in heard)


def test_each_feeling_is_told_from_the_others() -> None:
    for kind in ("stated", "names", "depths"):
        phrases = [phrase for feeling in FEELINGS for phrase in getattr(feeling, kind)]
        assert len(phrases) == len(set(phrases))


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("I was told to take insulin", "you were told to take insulin"),
        ("it is the only place where I am good", "it is the only place where you are good"),
        ("my hand picks it up by itself", "your hand picks it up by itself"),
        ("have one evening to myself", "have one evening to yourself"),
    ],
)
def test_a_phrase_is_turned_round(said: str, heard: str) -> None:
    assert second_person(said) == heard


def test_a_sentence_starts_with_a_capital_and_ends_with_its_mark() -> None:
    assert sentence("the needles frighten me") == "The needles frighten me."


@pytest.mark.parametrize("text", ["You feel sad.", "You long to be home for dinner, and yet no."])
def test_a_corrupted_text_differs_and_is_not_empty(text: str) -> None:
    rng = Random(4)
    for _ in range(200):
        broken = corrupt(rng, text)
        assert broken
        assert broken != text
