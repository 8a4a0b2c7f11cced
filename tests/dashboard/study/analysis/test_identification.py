"""Guess the system: nothing to find gives chance, a habit is found, prompts are no help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from emorl_dashboard.study.analysis.identification import N_FOLDS, identification, verdict

BEGINNINGS, ENDS = ("lo", "ma", "ri", "tu"), ("ne", "sk", "ve", "d")
WORDS = [f"{first}{last}" for first in BEGINNINGS for last in ENDS]
SYSTEMS = ("base", "best", "single", "uniform")


def texts(
    endings: dict[str, str], *, n_prompts: int = 40, data_set: str = "talks", seed: int = 0
) -> pd.DataFrame:
    """Random words of one vocabulary, alike for all systems except for their endings.

    All texts to a prompt share a rare word: who learnt from the same prompt would know them.
    """
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        [
            {
                "source_item": f"{data_set}/{prompt}",
                "data_set": data_set,
                "system": system,
                "text": f"{' '.join(random.choice(WORDS, 12))} zq{prompt:03d}{ending}",
            }
            for prompt in range(n_prompts)
            for system, ending in endings.items()
        ]
    )


def row(found: pd.DataFrame, system: str = "all", data_set: str = "talks") -> dict[str, Any]:
    (only,) = found[(found["system"] == system) & (found["data_set"] == data_set)].to_dict(
        "records"
    )
    return {str(name): value for name, value in only.items()}


def test_systems_that_write_alike_are_guessed_by_chance() -> None:
    p_values = []
    shares = []
    for seed in range(6):
        alike = texts(dict.fromkeys(SYSTEMS, ""), seed=seed)
        found = row(identification(alike, n_resamples=200, seed=seed, n_permutations=39))
        p_values.append(found["p_value"])
        shares.append(found["accuracy"])
        assert found["chance"] == 0.25
    # 960 guesses at 1/4: standard error 0.014, three of them to either side.
    assert np.mean(shares) == pytest.approx(0.25, abs=0.042)
    assert min(p_values) > 0.02


def test_a_phrase_that_only_one_system_uses_gives_it_away() -> None:
    habit = texts(dict.fromkeys(SYSTEMS, "") | {"best": " Does that sound right to you?"})
    found = identification(habit, n_resamples=200, n_permutations=99)
    best = row(found, "best")
    assert best["accuracy"] == 1.0
    assert best["p_value"] == 0.01  # better than each of 99 shuffles
    everybody = row(found)
    # One system surely, the three others by chance among themselves: (1 + 3 * 1/3) / 4.
    assert everybody["accuracy"] == pytest.approx(0.5, abs=0.08)
    assert everybody["accuracy_low"] > 0.25
    assert row(found, "base")["taken_for"] in {"single", "uniform"}


def test_every_system_with_a_habit_of_its_own_is_known_nearly_always() -> None:
    endings = {name: f" So says {name.upper()}." for name in SYSTEMS}
    found = identification(texts(endings), n_resamples=50, n_permutations=19)
    assert row(found)["accuracy"] > 0.99
    assert set(found["system"]) == {"all", *SYSTEMS}
    assert (found["taken_for"] == "").all()


def test_one_text_for_all_systems_tells_nothing() -> None:
    same = texts(dict.fromkeys(SYSTEMS, "")).assign(
        text=lambda frame: frame["source_item"] + " the same words for everybody"
    )
    found = row(identification(same, n_resamples=50, n_permutations=19))
    assert np.isnan(found["accuracy"])
    assert found["note"] == "All systems gave the same texts: there is nothing to guess."


def test_either_of_two_systems_that_gave_the_same_text_is_guessed_right() -> None:
    # The twins write alike and unlike the others: whoever sees their habit knows what he reads.
    twins = texts({"base": " So it is.", "best": "", "single": "", "uniform": " Right?"})
    wrote = twins[twins["system"] == "base"].set_index("source_item")["text"]
    is_twin = twins["system"] == "best"
    twins.loc[is_twin, "text"] = twins.loc[is_twin, "source_item"].map(wrote)
    found = identification(twins, n_resamples=50, n_permutations=19)
    for name in ("base", "best"):
        assert row(found, name)["accuracy"] == 1.0
        assert row(found, name)["chance"] == 2 / 4
        assert row(found, name)["taken_for"] == ""
    assert row(found, "uniform")["chance"] == 1 / 4
    assert row(found)["chance"] == (2 * 2 / 4 + 2 * 1 / 4) / 4


def test_data_sets_are_guessed_apart_and_counted_together() -> None:
    both = pd.concat(
        [
            texts({"base": "", "best": " Right?"}),
            texts({"base": "", "best": "", "file": ""}, data_set="letters"),
        ]
    )
    found = identification(both, n_resamples=50, n_permutations=19)
    assert row(found)["chance"] == 1 / 2
    assert row(found, data_set="letters")["chance"] == pytest.approx(1 / 3)
    together = row(found, data_set="all")
    assert together["n_texts"] == 80 + 120
    assert together["n_items"] == 80
    assert together["chance"] == pytest.approx((80 / 2 + 120 / 3) / 200)
    assert row(found, "file", data_set="all")["n_texts"] == 40


def test_rows_in_another_order_give_the_same_numbers() -> None:
    known = texts({"base": "", "best": " Right?"}, n_prompts=10)
    one = identification(known, n_resamples=20, n_permutations=19)
    mixed = known.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(one, identification(mixed, n_resamples=20, n_permutations=19))


@pytest.mark.parametrize(
    ("endings", "n_prompts", "note"),
    [
        ({"base": ""}, 20, "One system alone"),
        ({"base": "", "best": ""}, N_FOLDS - 1, "too few to learn"),
    ],
)
def test_too_little_to_guess_gets_a_sentence(
    endings: dict[str, str], n_prompts: int, note: str
) -> None:
    (only,) = identification(texts(endings, n_prompts=n_prompts)).to_dict("records")
    assert np.isnan(only["accuracy"])
    assert note in only["note"]
    assert only["system"] == "all"


def test_the_verdict_names_who_is_told_apart_and_what_it_means() -> None:
    habit = texts(dict.fromkeys(SYSTEMS, "") | {"best": " Does that sound right to you?"})
    told = verdict(identification(habit, n_resamples=50, n_permutations=99), "talks", str.upper)
    assert "of 160 texts" in told
    assert "chance is 25 % (p = 0.010)" in told
    assert "Told apart best: BEST (100 %)." in told
    assert "no longer blind" in told


def test_the_verdict_of_systems_that_write_alike_accuses_nobody() -> None:
    alike = identification(texts(dict.fromkeys(SYSTEMS, "")), n_resamples=50, n_permutations=19)
    told = verdict(alike, "talks", str)
    assert "Told apart" not in told
    assert "No sign" in told
    one = identification(texts({"base": ""}), n_resamples=50)
    assert verdict(one, "talks", str) == "One system alone: there is nothing to guess."


def test_no_texts_give_no_rows() -> None:
    none = texts({"base": ""}).iloc[:0]
    assert identification(none).empty
