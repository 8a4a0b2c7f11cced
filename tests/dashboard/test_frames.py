from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from dashboard.frames import numbers, runs, texts, training


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
def spent() -> runs.Cost:
    steps = pd.DataFrame(
        {
            "adapter": ["x", "x", "y"],
            "data_points": [16, 32, 48],
            "seconds": [1.0, 2.0, 5.0],
        }
    )
    evaluations = pd.DataFrame(
        {
            "kind": ["measured", "measured", "shared", "zero"],
            "means": [[0.5], [0.6], [0.5], None],
            "seconds": [0.5, 0.5, 0.0, 0.0],
        }
    )
    prompts = pd.DataFrame({"split": ["aggregation"] * 10 + ["train"] * 80})
    return runs.cost(steps, evaluations, prompts)


def test_parallel_counts_the_longest_adapter_and_total_counts_all(spent: runs.Cost) -> None:
    # Search: 2 measured directions x 10 prompts = 20. Longest 48 + 20; all 32 + 48 + 20.
    table = runs.cost_table(spent)
    assert list(table["data points"]) == [68, 100]
    assert list(table["seconds"]) == [6.0, 8.0]


def test_a_run_without_training_costs_nothing() -> None:
    nothing = pd.DataFrame({"adapter": [], "data_points": [], "seconds": []})
    empty = pd.DataFrame({"kind": [], "means": [], "seconds": [], "split": []})
    table = runs.cost_table(runs.cost(nothing, empty, empty))
    assert list(table["data points"]) == [0, 0]


ATLASES = pd.DataFrame(
    {
        "split": ["aggregation", "aggregation", "own"],
        "n_cells": [8, 5, 100],
        "covered": [1.0, 0.5, 0.1],
        "seconds": [2.0, 1.5, 50.0],
    }
)


def test_a_search_in_an_atlas_costs_the_atlas_too() -> None:
    steps = pd.DataFrame({"adapter": ["x"], "data_points": [16], "seconds": [1.0]})
    evaluations = pd.DataFrame({"kind": ["measured"], "means": [[0.5]], "seconds": [0.5]})
    prompts = pd.DataFrame({"split": ["aggregation"] * 2})
    assert runs.cost(steps, evaluations, prompts, ATLASES).search_seconds == 4.0


def test_a_proof_is_told_in_numbers() -> None:
    none = pd.DataFrame(columns=["split"])
    assert runs.proof_text(none, ATLASES.iloc[2:]) == ""
    assert runs.proof_text(none, ATLASES) == (
        "Atlas: 13 responses to 2 prompts cover 75.00 % of all weights."
    )
    proof = {"weights": (0.25, 0.75), "mean_reward": 0.5, "upper_bound": 0.625, "radius": 0.01}
    told = runs.proof_text(pd.DataFrame([{"split": "aggregation"} | proof]), ATLASES)
    assert "no weights have a mean reward above 0.625; the weights 0.250, 0.750 have" in told
    assert "0.500, and may move by 0.010" in told


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
