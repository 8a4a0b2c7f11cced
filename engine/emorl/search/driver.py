"""Runs any searcher on any system: measures in batches, shares, resumes, and stops the endless."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from emorl.errors import DivergedError, EmorlError, PlugInError, WeightsError
from emorl.records import OWN_SEARCH, Evaluation, EvaluationKind, Measurement, SearchRound, Weights
from emorl.search.protocol import Result, Searcher, Trial, Utility, mean_reward
from emorl.weights import WeightSpace

Measure = Callable[[Sequence[Weights]], Sequence[Measurement]]
"""Scores weight vectors, in order."""

Known = Mapping[tuple[int, int], Measurement]
"""Measurements of an earlier, interrupted search, by (round, position in the round)."""

AT_ONCE = 9
"""Weight vectors that are measured, and stored, together."""

_SAME_WEIGHTS = 1e-9
"""Largest difference between stored weights and those that a resumed search asks for again."""

MOST_TRIALS = 1_000_000
"""Trials of one search: one that asks for more asks for ever."""

MOST_IDLE = 1_000
"""Asks in a row that may bring nothing new to measure: a searcher that asks on asks for ever."""


def run_search(
    searcher: Searcher,
    measure: Measure,
    space: WeightSpace,
    *,
    utility: Utility = mean_reward,
    known: Known | None = None,
    at_once: int = AT_ONCE,
    name: str = "searcher",
    search: str = OWN_SEARCH,
) -> Iterator[list[Evaluation] | SearchRound]:
    """Search, and yield what happens as it happens.

    Weights that are one question (``space.key``) are measured once, and share the measurement;
    the zero vector of a scale-free space is no ensemble and is not measured. Trials that are
    ``is_fresh`` are measured whatever they are.

    Args:
        searcher: Chooses the weights.
        measure: Scores the weight vectors of one batch.
        space: The weights that the system takes.
        utility: What the search maximises.
        known: What an interrupted search has measured already; never measured again. The resumed
            search yields the same records as an undisturbed one.
        at_once: Most weight vectors of one batch.
        name: The searcher's kind, for messages.
        search: Name of the search, for its evaluations.

    Yields:
        A list of evaluations after each measured batch, to be stored together, and a
        ``SearchRound`` at the end of each round.

    Raises:
        DivergedError: If a resumed search asks for other weights than it did before.
        PlugInError: If the searcher raises, asks for something that are no weights, or asks for
            ever; what was yielded before is complete.
    """
    run = _Run(measure, space, utility, known or {}, at_once, search)
    first, n_idle = 0, 0
    while trials := _checked(name, searcher, space, first):
        first += len(trials)
        before = run.n_measured
        results: list[Result] = []
        for evaluations in run.evaluate(trials):
            results += [run.result(evaluation) for evaluation in evaluations]
            yield [evaluation for _, evaluation in evaluations]
        yield from _rounds(name, _call(name, "tell", searcher.tell, results))
        n_idle = 0 if run.n_measured > before else n_idle + 1
        if n_idle > MOST_IDLE:
            raise PlugInError(
                f"The searcher {name!r} asked {n_idle} times in a row for weight vectors that are "
                "measured already, and goes on. It must end by returning no trials from ask()."
            )


@dataclass
class _Run:
    """What is measured so far."""

    measure: Measure
    space: WeightSpace
    utility: Utility
    known: Known
    at_once: int
    search: str
    n_measured: int = 0
    _memo: dict[str, Measurement] = field(default_factory=dict)
    _n_of_round: dict[int, int] = field(default_factory=dict)

    def evaluate(self, trials: Sequence[Trial]) -> Iterator[list[tuple[Trial, Evaluation]]]:
        """Yield trials with their evaluations, batch by batch.

        First those that need no measurement; then groups of those that share one.
        """
        points = {trial.number: self._point(trial) for trial in trials}
        ready, groups = self._plan(trials)
        if ready:
            yield [
                (trial, self._evaluation(trial, points, kind, measurement))
                for trial, kind, measurement in ready
            ]
        for batch in _batches(groups, self.at_once):
            measured = self._measured([leader for leader, *_ in batch], points)
            evaluations = []
            for (leader, *followers), measurement in zip(batch, measured, strict=True):
                kind: EvaluationKind = "measured" if self._is_mix(leader) else "zero"
                evaluations.append((leader, self._evaluation(leader, points, kind, measurement)))
                evaluations += [
                    (trial, self._evaluation(trial, points, "shared", measurement))
                    for trial in followers
                ]
                if not leader.is_fresh:
                    self._memo[self.space.key(leader.weights)] = measurement
            yield evaluations

    def result(self, pair: tuple[Trial, Evaluation]) -> Result:
        """Return what a searcher is told of an evaluation."""
        trial, evaluation = pair
        if evaluation.measurement is None:
            return Result(trial, evaluation.kind)
        means = evaluation.measurement.means
        value = self.utility(means)
        if not math.isfinite(value):
            raise PlugInError(
                f"The utility of the means {list(means)} is {value}, and nothing can be best "
                "among such values. It must be a finite number for means in [0, 1]."
            )
        return Result(trial, evaluation.kind, means, value)

    def _plan(
        self, trials: Sequence[Trial]
    ) -> tuple[list[tuple[Trial, EvaluationKind, Measurement | None]], list[list[Trial]]]:
        """Split trials into those that need no measurement and groups led by one that does."""
        ready: list[tuple[Trial, EvaluationKind, Measurement | None]] = []
        groups: dict[str, list[Trial]] = {}
        for trial in trials:
            key = self.space.key(trial.weights)
            if trial.is_fresh:
                groups[f"{key} {trial.number}"] = [trial]
            elif not self._is_mix(trial):
                ready.append((trial, "zero", None))
            elif key in self._memo:
                ready.append((trial, "shared", self._memo[key]))
            else:
                groups.setdefault(key, []).append(trial)
        return ready, list(groups.values())

    def _is_mix(self, trial: Trial) -> bool:
        return any(trial.weights) or not self.space.scale_free

    def _measured(self, trials: Sequence[Trial], points: Mapping[int, int]) -> list[Measurement]:
        places = {trial.number: (trial.round, points[trial.number]) for trial in trials}
        missing = [trial for trial in trials if places[trial.number] not in self.known]
        new = iter(self.measure([trial.weights for trial in missing]) if missing else ())
        self.n_measured += len(trials)
        measured = []
        for trial in trials:
            place = places[trial.number]
            measured.append(self._stored(trial, place) if place in self.known else next(new))
        return measured

    def _stored(self, trial: Trial, place: tuple[int, int]) -> Measurement:
        """Return what an interrupted search has measured here, if it is of these weights."""
        stored = self.known[place]
        before, now = (self.space.canonical(w) for w in (stored.direction, trial.weights))
        if max(abs(one - other) for one, other in zip(before, now, strict=True)) > _SAME_WEIGHTS:
            raise DivergedError(
                f"The search that is stored measured the weights {list(before)} where the "
                f"searcher asks for {list(now)} now: it has changed, or a library that it uses. "
                "What is stored is kept. Do the changed search under another name (--as NAME)."
            )
        return stored

    def _point(self, trial: Trial) -> int:
        point = self._n_of_round.get(trial.round, 0)
        self._n_of_round[trial.round] = point + 1
        return point

    def _evaluation(
        self,
        trial: Trial,
        points: Mapping[int, int],
        kind: EvaluationKind,
        measurement: Measurement | None,
    ) -> Evaluation:
        n = len(self.space.names)
        lower, upper = trial.box or ((0.0,) * n, (1.0,) * n)
        return Evaluation(
            round=trial.round,
            point=points[trial.number],
            weights=trial.weights,
            kind=kind,
            box_lower=lower,
            box_upper=upper,
            measurement=measurement,
            search=self.search,
        )


def _batches(groups: Sequence[list[Trial]], size: int) -> Iterator[Sequence[list[Trial]]]:
    for start in range(0, len(groups), size):
        yield groups[start : start + size]


def _checked(name: str, searcher: Searcher, space: WeightSpace, first: int) -> list[Trial]:
    """Ask for trials, and make sure that they are some."""
    trials: list[Trial] = _call(name, "ask", _asked, searcher, MOST_TRIALS - first + 1)
    if first + len(trials) > MOST_TRIALS:
        raise PlugInError(
            f"The searcher {name!r} asked for more than {MOST_TRIALS:,} weight vectors. It must "
            "end by returning no trials from ask()."
        )
    for place, trial in enumerate(trials):
        if not isinstance(trial, Trial):
            raise PlugInError(
                f"The searcher {name!r} must return a sequence of Trial from ask(), got "
                f"{trial!r} in it. See docs/extending.md."
            )
        if trial.number != first + place:
            raise PlugInError(
                f"The searcher {name!r} must number its trials from 0 without gaps: expected "
                f"{first + place}, got {trial.number}."
            )
        try:
            weights = space.check(trial.weights)
        except WeightsError as error:
            raise PlugInError(
                f"The searcher {name!r} asked for trial {trial.number} with weights that the "
                f"system does not take. {error}"
            ) from error
        trials[place] = replace(trial, weights=weights or ())  # plain floats, whatever they were
    return trials


def _asked(searcher: Searcher, most: int) -> list[Any]:
    asked: Any = searcher.ask()
    return list(islice(asked, most)) if hasattr(asked, "__iter__") else [asked]


def _rounds(name: str, told: Any) -> list[SearchRound]:
    """Return the rounds that a searcher has ended, if they are some."""
    rounds = list(told) if isinstance(told, Sequence) else [told]
    if not all(isinstance(one, SearchRound) for one in rounds):
        raise PlugInError(
            f"The searcher {name!r} must return a sequence of SearchRound from tell(), empty "
            f"where no round ended, got {told!r}."
        )
    return rounds


def _call(name: str, method: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a searcher; what it raises that is no error of this project names it."""
    try:
        return function(*arguments)
    except EmorlError:
        raise
    except Exception as error:
        raise PlugInError(
            f"The searcher {name!r} failed in {method}(): {type(error).__name__}: {error}. What "
            "was measured before is stored. Once it is mended, the same command goes on if it "
            "asks for the same weights again."
        ) from error
