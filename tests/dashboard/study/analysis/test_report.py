"""All tables of a study: the known truth is recovered, and nothing is told before unblinding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from emorl_dashboard.study.analysis.cells import cells, resamples_of
from emorl_dashboard.study.analysis.records import as_records, as_text, differences
from emorl_dashboard.study.analysis.report import (
    StudyData,
    blind_tables,
    blinded,
    coverage,
    pairs_as_answers,
    study_tables,
)
from tests.dashboard.study.analysis.studies import SMALL, ratings_of
from tests.support.simulated_studies import Truth, simulate_preferences, simulate_study

pytestmark = pytest.mark.slow


def texts_of(answers: pd.DataFrame) -> pd.DataFrame:
    """Return a text per prompt and system; the system "base" writes with a habit."""
    rated = answers[answers["kind"] == "rating"]
    once = rated.drop_duplicates(["source_item", "system"])[["source_item", "data_set", "system"]]
    habit = once["system"].map({"base": " You know."}).fillna("")
    return once.assign(text="It sounds like a long day, and a hard one." + habit)


def data_of(truth: Truth, seed: int = 0) -> StudyData:
    study = simulate_study(truth, seed)
    items = study.answers.drop_duplicates("item_code")[["item_code", "kind", "data_set"]]
    return StudyData(
        mode="rating",
        items=items.assign(n_wanted=2.0),
        answers=study.answers,
        pairs=None,
        automatic=study.automatic,
        texts=texts_of(study.answers),
    )


def test_the_truth_of_a_study_of_the_papers_shape_is_recovered() -> None:
    truth = Truth()  # 640 responses of 5 systems to 2 data sets, 2 annotators, 3 criteria
    paper = study_tables(data_of(truth), n_resamples=400)
    assert len(paper) == 15
    # What the item browser and the map show is in the tables, so in the bundle: 640 responses.
    items = paper["rated_items"]
    assert items.groupby("criterion", sort=False).size().to_dict() == dict.fromkeys(
        truth.criteria, 640
    )
    assert items["automatic"].notna().all()
    assert items["mean"].mean() == pytest.approx(
        paper["means"].query("data_set == 'all'")["mean"].mean()
    )
    overall = paper["overall"].set_index("system")
    shares = paper["means"].query("data_set == 'all' and system == 'best'")["share_of_scale"]
    assert overall.loc["best", "mean_share"] == pytest.approx(shares.mean())
    assert overall.loc["best", "n_ratings"] == 3 * 128 * 2
    assert paper["coverage"]["n_ratings"].max() == 1280
    means = paper["means"]
    # Intervals of systems that share prompts miss together; how often they miss is counted by
    # tests.benchmarks.coverage. Here: most hold the truth, and none is off by its whole width.
    true = means["system"].map({name: truth.mean(name) for name in truth.systems})
    assert ((means["mean_low"] <= true) & (true <= means["mean_high"])).mean() > 0.75
    assert ((means["mean"] - true).abs() < means["mean_high"] - means["mean_low"]).all()
    pairs = paper["comparisons"]
    apart = [
        truth.mean(row["system_a"]) - truth.mean(row["system_b"])
        for row in pairs.to_dict("records")
    ]
    found = pairs.assign(apart=apart)
    # Every difference above a quarter point is found, and what is found has the right sign.
    large = found[found["apart"].abs() > 0.25]
    assert (large["p_holm"] < 0.05).all()
    told_apart = found[found["p_holm"] < 0.05]
    assert (np.sign(told_apart["difference"]) == np.sign(told_apart["apart"])).all()
    ranks = paper["ranks"]
    assert set(ranks.loc[ranks["system"] == "base", "rank_best"]) == {5}
    guessed = paper["identification"].set_index(["data_set", "system"])
    assert guessed.loc[("all", "base"), "accuracy"] == 1.0
    # The four others write the same text: whichever is named did write it.
    assert guessed.loc[("all", "all"), "accuracy"] == 1.0
    assert guessed.loc[("all", "all"), "chance"] == pytest.approx((1 + 4 * 4) / 5 / 5)
    assert ranks.loc[ranks["system"].isin(["best", "searched"]), "rank_worst"].max() == 2


def test_the_same_study_gives_the_same_numbers() -> None:
    data = data_of(replace(SMALL, criteria=("empathy",)))
    mixed = replace(data, answers=data.answers.sample(frac=1, random_state=1))
    one = as_records(study_tables(data, n_resamples=50))
    assert differences(one, as_records(study_tables(mixed, n_resamples=50))) == []
    assert differences(one, as_records(study_tables(data, n_resamples=50, seed=1)))


def test_blind_tables_name_no_system_and_compare_none() -> None:
    data = data_of(SMALL)
    hidden = blinded(data, "seed")
    tables = blind_tables(hidden, n_resamples=20)
    assert set(tables) == {
        "coverage",
        "pace",
        "agreement",
        "marginals",
        "drift",
        "gold",
        "repeats",
    }
    told = as_text(tables)
    assert not any(f" {name} " in told for name in SMALL.systems)
    letters = set(tables["agreement"]["system"])
    assert letters == {"all", *(f"System {letter}" for letter in "ABCDE")}
    other = blinded(data, "another seed")
    assert (other.answers["system"] != hidden.answers["system"]).any()
    assert hidden.automatic.empty
    assert hidden.texts.empty


def paired(pairs: pd.DataFrame, texts: pd.DataFrame | None = None) -> StudyData:
    """Return preferences as a study; every system gave another text to every prompt."""
    items = pairs.drop_duplicates("item_code")[["item_code", "kind", "data_set"]]
    if texts is None:
        sides = [
            pairs[["source_item", "data_set", name]].set_axis(
                ["source_item", "data_set", "system"], axis=1
            )
            for name in ("system_a", "system_b")
        ]
        texts = pd.concat(sides).drop_duplicates(ignore_index=True)
        texts["text"] = texts["system"]
    return StudyData(
        mode="pairwise",
        items=items.assign(n_wanted=2.0),
        answers=pairs_as_answers(pairs),
        pairs=pairs,
        automatic=pd.DataFrame(columns=["source_item", "system", "criterion", "score"]),
        texts=texts,
    )


def mirrored(pairs: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Return the same answers about the systems with two names exchanged."""
    names = {one: other, other: one}
    return pairs.replace({"system_a": names, "system_b": names})


def with_repeats(pairs: pd.DataFrame) -> pd.DataFrame:
    """Show some pairs again: two of three are answered as before."""
    again = pairs[pairs["prompt_index"] < 6]
    other = again["preference"].map({"a": "tie", "tie": "b", "b": "a"})
    again = again.assign(
        kind="repeat",
        copy_of=again["item_code"],
        item_code="again" + again["item_code"],
        preference=again["preference"].where(again["prompt_index"] % 3 > 0, other),
    )
    return pd.concat([pairs, again], ignore_index=True)


@pytest.mark.parametrize("lead", [0.4, 2.0, 40.0])  # the last wins every comparison
def test_blind_tables_of_mirror_images_are_the_same(lead: float) -> None:
    pairs = simulate_preferences(
        {"base": lead, "best": -lead}, -0.5, n_prompts=20, annotators=("a", "b"), seed=0
    )
    pairs = with_repeats(pairs)
    tables = [
        blind_tables(blinded(paired(one), "secret"), n_resamples=40)
        for one in (pairs, mirrored(pairs, "base", "best"))
    ]
    one, other = map(as_records, tables)
    assert differences(one, other) == []
    assert set(one) == {"coverage", "pace", "agreement", "sides", "drift", "gold", "repeats"}
    assert tables[0]["repeats"]["share_equal"].between(0.5, 0.9).all()


def test_blind_preferences_are_turned_by_a_coin_of_every_item() -> None:
    pairs = simulate_preferences(
        {"base": 40.0, "best": -40.0}, -0.5, n_prompts=60, annotators=("a", "b"), seed=0
    )
    data = paired(with_repeats(pairs))
    assert set(data.answers.loc[data.answers["kind"] == "rating", "value"]) == {-1.0}
    hidden = blinded(data, "secret").answers
    rated = hidden[hidden["kind"] == "rating"]
    # All prefer one system, which the values do not tell; annotators of an item still agree.
    assert 0.3 < (rated["value"] == 1).mean() < 0.7
    assert (rated.groupby("item_code")["value"].nunique() == 1).all()
    turned = blinded(data, "another").answers["value"]
    assert (turned != hidden["value"]).any()


def test_blind_tables_of_exchanged_systems_differ_by_their_letters_only() -> None:
    data = data_of(replace(SMALL, systems={"base": -2.0, "best": 2.0}))
    names = {"base": "best", "best": "base"}
    other = replace(
        data,
        answers=data.answers.replace({"system": names}),
        texts=data.texts.replace({"system": names}),
    )
    found = []
    for one in (data, other):
        tables = blind_tables(blinded(one, "secret"), n_resamples=20)
        rows = tables.pop("agreement")
        letters = rows.groupby("system").size()
        assert set(letters.index) == {"all", "System A", "System B"}
        assert letters["System A"] == letters["System B"]
        told = rows.drop(columns="system").round(9).astype(str)
        by = [str(name) for name in told.columns]
        tables["agreement"] = told.sort_values(by, ignore_index=True)
        found.append(as_records(tables))
    assert differences(*found) == []


def test_letters_count_pairs_of_systems_and_no_exercises() -> None:
    pairs = simulate_preferences(
        dict.fromkeys(("base", "best", "grid"), 0.0), 0.0, n_prompts=9, annotators=("a",), seed=0
    )
    exercise = pairs.iloc[:1].assign(
        kind="practice", item_code="exercise", system_a="", system_b=""
    )
    damaged = pairs.iloc[1:2].assign(kind="gold", item_code="gold", system_b="")
    data = paired(pd.concat([pairs, exercise, damaged]))
    data = replace(data, texts=paired(pairs).texts)
    for key in ("one", "two", "three"):
        letters = set(blinded(data, key).answers["system"]) - {""}
        assert letters == {"Pair A", "Pair B", "Pair C"}


def test_there_are_no_letters_where_the_number_of_responses_tells_the_system() -> None:
    data = data_of(SMALL)
    few = data.answers["system"].eq("base") & (data.answers["prompt_index"] > 5)
    gone = data.texts["system"].eq("base") & data.texts["source_item"].str[-1:].isin(list("6789"))
    data = replace(data, answers=data.answers[~few], texts=data.texts[~gone])
    tables = blind_tables(blinded(data, "secret"), n_resamples=20)
    assert set(tables["agreement"]["system"]) == {"all"}
    # Of pairs: equal texts are not shown.
    pairs = simulate_preferences(
        dict.fromkeys(("base", "best", "grid"), 0.0), 0.0, n_prompts=9, annotators=("a",), seed=0
    )
    told = paired(pairs)
    equal = told.texts["source_item"].eq("set/0") & (told.texts["system"] != "grid")
    hidden = blinded(replace(told, texts=told.texts.mask(equal, told.texts.assign(text="x"))), "k")
    assert set(hidden.answers["system"]) == {"Pairs"}


def test_a_study_without_ratings_has_coverage_and_pace_only() -> None:
    data = data_of(SMALL)
    empty = StudyData(
        mode="rating",
        items=data.items,
        answers=data.answers.iloc[:0],
        pairs=None,
        automatic=data.automatic,
        texts=data.texts,
    )
    tables = study_tables(empty)
    assert set(tables) == {"coverage", "pace"}
    assert tables["coverage"]["n_ratings"].sum() == 0


def test_coverage_counts_complete_items_and_skips() -> None:
    answers = ratings_of({"a": [[2, 1], [1], [0]]})
    answers.loc[answers["item_code"] == "a2", "is_skipped"] = True
    items = pd.DataFrame(
        {"item_code": ["a0", "a1", "a2", "a3"], "kind": "rating", "data_set": "", "n_wanted": 2.0}
    )
    [row] = coverage(items, answers).to_dict("records")
    assert row["n_items"] == 4
    assert row["n_complete"] == 1
    assert row["n_ratings"] == 3
    assert row["n_wanted"] == 8
    assert row["n_skips"] == 1


def test_a_pairwise_study_has_strengths_and_agreement() -> None:
    strengths = {"base": -0.5, "best": 0.5}
    pairs = simulate_preferences(strengths, 0.0, n_prompts=20, annotators=("a", "b"), seed=0)
    answers = pairs_as_answers(pairs)
    assert set(answers["value"]) <= {-1.0, 0.0, 1.0}
    data = paired(pairs, texts_of(pairs.rename(columns={"system_a": "system"})))
    tables = study_tables(data, n_resamples=50)
    assert "means" not in tables
    assert tables["bradley_terry"]["system"].tolist() == ["best", "base", "(tie)"]
    assert tables["agreement"]["n_shared"].max() == 20
    assert tables["identification"]["note"].tolist() == [
        "One system alone: there is nothing to guess."
    ]


def test_values_of_a_pair_of_systems_mean_the_same_whichever_the_plan_calls_a() -> None:
    pairs = simulate_preferences(
        {"base": -0.5, "best": 0.5}, 0.0, n_prompts=20, annotators=("x", "y"), seed=0
    )
    turned = pairs.rename(columns={"system_a": "system_b", "system_b": "system_a"}).assign(
        preference=pairs["preference"].map({"a": "b", "b": "a", "tie": "tie"}),
        shown_first=pairs["shown_first"].map({"a": "b", "b": "a"}),
    )
    is_odd = pairs["prompt_index"] % 2 == 1
    pd.testing.assert_frame_equal(
        pairs_as_answers(turned.where(is_odd, pairs)), pairs_as_answers(pairs)
    )
    # A damaged copy has no system and stays second, whatever the names.
    copies = pairs.assign(kind="gold", system_b="", preference="a")
    assert set(pairs_as_answers(copies)["value"]) == {-1.0}


def test_a_preference_for_a_text_that_systems_share_counts_for_each_pair_its_own_way() -> None:
    # "b" and "z" gave the same text, which everybody prefers to that of "m": for the first of
    # "b / m", for the second of "m / z".
    pairs = simulate_preferences(
        {"b": 0.0, "m": 0.0}, 0.0, n_prompts=4, annotators=("x", "y"), seed=0
    ).assign(preference="a")
    shared = pd.concat([pairs, pairs.assign(system_a="z")], ignore_index=True)
    answers = pairs_as_answers(shared)
    tables = {cell.system: table for cell, table in cells(answers, resamples_of(answers))}
    assert set(tables["b / m"].values.ravel()) == {-1.0}
    assert set(tables["m / z"].values.ravel()) == {1.0}
    mixed = answers.sample(frac=1, random_state=0)
    (whole,) = (table for cell, table in cells(mixed, resamples_of(mixed)) if cell.system == "all")
    assert set(whole.values.ravel()) == {-1.0}


def test_differences_name_the_table_row_and_column() -> None:
    one = {"a": [{"x": 1.0, "y": None}], "b": []}
    assert differences(one, {"a": [{"x": 1.0 + 1e-12, "y": None}], "b": []}) == []
    assert differences(one, {"a": [{"x": 1.1, "y": None}], "b": []}) == [
        "a, row 0, x: 1.0 against 1.1"
    ]
    assert differences(one, {"a": [], "c": []}) == [
        "table b is missing",
        "table c is missing",
        "a: 1 rows against 0",
    ]
