"""Rewards that are Python functions: found, called in batches, and checked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emorl.config.kinds import REWARDS
from emorl.errors import RewardError
from emorl.rewards.callable import CallableScorer, load_callable


def _config(target: str) -> Any:
    return REWARDS.config("callable", target=target)


def test_a_function_in_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_rewards_here.py").write_text(
        "def short(prompts, responses):\n    return [1 / (1 + len(r)) for r in responses]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    scorer = load_callable("x", _config("my_rewards_here:short"))
    np.testing.assert_allclose(scorer(["p", "p"], ["abc", "a"]), [0.25, 0.5])


def test_the_function_gets_short_pairs_first_and_no_more_than_a_batch() -> None:
    calls: list[list[str]] = []

    def score(_prompts: list[str], responses: list[str]) -> list[float]:
        calls.append(responses)
        return [len(response) / 10 for response in responses]

    scores = CallableScorer("x", score, 2)(["p"] * 5, ["12345", "1", "123", "1234", "12"])
    assert calls == [["1", "12"], ["123", "1234"], ["12345"]]
    np.testing.assert_allclose(scores, [0.5, 0.1, 0.3, 0.4, 0.2])


@pytest.mark.parametrize("wrap", [list, tuple, np.array, torch.tensor])
def test_lists_arrays_and_tensors_are_scores(wrap: Callable[[list[float]], object]) -> None:
    scorer = CallableScorer("x", lambda _prompts, _responses: wrap([0.0, 0.25, 1.0]), 8)
    np.testing.assert_array_equal(scorer(["p"] * 3, ["a", "b", "c"]), [0.0, 0.25, 1.0])


NO_SCORES = {
    "too large": ([0.5, 1.5], r"from 0 to 1, but is 1.5 for prompt 'p2', response 'r2'.*1 of 2"),
    "negative": ([-0.1, 0.5], r"but is -0.1 for prompt 'p1', response 'r1'"),
    "not a number": ([0.5, float("nan")], r"but is nan for prompt 'p2'"),
    "infinite": ([float("inf"), 0.5], r"but is inf for prompt 'p1'"),
    "too few": ([0.5], r"one number per pair, 2 in all, but returned list of shape \(1,\)"),
    "too many": ([0.5] * 3, r"returned list of shape \(3,\)"),
    "a table": ([[0.5], [0.5]], r"returned list of shape \(2, 1\)"),
    "one number": (0.5, r"returned float of shape \(\)"),
    "nothing": (None, "but returned NoneType"),
    "texts": (["a", "b"], "but returned list: could not convert"),
    "ragged": ([[0.5], 0.5], "but returned list: "),
}


@pytest.mark.parametrize("name", NO_SCORES)
def test_what_is_no_score_is_refused_with_objective_value_and_pair(name: str) -> None:
    raw, message = NO_SCORES[name]
    scorer = CallableScorer("kindness", lambda _prompts, _responses: raw, 8)
    with pytest.raises(RewardError, match=message) as caught:
        scorer(["p1", "p2"], ["r1", "r2"])
    assert str(caught.value).startswith("Reward 'kindness' must ")


def test_an_error_in_the_function_is_told_with_its_pair() -> None:
    def fail(_prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
        raise KeyError(responses[0])

    message = r"'x': its function failed with KeyError: 'r'\..*prompt 'p', response 'r'"
    with pytest.raises(RewardError, match=message):
        CallableScorer("x", fail, 8)(["p"], ["r"])


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module_here:score", "cannot import 'no_such_module_here' .ModuleNotFoundError"),
        ("math:no_such_function", "module 'math' has no function 'no_such_function'"),
        ("math:pi", "module 'math' has no function 'pi'"),
        (":score", "cannot import ''"),
        ("math:", "has no function ''"),
    ],
)
def test_a_target_that_is_no_function_is_refused(
    target: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(RewardError, match=message):
        load_callable("x", _config(target))


def test_a_module_that_fails_at_import_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_rewards_here.py").write_text("1 / 0\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with pytest.raises(RewardError, match=r"cannot import .*ZeroDivisionError: division by zero"):
        load_callable("x", _config("broken_rewards_here:score"))
