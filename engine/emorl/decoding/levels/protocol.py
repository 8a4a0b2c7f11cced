"""What a level is, and what is checked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn

from emorl.config.kinds import LEVELS
from emorl.errors import ConfigError, EmorlError, PlugInError

Scores = Callable[[Tensor, Tensor, nn.Module], Tensor]
"""States ``(n_members, n, d_model)``, weights ``(n, n_members)`` and the shared head -> scores
``(n, vocab)``."""


class Level(Protocol):
    """How members that have read the same prefix decide the next token."""

    @property
    def name(self) -> str:
        """The kind that it was loaded as."""

    @property
    def scale_free(self) -> bool:
        """Whether all positive multiples of the weights give the same greedy text."""

    @property
    def merges(self) -> bool:
        """Whether the members become one model before any token is decided: no scores then."""

    @property
    def mixes_states(self) -> bool:
        """Whether the scores are the head's of one combined state.

        Then there are prefix trees and an atlas, and the order of a head's scores is enough.
        """

    @property
    def writes_as_states(self) -> bool:
        """Whether its greedy texts are those of mixed states, where logits are not capped."""

    @property
    def needs_logits(self) -> bool:
        """Whether it holds every member's scores of the whole vocabulary."""

    def scores(self, states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
        """Combine the members' states into scores over the vocabulary, ``(n, vocab)``.

        Args:
            states: Head inputs, ``(n_members, n, d_model)``.
            weights: ``(n, n_members)``, no unit.
            head: The shared language-model head.
        """


def load_level(name: str) -> Level:
    """Return a level by its kind, or by ``module:attribute``.

    Raises:
        ConfigError: If there is none of that name.
    """
    given: object = name  # other types come in from scripts
    if not isinstance(given, str):
        raise ConfigError(
            f"level must be the name of a level ({', '.join(LEVELS.names())}), got {given!r}."
        )
    level: Level = LEVELS.load(LEVELS.kind(name).Config())
    return level


def checked_scores(level: Level) -> Scores:
    """Return a level's scores, which must be one number per token.

    The function raises ``PlugInError`` where the level raises, or returns another shape.
    """

    def scores(states: Tensor, weights: Tensor, head: nn.Module) -> Tensor:
        try:
            found: Any = level.scores(states, weights, head)
        except (EmorlError, MemoryError):
            raise
        except Exception as error:
            raise PlugInError(
                f"The level {level.name!r} failed: {type(error).__name__}: {error}."
            ) from error
        n = states.shape[1]
        if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != n:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise PlugInError(
                f"The level {level.name!r} must return scores ({n}, vocabulary), got {shape}."
            )
        return found

    return scores
