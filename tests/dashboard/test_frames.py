from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emorl.runs import summary
from emorl.runs.cost import Cost, Usage
from emorl.runs.folder import run_folder
from emorl.runs.snapshots import read_snapshot
from emorl_dashboard.frames import cards, numbers, runs, seeds, texts, training
from tests.dashboard.test_weight_space_frames import OBJECTIVES, SEARCH


@pytest.mark.parametrize(
    ("score", "error", "text"),
    [(0.9321, 0.0118, "0.932 ± 0.012"), (0.5, None, "0.500"), (math.nan, 0.1, "–")],  # noqa: RUF001
)
def test_scores_are_written_with_their_error(score: float, error: float | None, text: str) -> None:
    assert numbers.score_text(score, error) == text


def test_weights_are_written_exactly_to_a_32nd() -> None:
    assert numbers.weights_text((0.03125, 1.0, 0.0)) == "0.03125,1,0"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7260, "2 h 1 min")]
)
def test_durations_name_their_units(seconds: float, text: str) -> None:
    assert numbers.duration_text(seconds) == text


def test_the_error_of_the_mean_reward_is_over_prompts_not_responses() -> None:
    # Means of the prompts: 0.2 and 0.6; sd = 0.2 * sqrt(2); over sqrt(2) prompts: 0.2.
    scores = pd.DataFrame({"a": [0.1, 0.3, 0.6, 0.6], "b": [0.1, 0.3, 0.6, 0.6]})
    assert numbers.mean_reward_error(scores, pd.Series([0, 0, 1, 1])) == pytest.approx(0.2)


def test_one_prompt_has_no_standard_error() -> None:
    assert math.isnan(numbers.mean_reward_error(pd.DataFrame({"a": [0.5]}), pd.Series([0])))


@pytest.fixture
def spent() -> Cost:
    return runs.cost(STEPS, EVALUATIONS, PROMPTS, RESPONSES, NO_ATLASES)


STEPS = pd.DataFrame(
    {
        "adapter": ["x", "x", "y"],
        "data_points": [16, 32, 48],
        "samples": [48, 96, 144],
        "tokens": [100, 200, 500],
        "seconds": [1.0, 2.0, 5.0],
    }
)
EVALUATIONS = pd.DataFrame(
    {
        "search": ["hierarchical"] * 4 + ["random"],
        "kind": ["measured", "measured", "shared", "zero", "measured"],
        "direction_key": ["a", "b", "a", "zero", "c"],
        "seconds": [0.5, 0.5, 0.0, 0.0, 90.0],
    }
)
PROMPTS = pd.DataFrame({"split": ["aggregation"] * 10 + ["train"] * 80})
RESPONSES = pd.DataFrame({"direction_key": ["a", "a", "b", "c"], "n_tokens": [3, 4, 5, 900]})
NO_ATLASES = pd.DataFrame({"split": [], "seconds": []})


def test_parallel_counts_the_longest_adapter_and_total_counts_all(spent: Cost) -> None:
    # Search: 2 measured directions x 10 prompts = 20. Longest 48 + 20; all 32 + 48 + 20.
    table = runs.cost_table(spent)
    assert list(table["data points"]) == [68, 100]
    assert list(table["seconds"]) == [6.0, 8.0]


def test_the_cost_in_samples_and_tokens_leaves_other_searches_out(spent: Cost) -> None:
    assert spent.search == Usage(data_points=20, samples=20, tokens=12, seconds=1.0)
    assert spent.parallel == Usage(data_points=68, samples=164, tokens=512, seconds=6.0)
    assert spent.total == Usage(data_points=100, samples=260, tokens=712, seconds=8.0)


def test_a_run_without_training_costs_nothing() -> None:
    tables = (STEPS, EVALUATIONS, PROMPTS, RESPONSES, NO_ATLASES)
    table = runs.cost_table(runs.cost(*(frame.iloc[:0] for frame in tables)))
    assert list(table["data points"]) == [0, 0]


def test_the_summary_counts_as_the_pages_do(artifacts: Path) -> None:
    folder = run_folder(artifacts, "finished")
    names = ("training_steps", "evaluations", "prompts", "responses", "atlases")
    frames = [read_snapshot(folder, name).to_pandas() for name in names]
    spent = runs.cost(*frames)
    assert summary.cost(folder) == {
        "parallel": asdict(spent.parallel),
        "total": asdict(spent.total),
    }
    assert spent.search.tokens > 0


ATLASES = pd.DataFrame(
    {
        "split": ["aggregation", "aggregation", "own"],
        "n_cells": [8, 5, 100],
        "covered": [1.0, 0.5, 0.1],
        "seconds": [2.0, 1.5, 50.0],
    }
)


def test_a_search_in_an_atlas_costs_the_atlas_too() -> None:
    spent = runs.cost(STEPS, EVALUATIONS, PROMPTS, RESPONSES, ATLASES)
    assert spent.search.seconds == 4.5


def test_a_proof_is_told_in_numbers() -> None:
    none = pd.DataFrame(columns=["split"])
    assert runs.proof_text(none, ATLASES.iloc[2:]) == ""
    assert runs.proof_text(none, ATLASES) == (
        "Atlas: 13 responses to 2 prompts cover 75.00 % of all weights."
    )
    proof = {
        "weights": (0.25, 0.75),
        "mean_reward": 0.5,
        "upper_bound": 0.625,
        "radius": 0.01,
        "area": 0.1,
    }
    told = runs.proof_text(pd.DataFrame([{"split": "aggregation"} | proof]), ATLASES)
    assert "no weights have a mean reward above 0.625; the weights 0.250, 0.750 have" in told
    assert "0.500, and may move by 0.010" in told
    proof |= {"radius": 0.0, "area": 0.0}
    told = runs.proof_text(pd.DataFrame([{"split": "aggregation"} | proof]), ATLASES)
    assert told.endswith("the weights 0.250, 0.750 have at least 0.500.")


def test_systems_stand_in_the_order_base_adapters_best() -> None:
    names = ["best", "adapter:b1", "base", "adapter:a1"]
    systems = pd.DataFrame(
        {
            "system": names,
            "decoding": "greedy",
            "mean_reward": [0.9, 0.5, 0.2, 0.4],
            "n_distinct": 2,
            "n_responses": 2,
            "means": [[0.5, 0.5]] * 4,
            "standard_errors": [[0.1, 0.1]] * 4,
        }
    )
    responses = pd.DataFrame(
        {
            "system": ["best", "best"],
            "decoding": "greedy",
            "prompt_index": [0, 1],
            "scores": [[0.2, 0.2], [0.6, 0.6]],
        }
    )
    frame = runs.system_frame(systems, responses, ("a1", "b1"), decoding="greedy")
    assert list(frame["system"]) == ["base", "adapter:a1", "adapter:b1", "best"]
    assert frame["mean_reward_se"].iloc[-1] == pytest.approx(0.2)
    assert runs.system_table(frame, ("a1", "b1"))["a1"].iloc[0] == "0.500 ± 0.100"


def test_responses_meet_the_prompts_of_their_split() -> None:
    prompts = pd.DataFrame(
        {
            "split": ["aggregation", "inference"],
            "prompt_index": [0, 0],
            "prompt": ["asked", "other"],
        }
    )
    responses = pd.DataFrame(
        {"prompt_index": [0], "text": ["said"], "scores": [np.array([0.2, 0.4])]}
    )
    table = texts.response_table(responses, prompts, ("a1", "b1"), split="aggregation")
    row = table.iloc[0]
    assert (row["prompt"], row["response"], row["b1"]) == ("asked", "said", 0.4)
    assert row["mean reward"] == pytest.approx(0.3)


def test_half_of_the_responses_distinct_is_variety_enough() -> None:
    adapters = pd.DataFrame(
        {"adapter": ["fine", "poor"], "n_distinct": [6, 5], "n_responses": [12, 12]}
    )
    warnings = training.low_variety(adapters)
    assert len(warnings) == 1
    assert "poor repeats itself: 5 of 12" in warnings[0]


def test_the_running_mean_does_not_cross_adapters() -> None:
    steps = pd.DataFrame(
        {"adapter": ["x", "x", "y"], "step": [1, 2, 1], "reward": [0.0, 1.0, 9.0], "kl": 0.0}
    )
    assert list(training.step_frame(steps)["reward_smooth"]) == [0.5, 0.5, 9.0]


def two_runs() -> pd.DataFrame:
    one = pd.DataFrame({"adapter": "a1", "x": [0, 10], "y": [0.0, 1.0]})
    other = pd.DataFrame({"adapter": "a1", "x": [5, 10, 20], "y": [0.1, 0.2, 0.9]})
    return training.together({"one": one, "other": other})


def test_a_band_goes_from_the_lowest_run_to_the_highest_where_all_have_got() -> None:
    band = training.band(two_runs(), "x", "y")
    assert list(band["x"]) == [5, 10]
    assert list(band["low"]) == pytest.approx([0.1, 0.2])
    assert list(band["high"]) == pytest.approx([0.5, 1.0])
    assert list(band["mean"]) == pytest.approx([0.3, 0.6])


def test_runs_that_do_not_overlap_have_no_band() -> None:
    apart = two_runs()
    apart.loc[apart["run"] == "other", "x"] += 100
    assert training.band(apart, "x", "y").empty
    assert training.band(apart.iloc[:0], "x", "y").empty


def test_words_are_marked_where_a_response_changed() -> None:
    first, second = training.changes(["say it", "say that"])
    assert first == [("say it", "same")]
    assert [text.strip() for text, mark in second if mark == "own"] == ["that"]


def test_one_prompt_is_followed_through_the_steps() -> None:
    samples = pd.DataFrame(
        {
            "adapter": ["a1", "a1", "a1", "b1"],
            "step": [8, 0, 8, 0],
            "prompt_index": [1, 1, 1, 1],
            "text": ["later", "first", "another sample", "other adapter"],
            "scores": [[0.4, 0.6], [0.0, 0.2], [0.9, 0.9], [1.0, 1.0]],
        }
    )
    told = training.samples_of_prompt(samples, ("a1", "b1"), "a1", 1)
    assert list(told["response"]) == ["first", "later"]
    assert list(told["mean reward"]) == pytest.approx([0.1, 0.5])


def test_what_training_changed_is_told_own_reward_first() -> None:
    curves = pd.DataFrame({"adapter": "b1", "a1": [0.5, 0.4], "b1": [0.1, 0.6]})
    told = training.trade_off_sentence(curves, ("a1", "b1"), "b1")
    assert told == "From first to last validation: b1 +0.500, a1 -0.100."
    assert training.trade_off_sentence(curves.iloc[:1], ("a1", "b1"), "b1") == ""


def card_of(evaluations: pd.DataFrame) -> cards.RunCard:
    return cards.RunCard(
        n_points=len(evaluations),
        best=cards.best_row(evaluations, OBJECTIVES),
        mean_reward_se=0.02,
        history=cards.history(evaluations),
        cost=runs.cost(STEPS, EVALUATIONS, PROMPTS, RESPONSES, NO_ATLASES),
    )


def test_a_card_has_the_best_weights_and_the_way_there() -> None:
    card = card_of(SEARCH)
    scored = SEARCH["mean_reward"].dropna()
    assert card.best is not None
    assert card.best_reward == scored.max()
    assert card.history[-1] == scored.max()
    assert list(card.history) == sorted(card.history)
    empty = card_of(SEARCH.iloc[:0])
    assert (empty.best, empty.history) == (None, ())
    assert cards.objective_lines(None, OBJECTIVES) == list(OBJECTIVES)


def test_a_long_history_keeps_its_ends() -> None:
    n_rows = 1000
    rows = pd.DataFrame(
        {
            "search": "hierarchical",
            "round": 1,
            "point": range(n_rows),
            "mean_reward": np.linspace(0, 1, n_rows),
        }
    )
    history = cards.history(rows)
    assert len(history) == cards.HISTORY_POINTS
    assert (history[0], history[-1]) == (0.0, 1.0)


def entry(name: str, **changes: object) -> seeds.Entry:
    scores = {"mean_reward": 0.5, "mean_reward_se": 0.1}
    scores |= {"a1": 0.4, "a1_se": 0.1, "b1": 0.6, "b1_se": 0.1}
    settings: dict[str, object] = {
        "run_id": name,
        "state": "finished",
        "seed": 3,
        "objectives": OBJECTIVES,
        "card": card_of(SEARCH),
        "held_out": scores,
    }
    return seeds.Entry(**(settings | changes))  # type: ignore[arg-type]


def test_the_interval_over_runs_is_students_t() -> None:
    other = {"mean_reward": 0.7, "mean_reward_se": 0.1, "a1": 0.4, "a1_se": 0.1}
    entries = [entry("one"), entry("two", held_out=other | {"b1": 1.0, "b1_se": 0.1})]
    frame = seeds.score_frame(entries, OBJECTIVES, split=seeds.HELD_OUT)
    spread = seeds.over_runs(frame, OBJECTIVES)
    # Two runs: t(1) at 97.5 % is 12.706; the deviation 0.1414 over sqrt(2) is 0.1.
    assert spread["mean_reward"] == pytest.approx(0.6)
    assert spread["mean_reward_half"] == pytest.approx(1.2706, abs=1e-3)
    assert "Mean over 2 runs: 0.600" in seeds.summary_sentence(frame, spread, left_out=[])
    assert seeds.over_runs(frame.iloc[:1], OBJECTIVES) == {}


def test_runs_of_other_objectives_or_without_scores_are_left_out() -> None:
    entries = [entry("one"), entry("two", objectives=("x", "y")), entry("three", held_out={})]
    frame = seeds.score_frame(entries, OBJECTIVES, split=seeds.HELD_OUT)
    assert list(frame["run"]) == ["one"]
    searched = seeds.score_frame(entries, OBJECTIVES, split=seeds.AGGREGATION)
    assert list(searched["run"]) == ["one", "three"]
    table = seeds.comparison_table(entries)
    assert list(table["mean reward, held out"]) == ["0.500 ± 0.100", "0.500 ± 0.100", "–"]  # noqa: RUF001


def test_a_proof_without_numbers_says_so() -> None:
    atlases = pd.DataFrame([{"split": "aggregation", "n_cells": 4, "covered": 1.0}])
    proofs = pd.DataFrame(
        [
            {
                "split": "aggregation",
                "weights": [0.5, 0.5],
                "mean_reward": math.nan,
                "upper_bound": 0.5,
                "radius": 0.1,
            }
        ]
    )
    told = runs.proof_text(proofs, atlases)
    assert "nan" not in told
    assert told.endswith("Scores on them are not numbers, so nothing is proven.")


def test_systems_stand_in_the_order_of_every_page() -> None:
    names = ["best", "adapter:b1", "else", "base", "adapter:a1"]
    rows = runs.sort_systems(pd.DataFrame({"system": names}), OBJECTIVES)
    assert list(rows["system"]) == ["base", "adapter:a1", "adapter:b1", "best", "else"]


def test_rows_of_texts_are_as_high_as_the_longest_up_to_a_limit() -> None:
    widths = {"prompt": 260, "response": 360}

    def height(text: str) -> int:
        return texts.row_height(pd.DataFrame({"prompt": [text], "response": ["short"]}), widths)

    assert height("short") < height("word " * 20) < height("word " * 30)
    assert height("word " * 400) == height("word " * 4000)
    assert texts.row_height(pd.DataFrame({"prompt": [], "response": []}), widths) > 0
