"""Registries: the kinds that a setting ``kind = "..."`` can name, loaded when they are used.

A kind is a module of the registry's package, and its file name is its name
(``rewards/perplexity.py``). Other packages add kinds by an entry point of the group
``emorl.<registry>``; a setting can also name one as ``module:attribute``. Whatever it is, it has

- ``Config``: a frozen data class of its settings, with a field ``kind``;
- ``load``: makes the thing from a ``Config`` and what the registry's owner passes along.

Kinds import Torch inside of functions: reading settings loads no model library.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from emorl.errors import ConfigError


class Kind(Protocol):
    """What a kind's module, or the attribute that a plug-in names, must have."""

    @property
    def Config(self) -> Callable[..., Any]:  # noqa: N802 - a class
        """Settings: a frozen data class with a field ``kind``."""

    @property
    def load(self) -> Callable[..., Any]:
        """Makes the thing: ``load(config, ...)``."""


@dataclass(frozen=True)
class Registry:
    """All kinds of one sort of thing."""

    name: str
    """Of the entry points' group ``emorl.<name>``, e.g. ``rewards``."""
    package: str
    """Import name of the package whose modules are kinds, e.g. ``emorl.rewards``."""
    noun: str
    """What one of them is called in messages, e.g. ``reward``."""
    default: str = ""
    """Kind of settings that name none; empty: they have to."""
    retired: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Keys that settings of all kinds had in the first release, with their defaults: files of
    that time hold them for every kind, and they are passed over where they say nothing."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all kinds, ours and those of installed packages, sorted."""
        return tuple(sorted({*self._own, *self._installed}))

    def kind(self, name: str) -> Kind:
        """Return a kind.

        Args:
            name: One of ``names``, or ``module:attribute``.

        Raises:
            ConfigError: If there is none of that name, or it cannot be imported, or it lacks
                ``Config`` or ``load``.
        """
        own = self._own_kind(name)
        if own is not None:
            return own
        if name in self._installed:
            return self._checked(name, self._installed[name])
        if name.count(":") == 1 and all(name.split(":")):
            return self._checked(name, EntryPoint(name, name, f"emorl.{self.name}"))
        close = difflib.get_close_matches(name, self.names(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"There is no {self.noun} of kind {name!r}.{hint} There are "
            f"{', '.join(self.names())}; your own one is named as 'module:attribute'."
        )

    def config(self, name: str, **settings: Any) -> Any:
        """Return settings of a kind, under the name that was given.

        Raises:
            ConfigError: If there is no such kind, or a setting is impossible.
        """
        return self.kind(name).Config(**{**settings, "kind": name})

    def load(self, config: Any, *arguments: Any, **options: Any) -> Any:
        """Make the thing that settings describe; what is passed along is the owner's affair."""
        return self.kind(config.kind).load(config, *arguments, **options)

    @cached_property
    def _own(self) -> frozenset[str]:
        package = importlib.import_module(self.package)
        names = (module.name for module in pkgutil.iter_modules(package.__path__))
        return frozenset(name for name in names if self._own_kind(name) is not None)

    def _own_kind(self, name: str) -> Kind | None:
        """Import the module of this name, and nothing else; None if there is no such kind."""
        if not name.isidentifier() or name.startswith("_"):
            return None
        path = f"{self.package}.{name}"
        if importlib.util.find_spec(path) is None:
            return None
        module = importlib.import_module(path)
        return cast(Kind, module) if _is_kind(module) else None

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=f"emorl.{self.name}")}

    def _checked(self, name: str, point: EntryPoint) -> Kind:
        try:
            found = point.load()
        except Exception as error:
            raise ConfigError(
                f"The {self.noun} {name!r} cannot be imported: {type(error).__name__}: {error}. "
                "Check that its package is installed, or that the command is started in the "
                "folder of its module."
            ) from error
        if not _is_kind(found):
            raise ConfigError(
                f"The {self.noun} {name!r} must have 'Config', a data class with a field 'kind', "
                f"and 'load', a function; got {found!r}. See docs/extending.md."
            )
        return cast(Kind, found)


def _is_kind(found: object) -> bool:
    config = getattr(found, "Config", None)
    return (
        isinstance(config, type)
        and is_dataclass(config)
        and any(setting.name == "kind" for setting in fields(config))
        and callable(getattr(found, "load", None))
    )
