from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from emorl.atlas.rows import ScoredAtlas
from emorl.records import Split
from emorl.runs.schema import COLUMNS
from emorl.weights import direction_key
from emorl_dashboard.frames import compare, compare_runs
from emorl_dashboard.frames.comparison import (
    comparison,
    interval_text,
    intervals,
    sample_rows,
    verdict,
)
from tests.support.dashboard_atlases import halves

OBJECTIVES = ("reflection", "empathy", "fluency")


def rows_of(name: str, *rows: dict[str, object]) -> pd.DataFrame:
    """Rows of a published table; columns that are not given are empty."""
    columns = COLUMNS[name].names
    return pd.DataFrame(
        [{column: row.get(column) for column in columns} for row in rows], columns=columns
    )


def evaluation(search: str, weights: list[float], means: list[float]) -> dict[str, object]:
    return {
        "search": search,
        "weights": weights,
        "direction_key": direction_key(tuple(weights)),
        "kind": "measured",
        "means": means,
        "mean_reward": sum(means) / len(means),
        "seconds": 2.0,
    }


EVALUATIONS = rows_of(
    "evaluations",
    evaluation("hierarchical", [1.0, 0.0, 0.0], [0.9, 0.3, 0.6]),
    evaluation("hierarchical", [0.0, 1.0, 0.0], [0.2, 0.4, 0.6]),
    evaluation("random", [0.0, 0.5, 0.5], [0.1, 0.1, 0.1]),
)
CERTIFICATES = rows_of(
    "certificates",
    {
        "split": "aggregation",
        "weights": [0.7, 0.2, 0.1],
        "means": [0.9, 0.3, 0.6],
        "mean_reward": 0.6,
        "seconds": 3.0,
    },
)


def system(name: str, weights: list[float] | None, means: list[float]) -> dict[str, object]:
    return {"system": name, "decoding": "greedy", "weights": weights, "means": means}


def answer(name: str, prompt: int, text: str, scores: list[float]) -> dict[str, object]:
    return {
        "system": name,
        "decoding": "greedy",
        "prompt_index": prompt,
        "text": text,
        "scores": scores,
    }


SYSTEMS = rows_of(
    "systems",
    system("base", None, [0.1, 0.2, 0.3]),
    system("best", [1.0, 0.0, 0.0], [0.5, 0.5, 0.5]),
)
ANSWERS = rows_of(
    "system_responses",
    answer("base", 0, "Base.", [0.1, 0.2, 0.3]),
    answer("base", 1, "Base.", [0.1, 0.2, 0.3]),
    answer("best", 0, "Best zero.", [0.4, 0.5, 0.6]),
    answer("best", 1, "Best one.", [0.6, 0.5, 0.4]),
)


def tables(split: Split, scored: list[ScoredAtlas] | None = None) -> compare.Tables:
    return compare.Tables(
        split=split,
        evaluations=EVALUATIONS,
        responses=rows_of(
            "responses",
            {
                "direction_key": direction_key((1.0, 0.0, 0.0)),
                "prompt_index": 7,
                "text": "Evaluated.",
                "scores": [0.9, 0.3, 0.6],
            },
        ),
        systems=SYSTEMS,
        system_responses=ANSWERS,
        certificates=CERTIFICATES,
        scored=scored or [],
    )


def by_key(known: list[compare.Method]) -> dict[str, compare.Method]:
    return {method.key: method for method in known}


def test_every_search_of_the_store_is_a_method() -> None:
    known = by_key(compare.methods(tables("aggregation", [halves()]), OBJECTIVES))
    assert known["hierarchical"].weights == (1.0, 0.0, 0.0)
    assert known["random"].weights == (0.0, 0.5, 0.5)
    assert known["certified"].label == "Certified search"


def test_an_atlas_gives_any_weights_numbers_and_evaluations_fill_the_rest() -> None:
    known = by_key(
        compare.methods(tables("aggregation", [halves()]), OBJECTIVES, [(1.0, 2.0, 0.0)])
    )
    assert known["weights 1,2,0"].texts.to_dict() == {0: "B is second"}
    # Prompt 0 is mapped; prompt 7 was only evaluated, at this direction.
    assert known["hierarchical"].texts.to_dict() == {0: "A is first", 7: "Evaluated."}
    assert known["hierarchical"].rewards.to_dict() == pytest.approx({0: 0.6, 7: 0.6})


def test_weights_that_a_method_has_already_are_not_repeated() -> None:
    keys = [
        method.key
        for method in compare.methods(
            tables("aggregation", [halves()]), OBJECTIVES, [(2.0, 2.0, 2.0), (1.0, 2.0, 0.0)]
        )
    ]
    assert [key for key in keys if key.startswith("weights")] == ["weights 1,2,0"]


def test_without_an_atlas_of_held_out_prompts_only_the_systems_have_numbers() -> None:
    known = compare.methods(tables("inference"), OBJECTIVES)
    assert [method.key for method in known if method.is_known] == [
        "base",
        "adapter:reflection",
        "hierarchical",
    ]
    # The best ensemble is what the search found, and on one ray with an adapter: nothing twice.
    assert by_key(known)["hierarchical"].texts.to_dict() == {0: "Best zero.", 1: "Best one."}


def test_open_responses_have_no_numbers() -> None:
    open_second = tables("inference", [halves(split_name="inference", open_cell=1)])
    known = by_key(compare.methods(open_second, OBJECTIVES, [(1.0, 2.0, 0.0)]))
    assert not known["weights 1,2,0"].is_known


def test_the_reference_falls_back_to_base_then_equal_weights() -> None:
    known = compare.methods(tables("inference"), OBJECTIVES)
    assert compare.reference_key(known, "certified") == "certified"
    assert compare.reference_key(known, "absent") == "base"
    assert compare.reference_key(known[1:], "absent") == "equal"
    assert compare.key_of(known, (2.0, 0.0, 0.0)) == "adapter:reflection"
    assert compare.key_of(known, None) == ""


def test_intervals_are_seeded_and_close_to_the_normal_ones() -> None:
    values = np.random.default_rng(5).normal(0.3, 0.1, size=(400, 1))
    low, high = intervals(values)
    error = values.std(ddof=1) / math.sqrt(400)
    assert low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)
    assert (intervals(values)[0] == low).all()


def test_one_prompt_has_no_interval() -> None:
    low, high = intervals(np.array([[0.5, 0.7]]))
    assert np.isnan([*low, *high]).all()


def method(key: str, rewards: list[float]) -> compare.Method:
    scores = pd.DataFrame(dict.fromkeys(OBJECTIVES, rewards), index=range(len(rewards)))
    return compare.Method(
        key, key.capitalize(), None, scores, pd.Series([key] * len(rewards), scores.index)
    )


def test_a_paired_difference_is_surer_than_the_scores_themselves() -> None:
    # Prompts differ widely, but the second is 0.05 to 0.06 better on each.
    first = np.linspace(0.1, 0.8, 20)
    better = first + np.where(np.arange(20) % 2, 0.05, 0.06)
    known = [method("one", first.tolist()), method("two", better.tolist())]
    rows = comparison(known, known[0], OBJECTIVES)
    two = rows[(rows["method"] == "two") & (rows["measure"] == "mean_reward")].iloc[0]
    assert two["low"] < first.mean()
    assert two["difference"] == pytest.approx(0.055)
    assert 0.05 <= two["difference_low"] < two["difference_high"] <= 0.06
    assert verdict(rows, known[0]) == "Against One, in mean reward: ahead of it: Two."


def test_only_prompts_that_both_have_are_compared_and_ties_count_half() -> None:
    known = [method("one", [0.5, 0.5, 0.5]), method("two", [0.5, 0.6])]
    rows = comparison(known, known[0], OBJECTIVES)
    two = rows[rows["method"] == "two"].set_index("measure")
    assert two.loc["mean_reward", "n_shared"] == 2
    assert two.loc["wins", "value"] == 0.75
    assert "not told apart by these prompts: Two" in verdict(rows, known[0])


def test_methods_without_a_prompt_in_common_have_no_difference() -> None:
    far = method("far", [0.5, 0.6])
    far = compare.Method("far", "Far", None, far.scores.set_axis([8, 9]), far.texts)
    rows = comparison([far], method("one", [0.5]), OBJECTIVES)
    assert rows["difference"].isna().all()
    assert verdict(rows, method("one", [0.5])) == ""


def test_numbers_are_written_with_their_interval() -> None:
    assert interval_text(0.5, 0.4, 0.6) == "0.500 [0.400, 0.600]"
    assert interval_text(-0.1, -0.2, 0.0, sign=True) == "-0.100 [-0.200, +0.000]"
    assert interval_text(0.5, math.nan, math.nan) == "0.500"
    assert interval_text(math.nan, 0.1, 0.2) == "–"  # noqa: RUF001


def test_responses_stand_side_by_side_where_there_is_one() -> None:
    known = compare.methods(tables("aggregation", [halves()]), OBJECTIVES)
    rows = sample_rows(known, 7, OBJECTIVES)
    assert list(rows["text"]) == ["Evaluated.", "Evaluated."]
    assert list(rows["method"]) == ["adapter:reflection", "hierarchical"]
    assert sample_rows(known, 99, OBJECTIVES).empty


def test_each_search_costs_what_it_evaluated_and_the_atlas() -> None:
    known = compare.methods(tables("aggregation", [halves()]), OBJECTIVES)
    adapters = rows_of(
        "adapters",
        *(
            {"adapter": name, "data_points": 100, "seconds": 10.0 + place}
            for place, name in enumerate(OBJECTIVES)
        ),
    )
    atlases = rows_of("atlases", {"split": "aggregation", "seconds": 0.5})
    table = compare.cost_table(known, adapters, EVALUATIONS, CERTIFICATES, atlases, n_prompts=12)
    cost = {label: numbers for label, *numbers in table.itertuples(index=False, name=None)}
    assert cost["Only empathy"] == [100, 11.0, 0, 0, 0.0]
    # Two directions on 12 prompts, 2 s each, and the atlas.
    assert cost["Hierarchical search"] == [300, 33.0, 2, 24, 4.5]
    assert cost["Certified search"] == [300, 33.0, 0, 1, 3.5]
    assert cost["Equal weights"] == [300, 33.0, 0, 0, 0.0]


@pytest.mark.parametrize(
    ("split", "labels"),
    [
        ("inference", ["Base", "Best ensemble"]),
        (
            "aggregation",
            [
                "Only reflection",
                "Only empathy",
                "Hierarchical search",
                "Random search",
                "Certified search",
            ],
        ),
    ],
)
def test_a_run_tells_its_methods_from_the_small_tables(split: Split, labels: list[str]) -> None:
    rows = compare_runs.run_rows(
        "a",
        split,
        OBJECTIVES,
        evaluations=EVALUATIONS,
        systems=SYSTEMS,
        certificates=CERTIFICATES,
    )
    assert [row["label"] for row in rows] == labels


def test_runs_are_summed_up_with_their_spread() -> None:
    rows: list[compare_runs.Row] = [
        {"run": "a", "label": "Base", "mean_reward": 0.4} | dict.fromkeys(OBJECTIVES, 0.4),
        {"run": "b", "label": "Base", "mean_reward": 0.6} | dict.fromkeys(OBJECTIVES, 0.6),
        {"run": "b", "label": "Other", "mean_reward": 0.9} | dict.fromkeys(OBJECTIVES, 0.9),
    ]
    summary = compare_runs.over_runs(rows, OBJECTIVES)
    base, other = summary[summary["measure"] == "mean_reward"].to_dict("records")
    assert (base["n_runs"], base["lowest"], base["highest"]) == (2, 0.4, 0.6)
    assert base["mean"] == pytest.approx(0.5)
    assert base["sd"] == pytest.approx(math.sqrt(0.02))
    assert other["n_runs"] == 1
    assert math.isnan(other["sd"])
