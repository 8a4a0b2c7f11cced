"""What a setting may be: each check raises ``ConfigError`` with key, value and what is allowed."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import get_args

from emorl.errors import ConfigError


def check_choice(key: str, value: object, choices: object) -> None:
    """Refuse what is not one of the values of a ``Literal``."""
    allowed = get_args(choices)
    if value not in allowed:
        raise ConfigError(f"{key} must be one of {list(allowed)}, got {value!r}.")


def check_number(key: str, value: object) -> None:
    """Refuse what is no number; types that annotations forbid come in from scripts."""
    if not isinstance(value, Real):
        raise ConfigError(f"{key} must be a number, got {value!r}.")


def check_at_least(key: str, value: float, least: float) -> None:
    """Refuse numbers below ``least``."""
    check_number(key, value)
    if not value >= least:
        raise ConfigError(f"{key} must be at least {least}, got {value!r}.")


def check_whole(key: str, value: object, *, least: int | None = None) -> None:
    """Refuse what is no whole number, or below ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ConfigError(f"{key} must be a whole number, got {value!r}.")
    if least is not None:
        check_at_least(key, int(value), least)


def check_positive(key: str, value: float) -> None:
    """Refuse all but finite numbers above 0."""
    check_number(key, value)
    if not (value > 0 and math.isfinite(value)):
        raise ConfigError(f"{key} must be a finite number above 0, got {value!r}.")


def check_not_negative(key: str, value: float) -> None:
    """Refuse all but finite numbers from 0 on."""
    check_number(key, value)
    if not (value >= 0 and math.isfinite(value)):
        raise ConfigError(f"{key} must be a finite number, 0 or above, got {value!r}.")


def check_between(key: str, value: float, low: float, high: float) -> None:
    """Refuse numbers outside ``low`` to ``high``."""
    check_number(key, value)
    if not low <= value <= high:
        raise ConfigError(f"{key} must lie in {low} to {high}, got {value!r}.")
