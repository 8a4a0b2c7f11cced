"""The import rules, and what must start fast."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = "torch", "transformers", "peft"


@pytest.mark.parametrize(
    "module",
    [
        "emorl.runs.store",
        "emorl.runs.snapshots",
        "emorl.runs.summary",
        "emorl.search.hierarchical",
        "emorl.commands.parser",
        "emorl.config.files",
    ],
)
def test_light_modules_load_no_model_library(module: str) -> None:
    code = f"import sys, {module}; print(*[m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""
