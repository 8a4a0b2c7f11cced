"""Bayesian search by Optuna: a Gaussian process with expected improvement, or TPE.

Optuna asks for one weight vector at a time and is told its worth. Told the same values it asks
for the same weights, so that a search goes on from what is stored: no state of it is kept.

Sources: Jones, Schonlau and Welch, "Efficient global optimization", J. Global Optim. 13, 1998;
Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from emorl.config.checks import check_at_least, check_choice
from emorl.errors import ConfigError
from emorl.records import SearchRound, Weights
from emorl.search.protocol import Best, Result, Trial
from emorl.weights import WeightSpace

Sampler = Literal["gp", "tpe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One weight vector at a time, where a model of the earlier results hopes for most."""

    kind: str = "bayesian"

    sampler: Sampler = "gp"
    """``gp``: Gaussian process (Matern 5/2) and expected improvement; ``tpe``: densities of good
    and bad weights."""

    max_evaluations: int = 60
    """Weight vectors asked for; at least 1."""

    n_startup: int = 10
    """Weight vectors drawn evenly before the model is asked; at least 1."""

    def __post_init__(self) -> None:
        check_choice("search.sampler", self.sampler, Sampler)
        check_at_least("search.max_evaluations", self.max_evaluations, 1)
        check_at_least("search.n_startup", self.n_startup, 1)


class BayesianSearch:
    """Asks Optuna; a ``Searcher``."""

    def __init__(self, config: Config, space: WeightSpace, seed: int) -> None:
        """Prepare Optuna's study, which lies in memory.

        Raises:
            ConfigError: If Optuna is not installed.
        """
        self._optuna = _optuna()
        self._config = config
        self._space = space
        self._best = Best()
        self._study = self._optuna.create_study(direction="maximize", sampler=self._sampler(seed))
        self._pending: Any = None
        self._n_asked = 0

    @property
    def n_expected(self) -> int:
        """Number of weight vectors."""
        return self._config.max_evaluations

    def ask(self) -> list[Trial]:
        """Return one trial."""
        if self._n_asked == self._config.max_evaluations:
            return []
        n = len(self._space.names)
        n_coordinates = n - 1 if self._space.scale_free else n
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna says which of its parts are experimental
            self._pending = self._study.ask()
            coordinates = [
                self._pending.suggest_float(f"x{place}", 0.0, 1.0)
                for place in range(n_coordinates)
            ]
        weights = simplex_point(coordinates) if self._space.scale_free else tuple(coordinates)
        self._n_asked += 1
        return [Trial(self._n_asked - 1, weights)]

    def tell(self, results: Sequence[Result]) -> list[SearchRound]:
        """Let the model learn from the trial."""
        [result] = results
        value = result.value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = self._optuna.trial.TrialState
            outcome = state.FAIL if value is None else state.COMPLETE
            self._study.tell(self._pending, value, state=outcome)
        self._best.add(results)
        if self._n_asked < self._config.max_evaluations:
            return []
        return self._best.whole_space(len(self._space.names))

    def best(self) -> Weights | None:
        """Return the best weights that were measured."""
        return self._best.weights

    def _sampler(self, seed: int) -> Any:
        n_startup = self._config.n_startup
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self._config.sampler == "tpe":
                return self._optuna.samplers.TPESampler(seed=seed, n_startup_trials=n_startup)
            # Greedy texts of fixed prompts have no noise between two calls.
            return self._optuna.samplers.GPSampler(
                seed=seed, n_startup_trials=n_startup, deterministic_objective=True
            )


def simplex_point(coordinates: Sequence[float]) -> Weights:
    """Return weights of sum one from n - 1 coordinates in [0, 1], by breaking a stick.

    Even coordinates give even weights (Dirichlet(1)): the part that breaks off a stick for k more
    weights is distributed as ``1 - u^(1/k)``.
    """
    left = 1.0
    weights = []
    for place, coordinate in enumerate(coordinates):
        part = left * (1.0 - (1.0 - coordinate) ** (1.0 / (len(coordinates) - place)))
        weights.append(part)
        left -= part
    return (*weights, max(0.0, left))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "search.kind = 'bayesian' needs Optuna, which is not installed. Run "
            "`pip install 'emorl-atlas[bayesian]'`, or choose 'hierarchical', 'grid' or 'random'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def load(config: Config, space: WeightSpace, seed: int) -> BayesianSearch:
    """Return the search.

    Raises:
        ConfigError: If Optuna is not installed.
    """
    return BayesianSearch(config, space, seed)
