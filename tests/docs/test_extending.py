"""The examples of ``docs/extending.md``, installed as somebody else's package, work as told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emorl.config.files import config_text
from emorl.runs.folder import run_folder
from tests.support.tiny_runs import tiny_run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")

_TRAIN = """
import json
from emorl.config import PolicyConfig, TrainingConfig
from emorl.config.files import read_config
from emorl.config.kinds import RULES, SCALARIZERS
from emorl.models.adapters import add_adapter
from emorl.models.policy import load_policy
from emorl.policies import PolicySpec
from emorl.rewards import load_rewards
from emorl.training.scst import ScstTrainer
from pathlib import Path
import sys

config = read_config(Path(sys.argv[1]))
spec = PolicySpec(
    label="worst",
    scalarizer=SCALARIZERS.kind("worst").Config(),
    preferences=RULES.kind("by_length").Config(long=70),
    training=config.training,
)
policy = add_adapter(load_policy(config.policy), "worst", config.adapter, seed=0)
prompts = ["I have tried to stop smoking and my family worries about me every day now.", "Short."]
trainer = ScstTrainer(
    policy, {"worst": spec}, load_rewards(config, device="cpu"),
    train_prompts=prompts, validation_prompts=prompts,
)
records = [record for turn in trainer.run() for record in turn]
print(json.dumps([len(records), RULES.load(spec.preferences, 3).weights(prompts, None).tolist()]))
"""


_DECODE = """
import sys, emorl
ensemble = emorl.load_ensemble(sys.argv[1], level="logit_sum")
hidden = emorl.load_ensemble(sys.argv[1])
weights = [(0.2, 0.5, 0.3), (1.0, 0.0, 0.0)]
texts = ensemble.generate(["I have tried to stop."], weights)
# Logits are linear in the states: here the sum of logits writes what the sum of states writes.
assert texts == hidden.generate(["I have tried to stop."], weights)
print(ensemble.level.name, texts)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages that holds the examples, with their entry points."""
    folder = tmp_path_factory.mktemp("site")
    package = folder / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        name = re.match(r"# my_package/(\w+\.py)\n", block)
        assert name is not None, block[:60]
        (package / name[1]).write_text(block, encoding="utf-8")
    points = re.findall(r'\[project\.entry-points\."([\w.]+)"\]\n(\w+) = "([\w.]+)"', PAGE)
    kinds = ("searchers", "scalarizers", "rules", "rewards", "levels")
    assert [group for group, _, _ in points] == [f"emorl.{kind}" for kind in kinds]
    installed = folder / "my_package-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "".join(f"[{group}]\n{name} = {module}\n" for group, name, module in points)
    )
    return folder


def python(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is installed."""
    path = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_searcher_and_a_reward_of_another_package_run_to_stored_results(
    site: Path, tmp_path: Path
) -> None:
    config = tiny_run(tmp_path)
    folder = run_folder(tmp_path, config.name)
    settings = tmp_path / "tiny.toml"
    text = config_text(config)
    block = text[text.index("[rewards.letters]") :].split("\n\n")[0]
    mine = '[rewards.letters]\nkind = "vocabulary"\nwords = "a,e,t"'
    settings.write_text(text.replace(block, mine), encoding="utf-8")
    words = ["-m", "emorl", "run", str(settings), "--artifacts", str(tmp_path), "--quiet"]
    ran = python(site, *words)
    assert ran.returncode == 0, ran.stderr[-3000:]
    decoded = python(site, "-c", _DECODE, str(folder.root))
    assert decoded.stdout.startswith("logit_sum "), decoded.stderr[-3000:]
    words = ["-m", "emorl", "search", config.name, "--searcher", "steepest"]
    done = python(
        site, *words, "--set", "search.n_steps=2", "--artifacts", str(tmp_path), "--quiet"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = pq.read_table(folder.published / "evaluations.parquet").to_pylist()
    own = [row for row in rows if row["search"] == "steepest"]
    assert len(own) == 1 + 2 * 3
    assert all(row["means"] is not None for row in own)
    # The zero vector and unknown names are the driver's and the registry's affair.
    wrong = python(site, *words[:-1], "stepest", "--artifacts", str(tmp_path))
    assert wrong.returncode == 2
    assert "Did you mean 'steepest'?" in wrong.stderr


@pytest.mark.slow
def test_a_scalarizer_and_a_rule_of_another_package_train_a_policy(
    site: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "tiny.toml"
    settings.write_text(config_text(tiny_run(tmp_path)), encoding="utf-8")
    done = python(site, "-c", _TRAIN, str(settings))
    assert done.returncode == 0, done.stderr[-3000:]
    n_records, weights = json.loads(done.stdout.splitlines()[-1])
    assert n_records == 6 + 4  # six steps, and validations at 0, 2, 4 and 6
    assert weights == [[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]


def test_the_reward_of_the_page_is_one(site: Path) -> None:
    code = "from my_package.brevity import score; print(score(['a'], ['one two three']))"
    assert python(site, "-c", code).stdout.strip() == "[0.25]"
