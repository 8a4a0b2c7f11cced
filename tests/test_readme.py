"""What the README tells the reader to type exists, and so do the files it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emorl.commands.parser import build_parser
from emorl.config.files import PRESETS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"\bemorl ([a-z]+)", README)))


def test_the_readme_names_commands() -> None:
    assert {"run", "search", "dashboard", "summary", "doctor", "preset"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_exists(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert f"emorl {command}" in capsys.readouterr().out


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)", README))))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_in_the_readme(preset: str) -> None:
    assert f"`{preset}`" in README


def tree_paths() -> list[str]:
    """Return the paths of the README's tree."""
    paths: list[str] = []
    folders: list[str] = []
    for line in README.split("## The tree")[1].split("```")[1].strip("\n").splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[:depth], name]
        paths.append("".join(folders))
    return paths


def test_every_path_of_the_tree_exists() -> None:
    paths = tree_paths()
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("package", ["engine/emorl", "dashboard/emorl_dashboard"])
def test_every_module_is_in_the_tree(package: str) -> None:
    inside = {
        f"{package}/{path.name}" + ("/" if path.is_dir() else "")
        for path in (ROOT / package).iterdir()
        if not path.name.startswith(("_", ".")) and path.name != "py.typed"
    }
    assert inside - set(tree_paths()) == set()


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    local = [link for link in links if "://" not in link]
    assert local
    assert all((ROOT / link).exists() for link in local)
