"""What a process really takes: not what is counted, but what the system says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.memory import Case, measure
from tests.support.policies import ADAPTERS, FAMILIES, PROMPTS, tiny_policy
from tests.support.tiny_models import save_tiny_t5

pytestmark = pytest.mark.slow

_OF_THE_LIBRARY = 24
"""MiB that the mathematical library may keep for itself, for products of these sizes."""


def small_case(folder: str) -> Case:
    # In a process of its own: nobody else sees this family.
    FAMILIES["larger"] = partial(
        save_tiny_t5, d_model=128, d_kv=32, d_ff=512, num_heads=4, num_layers=4
    )
    policy = tiny_policy("larger", Path(folder), max_new_tokens=32)
    return policy, ADAPTERS, [f"{n} {PROMPTS[0]}" for n in range(48)]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for memory")
def test_a_process_takes_no_more_memory_than_the_budget(tmp_path: Path) -> None:
    ample, few = (
        measure(small_case, [str(tmp_path / str(budget))], budget) for budget in (1024, 32)
    )
    assert ample["taken"] > 128  # else there would be nothing to see
    assert few["taken"] <= 32 + _OF_THE_LIBRARY
