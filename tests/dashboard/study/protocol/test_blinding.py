"""Codes and orders come from the seed alone, and tell nothing without it."""

from __future__ import annotations

import random

from emorl_dashboard.study.protocol.blinding import item_code, new_seed, presentation_order

CODES = [item_code("seed", str(index), "text") for index in range(40)]


def test_a_code_is_the_same_again_and_other_for_another_seed_prompt_or_text() -> None:
    code = item_code("seed", "1", "text")
    assert code == item_code("seed", "1", "text")
    others = {
        item_code("other", "1", "text"),
        item_code("seed", "2", "text"),
        item_code("seed", "1", "texts"),
    }
    assert len(others | {code}) == 4


def test_a_code_fits_into_a_url_and_a_css_class() -> None:
    assert all(code.isalnum() and code.isascii() and len(code) == 16 for code in CODES)


def test_the_order_is_the_same_again() -> None:
    assert presentation_order("seed", "ada", CODES) == presentation_order("seed", "ada", CODES)


def test_the_order_does_not_depend_on_how_the_items_arrive() -> None:
    shuffled = random.Random(3).sample(CODES, len(CODES))
    assert presentation_order("seed", "ada", shuffled) == presentation_order("seed", "ada", CODES)


def test_annotators_have_different_orders_of_the_same_items() -> None:
    ada = presentation_order("seed", "ada", CODES)
    bob = presentation_order("seed", "bob", CODES)
    assert ada != bob
    assert set(ada) == set(bob) == set(CODES)


def test_each_place_in_the_order_is_as_likely_for_each_item() -> None:
    # 600 annotators, 5 items: each item comes first 120 times on average, standard deviation
    # sqrt(600 * 0.2 * 0.8) = 9.8; 70 to 170 is five of them to either side.
    first = [presentation_order("seed", f"person{n}", CODES[:5])[0] for n in range(600)]
    assert all(70 < first.count(code) < 170 for code in CODES[:5])


def test_two_seeds_are_never_the_same() -> None:
    assert len({new_seed() for _ in range(100)}) == 100
