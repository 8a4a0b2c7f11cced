"""The hierarchical search, driven by formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from emorl.records import Evaluation, Measurement, SearchRound, Weights
from emorl.search import hierarchical
from emorl.search.driver import run_search
from emorl.weights import WeightSpace, direction_key

PEAK = (0.5, 0.4, 0.1)
NAMES = ("a", "b", "c", "d")


def measurement(weights: Weights) -> Measurement:
    """Score 1 at the direction ``PEAK``, less the further away."""
    total = sum(weights) or 1.0
    direction = tuple(weight / total for weight in weights)
    means = tuple(1 - (x - peak) ** 2 for x, peak in zip(direction, PEAK, strict=False))
    return Measurement(
        direction=direction,
        means=means,
        standard_errors=(0.0,) * len(weights),
        responses=(),
        seconds=0.0,
    )


class Recorder:
    """Counts what is asked for."""

    def __init__(self, score: Callable[[Weights], Measurement] = measurement) -> None:
        self.batches: list[list[Weights]] = []
        self._score = score

    def __call__(self, weights: Sequence[Weights]) -> list[Measurement]:
        self.batches.append(list(weights))
        return [self._score(vector) for vector in weights]

    @property
    def asked(self) -> list[Weights]:
        return [vector for batch in self.batches for vector in batch]


def search(
    measure: Recorder, n: int = 3, config: hierarchical.Config | None = None, **known: Any
) -> Iterator[list[Evaluation] | SearchRound]:
    config, space = config or hierarchical.Config(), WeightSpace(NAMES[:n])
    searcher = hierarchical.load(config, space, seed=0)
    at_once = config.directions_per_batch
    yield from run_search(searcher, measure, space, at_once=at_once, **known)


def events(
    measure: Recorder, n: int = 3, config: hierarchical.Config | None = None, **known: Any
) -> tuple[list[Evaluation], list[SearchRound]]:
    evaluations: list[Evaluation] = []
    rounds: list[SearchRound] = []
    for event in search(measure, n, config, **known):
        if isinstance(event, SearchRound):
            rounds.append(event)
        else:
            evaluations += event
    return evaluations, rounds


def test_every_grid_point_has_its_own_evaluation_each_round() -> None:
    evaluations, rounds = events(Recorder())
    # 5 rounds of 3 ** 3 points.
    assert sorted((e.round, e.point) for e in evaluations) == [
        (round_, point) for round_ in range(1, 6) for point in range(27)
    ]
    assert [r.round for r in rounds] == [1, 2, 3, 4, 5]
    space = WeightSpace(NAMES[:3])
    assert hierarchical.load(hierarchical.Config(), space, 0).n_expected == 135


def test_no_direction_is_measured_twice_and_zero_never() -> None:
    measure = Recorder()
    events(measure)
    keys = [direction_key(vector) for vector in measure.asked]
    assert len(keys) == len(set(keys))
    assert all(any(vector) for vector in measure.asked)


def test_the_first_27_points_have_19_directions() -> None:
    measure = Recorder()
    evaluations, _ = events(measure, config=hierarchical.Config(n_rounds=1))
    assert len(measure.asked) == 19
    kinds = [e.kind for e in evaluations]
    assert (kinds.count("measured"), kinds.count("shared"), kinds.count("zero")) == (19, 7, 1)


def test_shared_points_have_the_scores_of_their_ray() -> None:
    evaluations, _ = events(Recorder())
    measured = {
        direction_key(e.weights): e.measurement for e in evaluations if e.kind == "measured"
    }
    shared = [e for e in evaluations if e.kind == "shared"]
    assert shared
    assert all(e.measurement is measured[direction_key(e.weights)] for e in shared)


def test_the_zero_vector_is_shown_and_not_measured() -> None:
    evaluations, _ = events(Recorder())
    zero = [e for e in evaluations if not any(e.weights)]
    assert [(e.kind, e.measurement) for e in zero] == [("zero", None)] * len(zero)
    assert zero


def test_reference_mode_measures_all_135_points_zero_included() -> None:
    measure = Recorder()
    evaluations, _ = events(measure, config=hierarchical.Config(mode="reference"))
    assert len(measure.asked) == 135
    assert measure.asked.count((0.0, 0.0, 0.0)) == 1
    assert {e.kind for e in evaluations} == {"measured", "zero"}


def test_the_box_halves_each_round_and_closes_in_on_the_peak() -> None:
    _, rounds = events(Recorder())
    sides = [r.box_upper[0] - r.box_lower[0] for r in rounds]
    assert sides == [1.0, 0.5, 0.25, 0.125, 0.0625]
    # The last grid's step is 1/32; the best direction is within it of the peak's.
    best = rounds[-1].best_weights
    total = sum(best)
    assert all(abs(w / total - p) <= 1 / 32 for w, p in zip(best, PEAK, strict=True))


@pytest.mark.parametrize("n", [2, 4])
def test_any_number_of_objectives_from_two_on(n: int) -> None:
    evaluations, rounds = events(Recorder(), n, hierarchical.Config(n_rounds=3))
    assert len(evaluations) == 3 * 3**n
    assert len(rounds) == 3
    assert all(len(e.weights) == n for e in evaluations)


def test_the_chosen_sub_box_has_the_best_corners() -> None:
    evaluations, rounds = events(Recorder(), config=hierarchical.Config(n_rounds=1))
    rewards = {e.weights: e.measurement.mean_reward for e in evaluations if e.measurement}

    def corner_mean(lower: Weights) -> float:
        corners = [
            tuple(low + 0.5 * c for low, c in zip(lower, cs, strict=True))
            for cs in product((0, 1), repeat=3)
        ]
        found = [rewards[corner] for corner in corners if corner in rewards]
        return sum(found) / len(found)

    boxes = [tuple(0.5 * c for c in cs) for cs in product((0, 1), repeat=3)]
    assert rounds[0].chosen_lower == max(boxes, key=corner_mean)


@pytest.mark.parametrize("mode", ["exact", "reference"])
@pytest.mark.parametrize("stopped_after", [1, 3, 7, 12])
def test_a_resumed_search_measures_nothing_twice_and_ends_the_same(
    mode: str, stopped_after: int
) -> None:
    config = hierarchical.Config(mode=mode)  # type: ignore[arg-type]
    undisturbed = Recorder()
    expected = events(undisturbed, config=config)
    first = Recorder()
    known: dict[tuple[int, int], Measurement] = {}
    batches = 0
    for event in search(first, 3, config):
        if isinstance(event, SearchRound):
            continue
        known |= {
            (e.round, e.point): e.measurement
            for e in event
            if e.measurement is not None and e.kind != "shared"
        }
        batches += 1
        if batches == stopped_after:
            break
    second = Recorder()
    assert events(second, config=config, known=known) == expected
    assert first.asked + second.asked == undisturbed.asked


def test_batches_are_no_larger_than_asked_for() -> None:
    measure = Recorder()
    events(measure, config=hierarchical.Config(directions_per_batch=4))
    assert max(len(batch) for batch in measure.batches) == 4
