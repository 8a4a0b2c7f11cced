"""Pairs of texts of many lengths, and tiny models to score them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.rewards.settings import Pairs
from tests.support import tiny_models


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def pairs() -> Pairs:
    """24 different pairs, from 2 words to some 60, in mixed order."""
    lengths = [(7 * n) % 24 + 1 for n in range(24)]
    prompts = [f"I want to quit {n} " + "and I worry " * (n % 5) for n in range(24)]
    responses = ["You feel tired. " * length + str(length) for length in lengths]
    return prompts, responses


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with three labels."""
    return tiny_models.save_tiny_bert(tmp_path_factory.mktemp("bert3"), n_labels=3)


@pytest.fixture(scope="session")
def regressor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with one output."""
    return tiny_models.save_tiny_bert(tmp_path_factory.mktemp("bert1"), n_labels=1)


@pytest.fixture(scope="session")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 whose perplexities are not all alike."""
    return tiny_models.save_tiny_gpt2(tmp_path_factory.mktemp("gpt2"), initializer_range=0.3)
