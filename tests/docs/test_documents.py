"""What the documents tell the reader to type exists, and so do the files that they name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from emorl.commands.parser import build_parser
from emorl.config.files import PRESETS

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "artifacts" / "README.md",
    ]
}
ALL = "\n".join(DOCUMENTS.values())
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"```.*?```|`[^`]+`", ALL, re.DOTALL))
COMMANDS = sorted(set(re.findall(r"\bemorl ([a-z]+)(?=[\s`])", CODE)))
TREE = DOCUMENTS["docs/layout.md"]


def test_the_documents_name_commands() -> None:
    assert {"run", "search", "dashboard", "summary", "doctor", "preset"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert f"emorl {command}" in capsys.readouterr().out


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^emorl [a-z]+ .*$", ALL, re.MULTILINE))))
def test_every_option_of_a_command_exists(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = line.split("#")[0].split(">")[0].split()
    with pytest.raises(SystemExit):
        build_parser().parse_args([words[1], "--help"])
    told = capsys.readouterr().out
    if words[1] != "study":  # its own program parses the rest
        assert [word for word in words if word.startswith("--") and word not in told] == []


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", CODE))))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_documented(preset: str) -> None:
    assert f"`{preset}`" in DOCUMENTS["docs/index.md"]


def tree_paths() -> list[str]:
    """Return the paths of the tree."""
    paths: list[str] = []
    folders: list[str] = []
    for line in TREE.split("```")[1].strip("\n").splitlines():
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


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", DOCUMENTS[document])
    here = (ROOT / document).parent
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (here / link).exists()] == []


def test_the_readme_is_short_and_shows_pictures() -> None:
    readme = DOCUMENTS["README.md"]
    assert len(readme.splitlines()) <= 60
    assert len(re.findall(r"!\[[^\]]+\]\(docs/[a-z_]+\.png\)", readme)) == 3


def test_every_decision_is_in_the_site() -> None:
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    decisions = [path.name for path in (ROOT / "docs" / "decisions").iterdir()]
    assert len(decisions) >= 10
    assert [name for name in decisions if f"decisions/{name}" not in listed] == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    reference = (tmp_path / "reference" / "index.html").read_text(encoding="utf-8")
    assert "search_weights" in reference  # taken from the docstrings
    assert "Number of weight vectors" in reference or "ask" in reference
