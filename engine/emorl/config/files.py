"""Settings as TOML: read with every wrong key and type named, written back complete."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import tomli_w

from emorl.config import RunConfig, TrainingConfig
from emorl.config.kinds import SEARCHERS
from emorl.errors import ConfigError
from emorl.registry import Registry

PRESETS = ("embedded", "pair-embedded", "pair-t5-base", "psych8k-t5-base", "pair-causal")
"""Names that ``preset_text`` knows; each is a commented TOML file of the package."""


def read_config(path: Path, *, changes: Sequence[str] = ()) -> RunConfig:
    """Read a run's settings from a TOML file.

    Args:
        path: The file.
        changes: ``key=value`` texts that replace single settings, e.g. ``search.n_rounds=2``.

    Raises:
        ConfigError: If the file is missing, no TOML, or holds an unknown key, a wrong type or
            an impossible value; the message names the key, the value and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no settings file {path}. Print one with `emorl preset embedded > {path}`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read the settings file {path}: {error}.") from error
    return parse_config(text, source=str(path), changes=changes)


def parse_config(
    text: str, *, source: str = "the settings", changes: Sequence[str] = ()
) -> RunConfig:
    """Turn TOML text into checked settings; ``source`` names the text in error messages."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        raise ConfigError(f"{source} is not valid TOML: {error}.") from error
    try:
        for change in changes:
            _apply(table, change)
        config: RunConfig = _build(RunConfig, table, "")
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    return config


def searcher_settings(kind: str, changes: Sequence[str] = ()) -> Any:
    """Return the settings of a searcher, its defaults but for ``search.key=value`` changes.

    Raises:
        ConfigError: If there is no such kind, or a change does not fit it.
    """
    table: dict[str, Any] = {}
    for change in changes:
        _apply(table, change)
    others = sorted(set(table) - {"search"})
    if others:
        raise ConfigError(
            f"A stored run is searched again with its own settings; only search.* can be set, "
            f"got {others[0]!r}."
        )
    return _build_kind(
        SEARCHERS, {**_table(table.get("search", {}), "search"), "kind": kind}, "search."
    )


def config_text(config: RunConfig) -> str:
    """Return the complete settings as TOML; ``parse_config`` gives an equal object back."""
    return tomli_w.dumps(asdict(config))


def preset_text(name: str) -> str:
    """Return a preset as commented TOML."""
    if name not in PRESETS:
        raise ConfigError(f"There is no preset {name!r}; there are {', '.join(PRESETS)}.")
    return (resources.files("emorl.config") / "presets" / f"{name}.toml").read_text(
        encoding="utf-8"
    )


def preset(name: str, /, **changes: Any) -> RunConfig:
    """Return a preset as settings, with top-level ``changes`` applied."""
    return replace(parse_config(preset_text(name), source=f"preset {name}"), **changes)


def _apply(table: dict[str, Any], change: str) -> None:
    key, separator, text = change.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ConfigError(
            f"A changed setting must be KEY=VALUE, e.g. search.n_rounds=2, got {change!r}."
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()  # a bare text needs no quotes on the command line
    for part in parts[:-1]:
        table = _table(table.setdefault(part, {}), key)
    table[parts[-1]] = value


def _build_kind(registry: Registry, table: Mapping[str, Any], prefix: str) -> Any:
    """Build settings of one of a registry's kinds: the one that ``kind`` names."""
    name = table.get("kind", registry.default)
    if not isinstance(name, str):
        raise ConfigError(f"{prefix}kind must be a text, got {name!r}.")
    if not name:
        raise ConfigError(
            f"{prefix}kind is needed and missing; there are {', '.join(registry.names())}."
        )
    try:
        config = registry.kind(name).Config
    except ConfigError as error:
        raise ConfigError(f"{prefix}kind: {error}") from error
    known = {setting.name for setting in fields(cast(Any, config))}
    kept = {
        key: value
        for key, value in table.items()
        if key in known or key not in registry.retired or value != registry.retired[key]
    }
    try:
        return _build(cast(type, config), {**kept, "kind": name}, prefix)
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"{registry.noun}.*.", prefix)) from None


def _build(kind: type, table: Mapping[str, Any], prefix: str) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    unknown = [key for key in table if key not in hints]
    if unknown:
        raise ConfigError(_unknown_key(f"{prefix}{unknown[0]}", table[unknown[0]], sorted(hints)))
    missing = [
        setting.name
        for setting in fields(kind)
        if setting.default is MISSING
        and setting.default_factory is MISSING
        and setting.name not in table
    ]
    if missing:
        raise ConfigError(f"{prefix}{missing[0]} is needed and missing.")
    values = {key: _convert(hints[key], value, f"{prefix}{key}") for key, value in table.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(str(error).replace("rewards.*.", prefix)) from None
    except (TypeError, ValueError) as error:  # kinds of other packages have errors of their own
        raise ConfigError(f"{prefix.rstrip('.') or 'the settings'}: {error}") from error


def _convert(hint: Any, value: Any, key: str) -> Any:
    if key == "training_overrides":
        return {name: _overrides(name, inner) for name, inner in _table(value, key).items()}
    if get_origin(hint) is Annotated:  # a setting of which a registry has the kinds
        _, registry = get_args(hint)
        return _build_kind(registry, _table(value, key), f"{key}.")
    if get_origin(hint) is dict and get_origin(get_args(hint)[1]) is Annotated:
        return {
            name: _convert(get_args(hint)[1], inner, f"{key}.{name}")
            for name, inner in _table(value, key).items()
        }
    if is_dataclass(hint):
        return _build(hint, _table(value, key), f"{key}.")  # type: ignore[arg-type]
    if get_origin(hint) in (Union, UnionType):  # "int | None": None is a key that is left out
        [hint] = [part for part in get_args(hint) if part is not type(None)][:1]
        return _convert(hint, value, key)
    if get_origin(hint) in (tuple, list):
        return _sequence(hint, value, key)
    return _scalar(hint, value, key)


def _sequence(hint: Any, value: Any, key: str) -> Any:
    item = get_args(hint)[0]
    words = {str: "texts", float: "numbers", int: "whole numbers"}
    is_list = isinstance(value, list)
    if not is_list or (item is str and not all(isinstance(part, str) for part in value)):
        raise ConfigError(f"{key} must be a list of {words.get(item, 'values')}, got {value!r}.")
    parts = [_convert(item, part, f"{key}[{place}]") for place, part in enumerate(value)]
    return tuple(parts) if get_origin(hint) is tuple else parts


def _scalar(hint: Any, value: Any, key: str) -> Any:
    if get_args(hint):  # a Literal: the data class checks which texts are allowed
        hint = str
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return _as_float(value, key)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise ConfigError(f"{key} must be {words[hint]}, got {value!r}.")
    return value


def _as_float(value: int, key: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ConfigError(
            f"{key} must be a number of usual size, got one with {len(str(value))} digits."
        ) from None


def _overrides(name: str, value: Any) -> dict[str, Any]:
    key = f"training_overrides.{name}"
    hints = get_type_hints(TrainingConfig)
    converted = {}
    for setting, inner in _table(value, key).items():
        if setting not in hints:
            raise ConfigError(_unknown_key(f"{key}.{setting}", inner, sorted(hints)))
        converted[setting] = _scalar(hints[setting], inner, f"{key}.{setting}")
    return converted


def _table(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} must be a table ([{key}]), got {value!r}.")
    return value


def _unknown_key(key: str, value: Any, allowed: list[str]) -> str:
    close = difflib.get_close_matches(key.rsplit(".", 1)[-1], allowed, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}..."
    return f"unknown key {key!r} (set to {shown}).{hint} Allowed here: {', '.join(allowed)}."
