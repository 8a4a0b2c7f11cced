"""Perplexity: equal to Transformers' own loss, whole pair or response alone, padding ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from emorl.rewards.perplexity import PerplexityScorer, load_perplexity
from tests.rewards.settings import Pairs, reward


def _load(folder: Path, **settings: Any) -> PerplexityScorer:
    return load_perplexity("fluency", reward(folder, kind="perplexity", **settings), "cpu")


def _own_perplexity(folder: Path, ids: list[int], n_context: int) -> float:
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokens = torch.tensor([ids])
    labels = tokens.clone()
    labels[0, :n_context] = -100  # not counted
    with torch.no_grad():
        return float(model(input_ids=tokens, labels=labels).loss.exp())


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_pair_perplexity_is_that_of_prompt_space_response(
    batch_size: int, pairs: Pairs, language_model: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    expected = [
        _own_perplexity(language_model, tokenizer(f"{prompt} {response}")["input_ids"], 0)
        for prompt, response in zip(*pairs, strict=True)
    ]
    scorer = _load(language_model, batch_size=batch_size)
    np.testing.assert_allclose(scorer.perplexities(*pairs), expected, rtol=1e-4)
    assert np.ptp(expected) > 1


def test_response_perplexity_counts_only_the_response(pairs: Pairs, language_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    expected = []
    for prompt, response in zip(*pairs, strict=True):
        context = tokenizer(prompt)["input_ids"]
        ids = context + tokenizer(f" {response}")["input_ids"]
        expected.append(_own_perplexity(language_model, ids, len(context)))
    scorer = _load(language_model, scored_text="response", batch_size=7)
    np.testing.assert_allclose(scorer.perplexities(*pairs), expected, rtol=1e-4)


def test_the_score_falls_from_one_to_zero_at_the_ceiling(
    pairs: Pairs, language_model: Path
) -> None:
    perplexities = _load(language_model).perplexities(*pairs)
    ceiling = float(np.median(perplexities))
    scores = _load(language_model, perplexity_ceiling=ceiling)(*pairs)
    np.testing.assert_allclose(scores, np.maximum(0, (ceiling - perplexities) / ceiling))
    assert (scores == 0).any()
    assert (scores > 0).any()


@pytest.mark.parametrize("scored_text", ["pair", "response"])
def test_a_score_does_not_depend_on_the_pairs_beside_it(
    scored_text: str, pairs: Pairs, language_model: Path
) -> None:
    scorer = _load(language_model, scored_text=scored_text, batch_size=16)
    together = scorer.perplexities(*pairs)
    alone = [scorer.perplexities([p], [r])[0] for p, r in zip(*pairs, strict=True)]
    assert together.tolist() == alone  # to the last bit


def test_a_prompt_that_does_not_fit_loses_its_beginning(language_model: Path) -> None:
    scorer = _load(language_model, scored_text="response", max_tokens=32)
    near = "I am tired. " * 20
    far, other = scorer.perplexities([f"Hello! {near}", f"Good-bye? {near}"], ["You rest."] * 2)
    assert far == other


@pytest.mark.parametrize("scored_text", ["pair", "response"])
def test_a_response_that_does_not_fit_is_cut(scored_text: str, language_model: Path) -> None:
    scorer = _load(language_model, scored_text=scored_text, max_tokens=24)
    one, other = scorer.perplexities(["Hi.", "Hi."], ["rest " * 40 + "a", "rest " * 40 + "b"])
    assert one == other
    assert np.isfinite(one)


def test_a_text_of_one_token_has_nothing_to_predict_and_earns_nothing(
    language_model: Path,
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    assert len(tokenizer(" you")["input_ids"]) == 1
    scorer = _load(language_model, scored_text="response", perplexity_ceiling=1e9)
    alone, usual = scorer(["", "I am tired."], ["you", "You rest."])
    assert alone == 0.0
    assert usual > 0.9
