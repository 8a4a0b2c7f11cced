"""Every kind of searcher keeps the same contract, whatever it searches; bad ones are named."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator, Sequence
from math import comb
from typing import Any, cast

import numpy as np
import pytest

from emorl.config.kinds import SEARCHERS
from emorl.errors import ConfigError, DivergedError, PlugInError
from emorl.records import Evaluation, Measurement, SearchRound, Weights
from emorl.search import bayesian, grid, hierarchical, random
from emorl.search.driver import MOST_IDLE, run_search
from emorl.search.protocol import Result, Searcher, Trial
from emorl.weights import WeightSpace

CONFIGS: dict[str, Any] = {
    "hierarchical": hierarchical.Config(n_rounds=2),
    "grid": grid.Config(max_evaluations=40),
    "random": random.Config(max_evaluations=40),
    "bayesian": bayesian.Config(max_evaluations=14, n_startup=10),
}
"""Settings of every kind that are quick to run."""

SPACES = {
    f"{n} {'directions' if scale_free else 'points'}": WeightSpace(
        ("a", "b", "c", "d")[:n], scale_free
    )
    for n in (2, 3, 4)
    for scale_free in (True, False)
}


def formula(weights: Weights) -> Measurement:
    """Score each objective by how near its weight is to a peak inside the space."""
    total = sum(weights) or 1.0
    peak = [0.45, 0.3, 0.2, 0.05]
    means = tuple(1 - (w / total - p) ** 2 for w, p in zip(weights, peak, strict=False))
    return Measurement(
        direction=weights,
        means=means,
        standard_errors=(0.0,) * len(weights),
        responses=(),
        seconds=0.0,
    )


class Recorder:
    """Measures by the formula, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.batches: list[list[Weights]] = []

    def __call__(self, weights: Sequence[Weights]) -> list[Measurement]:
        self.batches.append(list(weights))
        return [formula(vector) for vector in weights]

    @property
    def measured(self) -> list[Weights]:
        return [vector for batch in self.batches for vector in batch]


def searched(
    config: Any, space: WeightSpace, measure: Recorder, seed: int = 0, **options: Any
) -> tuple[list[Evaluation], list[SearchRound], Searcher]:
    searcher: Searcher = SEARCHERS.load(config, space, seed)
    evaluations: list[Evaluation] = []
    rounds: list[SearchRound] = []
    for event in run_search(searcher, measure, space, **options):
        if isinstance(event, SearchRound):
            rounds.append(event)
        else:
            evaluations += event
    return evaluations, rounds, searcher


def test_every_kind_is_tested_here() -> None:
    assert set(SEARCHERS.names()) == set(CONFIGS)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_searcher_keeps_its_contract(kind: str, space: str) -> None:
    config, where = CONFIGS[kind], SPACES[space]
    measure = Recorder()
    evaluations, rounds, searcher = searched(config, where, measure)
    keys = [where.key(weights) for weights in measure.measured]
    assert len(keys) == len(set(keys))  # nothing is measured twice
    assert len(evaluations) == searcher.n_expected
    assert max(map(len, measure.batches)) <= 9
    best = max(e.measurement.mean_reward for e in evaluations if e.measurement)
    found = searcher.best()
    assert found is not None
    assert formula(found).mean_reward == best == rounds[-1].best_mean_reward
    assert rounds[-1].best_weights == found
    again = searched(pickle.loads(pickle.dumps(config)), where, Recorder())
    assert again[:2] == (evaluations, rounds)


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("n_batches", [1, 3, 12])
def test_a_resumed_search_goes_on_as_if_undisturbed(kind: str, n_batches: int) -> None:
    config, space = CONFIGS[kind], SPACES["3 directions"]
    whole = Recorder()
    expected = searched(config, space, whole)
    first = Recorder()
    known: dict[tuple[int, int], Measurement] = {}
    for event in run_search(SEARCHERS.load(config, space, 0), first, space):
        if not isinstance(event, SearchRound):
            known |= {
                (e.round, e.point): e.measurement
                for e in event
                if e.measurement is not None and e.kind != "shared"
            }
        if len(first.batches) == n_batches:
            break
    second = Recorder()
    assert searched(config, space, second, known=known)[:2] == expected[:2]
    assert first.measured + second.measured == whole.measured


def test_seeds_choose_what_is_random() -> None:
    space = SPACES["3 directions"]
    for kind in ("random", "bayesian"):
        seen = {searched(CONFIGS[kind], space, Recorder(), seed)[2].best() for seed in range(3)}
        assert len(seen) == 3


@pytest.mark.parametrize(("n", "intervals"), [(2, 7), (3, 32), (4, 5)])
def test_the_standard_grid_has_each_direction_once(n: int, intervals: int) -> None:
    space = SPACES[f"{n} directions"]
    measure = Recorder()
    searched(grid.Config(intervals=intervals), space, measure, at_once=1000)
    # Stars and bars; 561 for three objectives in steps of 1/32.
    assert len({space.key(w) for w in measure.measured}) == comb(intervals + n - 1, n - 1)
    assert all(sum(w) == pytest.approx(1) for w in measure.measured)


def test_the_standard_grid_of_points_is_that_of_the_cube() -> None:
    measure = Recorder()
    evaluations, _, _ = searched(grid.Config(intervals=4), SPACES["3 points"], measure)
    # The zero vector is a point like any other where weights are points: the base alone.
    assert len(evaluations) == len(measure.measured) == 5**3
    assert (0.0, 0.0, 0.0) in measure.measured


def test_a_grid_takes_the_finest_steps_that_its_budget_allows() -> None:
    searcher = grid.load(grid.Config(max_evaluations=135), SPACES["3 directions"], 0)
    # comb(16, 2) = 120 <= 135 < comb(17, 2) = 136.
    assert searcher.n_expected == 120


def test_random_weights_are_even_on_the_simplex() -> None:
    searcher = random.load(random.Config(max_evaluations=20_000), SPACES["3 directions"], 1)
    drawn = np.array([trial.weights for trial in searcher.ask()])
    # Dirichlet(1, 1, 1): means 1/3, variances 1/18, covariances -1/36.
    np.testing.assert_allclose(drawn.mean(axis=0), 1 / 3, atol=0.01)
    expected = np.full((3, 3), -1 / 36) + np.eye(3) * (1 / 18 + 1 / 36)
    np.testing.assert_allclose(np.cov(drawn.T), expected, atol=0.002)


def test_even_coordinates_break_a_stick_evenly() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([bayesian.simplex_point(row) for row in rng.random((20_000, 3)).tolist()])
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    # Dirichlet(1, 1, 1, 1): variances 3/80.
    np.testing.assert_allclose(drawn.mean(axis=0), 1 / 4, atol=0.01)
    np.testing.assert_allclose(drawn.var(axis=0), 3 / 80, atol=0.002)


@pytest.mark.slow
def test_a_gaussian_process_comes_nearer_to_a_smooth_peak_than_random_weights() -> None:
    space = SPACES["3 directions"]

    def regret(config: Any, seed: int) -> float:
        best = searched(config, space, Recorder(), seed)[2].best()
        assert best is not None
        return formula((0.475, 0.325, 0.2)).mean_reward - formula(best).mean_reward

    seeds = range(10)
    process = [regret(bayesian.Config(max_evaluations=16, n_startup=8), seed) for seed in seeds]
    even = [regret(random.Config(max_evaluations=16), seed) for seed in seeds]
    assert np.median(process) < np.median(even) / 2


def test_a_missing_optuna_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'emorl-atlas\[bayesian\]'"):
        bayesian.load(bayesian.Config(), SPACES["2 directions"], 0)


class Scripted:
    """A searcher that asks for what it was given."""

    n_expected = 1

    def __init__(self, *asks: Any, told: Any = ()) -> None:
        self._asks: Iterator[Any] = iter(asks)
        self._told = told

    def ask(self) -> Any:
        asked = next(self._asks, ())
        if isinstance(asked, Exception):
            raise asked
        return asked

    def tell(self, results: Sequence[Result]) -> Any:
        del results
        if isinstance(self._told, Exception):
            raise self._told
        return self._told

    def best(self) -> None:
        return None


GOOD = [Trial(0, (1.0, 0.0))]


def _late_error() -> Iterator[Trial]:
    yield Trial(1, (0.0, 1.0))
    raise ValueError("late")


@pytest.mark.parametrize(
    ("searcher", "words"),
    [
        (Scripted(GOOD, ValueError("my own bug")), r"failed in ask\(\): ValueError: my own bug"),
        (Scripted(GOOD, told=KeyError("x")), r"failed in tell\(\): KeyError"),
        (Scripted(GOOD, told=[1]), r"must return a sequence of SearchRound from tell\(\)"),
        (Scripted(GOOD, told=None), r"must return a sequence of SearchRound from tell\(\)"),
        (Scripted(GOOD, [Trial(1, (1.0,))]), "Need one weight per objective"),
        (Scripted(GOOD, [Trial(1, (float("nan"), 1.0))]), "must be finite and 0 or above"),
        (Scripted(GOOD, [Trial(1, (-1.0, 1.0))]), "must be finite and 0 or above"),
        (Scripted(GOOD, [Trial(0, (0.0, 1.0))]), "expected 1, got 0"),
        (Scripted(GOOD, [(0.0, 1.0)]), "must return a sequence of Trial"),
        (Scripted(GOOD, 7), "must return a sequence of Trial"),
        (Scripted(GOOD, _late_error()), r"failed in ask\(\): ValueError: late"),
    ],
)
def test_what_a_searcher_does_wrong_is_named_and_earlier_results_are_kept(
    searcher: Scripted, words: str
) -> None:
    seen: list[object] = []

    def search() -> None:
        seen.extend(run_search(searcher, Recorder(), SPACES["2 directions"], name="mine"))

    with pytest.raises(PlugInError, match=words) as caught:
        search()
    assert "'mine'" in str(caught.value)
    assert len(seen) == 1


def test_a_searcher_that_asks_for_ever_new_weights_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emorl.search.driver.MOST_TRIALS", 50)
    space = SPACES["2 directions"]
    at_once = Scripted(Trial(number, (1.0, float(number))) for number in itertools.count())
    in_turns = Scripted(*([Trial(number, (1.0, float(number)))] for number in range(100)))
    for endless in (at_once, in_turns):
        measure = Recorder()
        with pytest.raises(PlugInError, match="asked for more than 50 weight vectors"):
            list(run_search(endless, measure, space, name="mine"))
        assert len(measure.measured) <= 50


def test_a_utility_that_is_no_number_is_refused() -> None:
    searcher = random.load(random.Config(max_evaluations=3), SPACES["2 directions"], 0)
    with pytest.raises(PlugInError, match="nothing can be best"):
        list(run_search(searcher, Recorder(), SPACES["2 directions"], utility=lambda _: np.nan))


def test_a_searcher_that_asks_for_what_is_known_for_ever_is_stopped() -> None:
    endless = Scripted(*([Trial(number, (2.0, 2.0))] for number in range(10 * MOST_IDLE)))
    with pytest.raises(PlugInError, match="times in a row for weight vectors"):
        for _ in run_search(endless, Recorder(), SPACES["2 directions"], name="mine"):
            pass


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: hierarchical.Config(n_rounds=0), r"search\.n_rounds"),
        (lambda: hierarchical.Config(mode=cast(Any, "quick")), r"search\.mode must be one of"),
        (lambda: grid.Config(intervals=-1), r"search\.intervals"),
        (lambda: random.Config(max_evaluations=0), r"search\.max_evaluations"),
        (lambda: bayesian.Config(sampler=cast(Any, "best")), r"search\.sampler must be one of"),
    ],
)
def test_impossible_settings_are_refused(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


def test_a_grid_that_does_not_fit_is_refused_and_one_weight_is_one_direction() -> None:
    space = WeightSpace(tuple("abcdefgh"))
    with pytest.raises(ConfigError, match="coarsest grid over 8 weights has 8 points"):
        grid.load(grid.Config(max_evaluations=7), space, 0)
    assert grid.load(grid.Config(), WeightSpace(("a",)), 0).n_expected == 1


def test_many_points_on_known_rays_do_not_end_a_search() -> None:
    space = WeightSpace(tuple("abcdefghij"))
    config = hierarchical.Config(points_per_axis=2, n_rounds=2)
    evaluations, rounds, _ = searched(config, space, Recorder(), at_once=500)
    assert (len(evaluations), len(rounds)) == (2 * 2**10, 2)


def test_weights_of_any_number_type_become_floats() -> None:
    searcher = Scripted([Trial(0, cast(Any, (np.float32(0.5), 1)))])
    [batch] = list(run_search(searcher, Recorder(), SPACES["2 directions"]))
    assert isinstance(batch, list)
    [evaluation] = batch
    assert evaluation.weights == (0.5, 1.0)
    assert all(type(weight) is float for weight in evaluation.weights)


def test_a_resumed_search_that_asks_for_other_weights_is_refused() -> None:
    space = SPACES["2 directions"]
    known = {(1, 0): formula((1.0, 3.0)), (1, 1): formula((1.0, 1.0))}
    same = Scripted([Trial(0, (2.0, 6.0)), Trial(1, (1.0, 1.0))])  # the same directions
    assert len(list(run_search(same, measure := Recorder(), space, known=known))) == 1
    assert measure.measured == []
    other = Scripted([Trial(0, (1.0, 3.0)), Trial(1, (1.0, 2.0))])
    with pytest.raises(DivergedError, match=r"asks for .* now: it has changed"):
        list(run_search(other, Recorder(), space, known=known))
