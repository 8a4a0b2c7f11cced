"""Wrong input on the command line: a message that says what to do, exit code 2, no traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from safetensors.torch import load_file, save_file

from emorl.__main__ import main
from emorl.config import RunConfig
from emorl.config.files import config_text
from emorl.config.kinds import REWARDS
from emorl.execution.context import NoProgress
from emorl.execution.pipeline import execute
from emorl.runs.folder import run_folder
from tests.support.tiny_models import save_tiny_t5
from tests.support.tiny_runs import tiny_run, write_prompts

pytestmark = pytest.mark.slow

Capture = pytest.CaptureFixture[str]


class Bench:
    """A folder with a good run's settings to spoil."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = tiny_run(root, name="run1")

    def run(self, config: RunConfig | str, *more: str, command: str = "run") -> int:
        path = self.root / "config.toml"
        path.write_text(config if isinstance(config, str) else config_text(config), "utf-8")
        return self.main(command, str(path), "--name", "run1", *more)

    def main(self, *arguments: str) -> int:
        return main([*arguments, "--quiet", "--artifacts", str(self.root / "artifacts")])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def _data(bench: Bench, kind: Any, content: bytes, **settings: Any) -> int:
    path = bench.root / f"data.{kind}"
    path.write_bytes(content)
    data = replace(bench.config.data, kind=kind, path=str(path), **settings)
    return bench.run(replace(bench.config, data=data))


def _policy(bench: Bench, **settings: Any) -> int:
    return bench.run(replace(bench.config, policy=replace(bench.config.policy, **settings)))


def _reward(bench: Bench, **settings: Any) -> int:
    kind = settings.pop("kind", None)
    before = bench.config.rewards["letters"]
    changed = REWARDS.config(kind, **settings) if kind else replace(before, **settings)
    return bench.run(replace(bench.config, rewards=bench.config.rewards | {"letters": changed}))


def _trained(bench: Bench, spoil: Callable[[Path], object]) -> int:
    folder = run_folder(bench.root / "artifacts", "run1")
    execute(bench.config, folder, NoProgress(), ("train",))
    spoil(folder.root)
    return bench.main("search", "run1")


def _database(bench: Bench, spoil: Callable[[Path], object]) -> int:
    folder = run_folder(bench.root / "artifacts", "run1")
    folder.root.mkdir(parents=True)
    folder.config.write_text(config_text(bench.config), encoding="utf-8")
    spoil(folder.database)
    return bench.main("run", "run1")


def _not_a_base(bench: Bench) -> int:
    folder = bench.root / "odd"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "abacus"}', encoding="utf-8")
    return _policy(bench, model=str(folder))


def _base_without_weights(bench: Bench) -> int:
    folder = save_tiny_t5(bench.root / "half")
    (folder / "model.safetensors").unlink()
    return _policy(bench, model=str(folder))


def _another_base(root: Path) -> None:
    save_tiny_t5(root.parent.parent.parent / "base", d_model=48)


def _no_adapter(root: Path) -> None:
    shutil.rmtree(root / "adapters" / "brevity")


def _odd_adapter(root: Path) -> None:
    path = root / "adapters" / "brevity" / "adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(settings | {"peft_type": "IA3"}), encoding="utf-8")


def _damaged_adapter(root: Path) -> None:
    (root / "adapters" / "brevity" / "adapter_model.safetensors").write_bytes(b"broken")


def _adapter_of_another_shape(root: Path) -> None:
    path = root / "adapters" / "brevity" / "adapter_model.safetensors"
    tensors = {name: tensor[..., :2].contiguous() for name, tensor in load_file(path).items()}
    save_file(tensors, path)


def _other_version(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
        connection.execute("INSERT INTO meta VALUES ('schema_version', '99')")


def _other_database(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")


CASES: dict[str, tuple[Callable[[Bench], int], int, Sequence[str]]] = {
    # Settings
    "no settings file": (
        lambda b: b.main("run", "none.toml"),
        2,
        ["no settings file", "emorl preset"],
    ),
    "settings that are no TOML": (lambda b: b.run("objectives = ["), 2, ["not valid TOML"]),
    "an unknown key": (
        lambda b: b.run(b.config, "--set", "search.n_round=3"),
        2,
        ["Did you mean 'n_rounds'"],
    ),
    "a setting of the wrong type": (
        lambda b: b.run(b.config, "--set", "training.max_steps=many"),
        2,
        ["training.max_steps must be a whole number, got 'many'"],
    ),
    "an impossible setting": (
        lambda b: b.run(b.config, "--set", "training.temperature=0"),
        2,
        ["above 0, got 0"],
    ),
    "a change without a value": (
        lambda b: b.run(b.config, "--set", "search.n_rounds"),
        2,
        ["KEY=VALUE"],
    ),
    "a run name that leaves the folder": (
        lambda b: b.run(b.config, "--name", "../up"),
        2,
        ["got '../up'"],
    ),
    "an unknown preset": (lambda b: b.main("preset", "tiny"), 2, ["pair-t5-base"]),
    # Runs
    "a run that is not there": (
        lambda b: b.main("summary", "nothing"),
        2,
        ["no run 'nothing'", "none yet"],
    ),
    "a run name with a path": (lambda b: b.main("export", "../../etc"), 2, ["no name of a run"]),
    "a search before any training": (
        lambda b: b.run(b.config, command="search"),
        2,
        ["no adapter 'letters'", "emorl run"],
    ),
    # Data
    "no data file": (
        lambda b: b.run(b.config, "--set", "data.path=nowhere.csv"),
        2,
        ["nowhere.csv"],
    ),
    "a folder as data file": (
        lambda b: b.run(b.config, "--set", f"data.path={b.root}"),
        2,
        ["folder"],
    ),
    "an empty data file": (lambda b: _data(b, "csv", b""), 2, ["empty"]),
    "a column that is not there": (
        lambda b: b.run(b.config, "--set", "data.prompt_column=question"),
        2,
        ["question", "prompt"],
    ),
    "blank prompts": (
        lambda b: _data(b, "csv", b"prompt\n" + b"Hello %d\n" * 3 % (1, 2, 3) + b'"  "\n'),
        2,
        ["line 5", "on_bad_row"],
    ),
    "text that is not UTF-8": (
        lambda b: _data(b, "csv", "prompt\nnaïve\n".encode("latin-1")),
        2,
        ["UTF-8"],
    ),
    "JSON lines that are no JSON": (
        lambda b: _data(b, "jsonl", b'{"prompt": "a"}\n{"prompt": \n'),
        2,
        ["line 2"],
    ),
    "a Parquet file that is none": (lambda b: _data(b, "parquet", b"PAR?"), 2, ["Parquet"]),
    "a PAIR file with missing columns": (
        lambda b: _data(b, "pair", b"prompt,only two\n"),
        2,
        ["line 1", "10"],
    ),
    "a Psych8k file that is no list": (lambda b: _data(b, "psych8k", b"{}"), 2, ["list"]),
    "too few prompts for three splits": (
        lambda b: _data(b, "csv", b"prompt\nHello\n"),
        2,
        ["prompt"],
    ),
    # Models
    "no base model": (
        lambda b: _policy(b, model=str(b.root / "none")),
        2,
        ["policy.model", "cannot load"],
    ),
    "a base of an unknown kind": (_not_a_base, 2, ["policy.model", "cannot load"]),
    "a base without weights": (_base_without_weights, 2, ["policy.model", "cannot load"]),
    "an embedded model that does not exist": (
        lambda b: _policy(b, model="embedded:huge"),
        2,
        ["embedded:huge", "embedded:base"],
    ),
    "a CUDA device that is not there": (
        lambda b: _policy(b, device="cuda:99"),
        2,
        ["cuda:99", "emorl doctor"],
    ),
    "an adapter that is gone": (lambda b: _trained(b, _no_adapter), 2, ["no adapter 'brevity'"]),
    "an adapter that is no LoRA": (lambda b: _trained(b, _odd_adapter), 2, ["must be a LoRA"]),
    "a damaged adapter": (lambda b: _trained(b, _damaged_adapter), 2, ["brevity"]),
    "an adapter of another shape": (
        lambda b: _trained(b, _adapter_of_another_shape),
        2,
        ["another base"],
    ),
    "adapters of another base": (lambda b: _trained(b, _another_base), 2, ["another base"]),
    # Rewards
    "a reward module that is not there": (
        lambda b: _reward(b, target="nowhere:score"),
        2,
        ["letters", "nowhere"],
    ),
    "a reward function that is not there": (
        lambda b: _reward(b, target="tests.support.formula_rewards:none"),
        2,
        ["letters", "none"],
    ),
    "a reward above 1": (
        lambda b: _reward(b, target="tests.support.formula_rewards:too_high"),
        2,
        ["letters", "1.5"],
    ),
    "a reward that is not a number": (
        lambda b: _reward(b, target="tests.support.formula_rewards:not_a_number"),
        2,
        ["letters", "nan"],
    ),
    "too few rewards": (
        lambda b: _reward(b, target="tests.support.formula_rewards:too_few"),
        2,
        ["letters"],
    ),
    "a scorer model that is not there": (
        lambda b: _reward(b, kind="sequence_classifier", model=str(b.root / "none")),
        2,
        ["letters"],
    ),
    # Store
    "a database that is none": (
        lambda b: _database(b, lambda path: path.write_bytes(b"no database" * 999) and None),
        1,
        ["run.duckdb"],
    ),
    "another program's database": (
        lambda b: _database(b, _other_database),
        1,
        ["not one of a run"],
    ),
    "a database of another version": (
        lambda b: _database(b, _other_version),
        1,
        ["schema version 99"],
    ),
}


@pytest.mark.parametrize(("act", "code", "words"), CASES.values(), ids=CASES)
def test_wrong_input_is_told_in_words(
    act: Callable[[Bench], int], code: int, words: Sequence[str], bench: Bench, capsys: Capture
) -> None:
    assert act(bench) == code
    told = capsys.readouterr().err
    assert told.rstrip().splitlines()[-1].startswith("emorl: ")
    assert "Traceback" not in told
    for word in words:
        assert word in told


def test_bad_rows_can_be_skipped_and_are_listed(bench: Bench, capsys: Capture) -> None:
    path = write_prompts(bench.root / "more.csv")
    path.write_text(path.read_text(encoding="utf-8") + '"  "\n', encoding="utf-8")
    data = replace(bench.config.data, path=str(path), on_bad_row="skip")
    assert bench.run(replace(bench.config, data=data), command="train") == 0
    status = run_folder(bench.root / "artifacts", "run1").read_status()
    assert status is not None
    assert any("line 22" in warning for warning in status.warnings)
    assert "Traceback" not in capsys.readouterr().err
