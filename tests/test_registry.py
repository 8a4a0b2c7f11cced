"""Kinds are found by file name, entry point or ``module:attribute``, or refused in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest

from emorl.config.files import _build
from emorl.errors import ConfigError
from emorl.registry import Registry

_KIND = """
from dataclasses import dataclass

@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    kind: str = "{name}"
    size: int = {size}

def load(config, unit=""):
    return f"{{config.size}} {{unit}}"

class KIND:
    Config = Config
    load = staticmethod(load)
"""


@pytest.fixture
def registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Registry:
    """A registry of two kinds, beside a module that is no kind, and of an installed package."""
    name = f"boxes_{abs(hash(request.node.name))}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "small.py").write_text(_KIND.format(name="small", size=1))
    (package / "large.py").write_text(_KIND.format(name="large", size=9))
    (package / "shared.py").write_text("def load(config): return None\n")
    (tmp_path / f"{name}_more.py").write_text(_KIND.format(name="huge", size=99))
    (tmp_path / f"{name}_bad.py").write_text("import a_module_that_is_not_there\n")
    installed = tmp_path / f"{name}_more-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}-more\nVersion: 1.0\n"
    )
    (installed / "entry_points.txt").write_text(f"[emorl.{name}]\nhuge = {name}_more\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return Registry(name, name, "box", default="small")


@dataclass(frozen=True, slots=True, kw_only=True)
class _None:
    kind: str = "small"


def _settings(registry: Registry) -> type:
    return dataclass(frozen=True)(
        type(
            "Settings",
            (),
            {
                "__annotations__": {"box": Annotated[Any, registry]},
                "box": field(default_factory=_None),
                "__module__": __name__,
            },
        )
    )


def test_kinds_are_modules_with_settings_and_a_loader(registry: Registry) -> None:
    assert registry.names() == ("huge", "large", "small")
    config = registry.kind("large").Config(size=3)
    assert registry.load(config, unit="litres") == "3 litres"


def test_an_installed_package_adds_a_kind(registry: Registry) -> None:
    assert registry.load(registry.kind("huge").Config()) == "99 "


def test_a_kind_can_be_named_by_module_and_attribute(registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"must have 'Config'.*docs/extending\.md"):
        registry.kind(f"{registry.name}_more:load")
    name = f"{registry.name}_more:KIND"
    assert registry.kind(name).Config().size == 99
    # Settings made from Python name what they were made by, so that a file of them reads back.
    assert registry.config(name, size=4).kind == name
    assert registry.load(registry.config(name, size=4)) == "4 "


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lagre", r"no box of kind 'lagre'\. Did you mean 'large'\? There are huge, large, small"),
        ("a_module_that_is_not_there:x", "cannot be imported: ModuleNotFoundError"),
        ("shared", "no box of kind 'shared'"),
        ("", "no box of kind ''"),
    ],
)
def test_what_is_no_kind_is_refused_in_words(registry: Registry, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        registry.kind(name)


def test_a_plug_in_that_does_not_import_is_refused_in_words(registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"cannot be imported.*a_module_that_is_not_there"):
        registry.kind(f"{registry.name}_bad:x")


@pytest.mark.parametrize(
    ("table", "kind", "size"),
    [({}, "small", 1), ({"kind": "large"}, "large", 9), ({"kind": "huge", "size": 5}, "huge", 5)],
)
def test_settings_are_built_by_their_kind(
    registry: Registry, table: dict[str, Any], kind: str, size: int
) -> None:
    built = _build(_settings(registry), {"box": table}, "")
    assert (built.box.kind, built.box.size) == (kind, size)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": 3}, r"box\.kind must be a text, got 3"),
        ({"kind": "smal"}, r"box\.kind: There is no box of kind 'smal'\. Did you mean 'small'"),
        ({"sise": 3}, r"unknown key 'box\.sise'.*Did you mean 'size'"),
        ({"size": "x"}, r"box\.size must be a whole number"),
    ],
)
def test_wrong_settings_of_a_kind_are_named(
    registry: Registry, table: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        _build(_settings(registry), {"box": table}, "")
