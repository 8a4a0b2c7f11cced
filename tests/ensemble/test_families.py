"""Model families with a fast back end: each is a file that says what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from emorl.config import PolicyConfig
from emorl.decoding.forward import BASE
from emorl.decoding.stacked import stacked_forward, unsupported_reason
from emorl.decoding.stacked.families import families, family_of
from emorl.errors import ModelError
from emorl.models.policy import load_policy
from tests.support.policies import FAMILIES
from tests.support.tiny_models import save_tiny_gpt2


def test_no_class_is_read_by_two_families() -> None:
    modules = set(families().values())
    named = [name for family in modules for name in family.CLASSES]
    assert len(named) == len(set(named)) == len(families())
    assert len(modules) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_reads_its_tiny_model(family: str, tmp_path: Path) -> None:
    folder = FAMILIES[family](tmp_path / "base")
    policy = load_policy(PolicyConfig(model=str(folder), max_new_tokens=4, device="cpu"))
    found = family_of(policy)
    assert found is not None
    assert type(policy.base).__name__ in found.CLASSES
    assert list(found.reasons(policy)) == []
    forward = stacked_forward(policy, [BASE])
    assert type(forward).__module__ == f"{found.__name__}"  # type: ignore[attr-defined]


def test_other_models_are_left_to_the_generic_back_end(tmp_path: Path) -> None:
    folder = save_tiny_gpt2(tmp_path / "base")
    policy = load_policy(PolicyConfig(model=str(folder), max_new_tokens=4, device="cpu"))
    assert family_of(policy) is None
    assert unsupported_reason(policy, [BASE]) == (
        "the architecture GPT2LMHeadModel has no fast back end"
    )
    with pytest.raises(ModelError, match="needs the generic back end"):
        stacked_forward(policy, [BASE])
