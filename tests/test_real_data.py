"""The embedded policy on the real PAIR file, in a short form of ``emorl run``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emorl.__main__ import main

pytestmark = pytest.mark.slow

SHORT = (
    "training.max_steps=2",
    "training.validate_every=2",
    "training.validation_samples=1",
    "policy.max_new_tokens=12",
    "search.n_rounds=2",
    "threads=1",
)


@pytest.mark.data
def test_a_short_run_on_pair_ends_with_a_full_search_in_the_store(
    pair_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["preset", "pair-embedded"])
    settings = tmp_path / "pair.toml"
    settings.write_text(capsys.readouterr().out, encoding="utf-8")
    changes = [part for change in SHORT for part in ("--set", change)]
    artifacts = ["--quiet", "--artifacts", str(tmp_path / "artifacts")]
    data = ["--set", f"data.path={pair_file}"]
    assert main(["run", str(settings), *data, *changes, *artifacts]) == 0
    assert main(["summary", "pair-embedded", "--json", *artifacts]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["state"] == "finished"
    assert found["prompts"] == {"train": 254, "aggregation": 32, "inference": 32}
    # Two rounds of 27 grid points.
    assert found["evaluations"] == 54
    assert found["best"]["mean_reward"] > 0
