"""Sequence classifiers: what each output means, pairs, batches, unusable models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from emorl.errors import RewardError
from emorl.rewards.kinds.sequence_classifier import ClassifierOutput
from emorl.rewards.sequence_classifier import load_sequence_classifier, score_of_logits
from tests.rewards.settings import Pairs, reward
from tests.support import tiny_models


def test_outputs_turn_into_scores_as_defined() -> None:
    one = torch.tensor([[0.0], [-0.5], [1.5]])
    # sigmoid(0) = 0.5, and so on; clamp cuts at 0 and 1.
    torch.testing.assert_close(
        score_of_logits(one, "sigmoid"), torch.tensor([0.5, 0.377541, 0.817574])
    )
    torch.testing.assert_close(score_of_logits(one, "clamp"), torch.tensor([0.0, 0.0, 1.0]))
    # Probabilities 1/3 each: (0 + 1/2 + 1) / 3 = 0.5. A sure top level of four: 3/3 = 1.
    torch.testing.assert_close(
        score_of_logits(torch.zeros(1, 3), "expected_level"), torch.tensor([0.5])
    )
    sure = torch.tensor([[0.0, 0.0, 0.0, 50.0]])
    torch.testing.assert_close(score_of_logits(sure, "expected_level"), torch.tensor([1.0]))
    # Probabilities (0.2, 0.3, 0.5): 0.3 x 1/2 + 0.5 x 1 = 0.65.
    known = torch.tensor([[0.2, 0.3, 0.5]]).log()
    torch.testing.assert_close(score_of_logits(known, "expected_level"), torch.tensor([0.65]))


@pytest.mark.parametrize("output", ["sigmoid", "clamp", "expected_level"])
def test_batched_scores_equal_plain_transformers_one_by_one(
    output: ClassifierOutput, pairs: Pairs, classifier: Path, regressor: Path
) -> None:
    folder = classifier if output == "expected_level" else regressor
    scorer = load_sequence_classifier("x", reward(folder, output=output, batch_size=5), "cpu")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    expected = []
    with torch.no_grad():
        for prompt, response in zip(*pairs, strict=True):
            inputs = tokenizer(prompt, response, return_tensors="pt")
            assert inputs["token_type_ids"].any()
            expected.append(score_of_logits(model(**inputs).logits, output).item())
    scores = scorer(*pairs)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert np.ptp(scores) > 0.05


def test_a_score_does_not_depend_on_the_pairs_beside_it(pairs: Pairs, classifier: Path) -> None:
    scorer = load_sequence_classifier("x", reward(classifier, batch_size=16), "cpu")
    together = scorer(*pairs)
    alone = [scorer([p], [r])[0] for p, r in zip(*pairs, strict=True)]
    half = scorer(pairs[0][::2], pairs[1][::2])
    # On some processors a head of three outputs rounds odd rows in another way than even ones.
    assert together == pytest.approx(np.array(alone), rel=0, abs=5e-7)
    assert together[::2] == pytest.approx(half, rel=0, abs=5e-7)


def test_prompt_and_response_are_told_apart(classifier: Path) -> None:
    scorer = load_sequence_classifier("x", reward(classifier), "cpu")
    one, other = scorer(["I am tired.", "You rest."], ["You rest.", "I am tired."])
    assert one != other


def test_texts_longer_than_the_model_are_cut(classifier: Path) -> None:
    scorer = load_sequence_classifier("x", reward(classifier, max_tokens=10_000), "cpu")
    scores = scorer(["tired " * 2_000], ["rest " * 2_000])
    assert 0.0 <= scores[0] <= 1.0
    assert scorer.reader.limit == 512


def test_roberta_classifiers_leave_room_for_their_position_offset(tmp_path: Path) -> None:
    from transformers import RobertaConfig, RobertaForSequenceClassification

    tiny_models.save_tiny_roberta(tmp_path)
    config = RobertaConfig.from_pretrained(tmp_path, num_labels=2, max_position_embeddings=40)
    RobertaForSequenceClassification(config).save_pretrained(tmp_path)
    scorer = load_sequence_classifier("x", reward(tmp_path), "cpu")
    # Positions count from pad_token_id + 1 = 1, so 40 positions hold 39 tokens.
    assert scorer.reader.limit == 39
    assert 0.0 <= scorer(["tired " * 60], ["rest " * 60])[0] <= 1.0


def test_a_decoder_only_classifier_reads_the_last_token_that_is_not_padding(
    tmp_path: Path, pairs: Pairs
) -> None:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    tiny_models.save_tiny_gpt2(tmp_path)
    config = GPT2Config.from_pretrained(
        tmp_path, num_labels=3, pad_token_id=None, initializer_range=0.5
    )
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    scorer = load_sequence_classifier("x", reward(tmp_path), "cpu")
    alone = [
        load_sequence_classifier("x", reward(tmp_path, batch_size=1), "cpu")([p], [r])[0]
        for p, r in zip(*(texts[:4] for texts in pairs), strict=True)
    ]
    scores = scorer(*pairs)
    np.testing.assert_allclose(scores[:4], alone, atol=1e-5)
    assert np.ptp(scores) > 0.01


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.save_tiny_roberta(tmp_path)
    with pytest.raises(RewardError, match=r"'x': .* has no trained weights for classifier\."):
        load_sequence_classifier("x", reward(folder), "cpu")


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.save_tiny_bert(tmp_path, vocab_size=300)
    with pytest.raises(RewardError, match=r"'x': its tokenizer has \d+ entries, .* knows 300"):
        load_sequence_classifier("x", reward(folder), "cpu")


@pytest.mark.parametrize(
    ("n_labels", "output", "message"),
    [
        (1, "expected_level", "needs at least two ordered labels, but .* has 1"),
        (3, "sigmoid", "needs a model with one output, but .* has 3"),
        (3, "clamp", "needs a model with one output, but .* has 3"),
    ],
)
def test_an_output_that_does_not_fit_the_labels_is_refused(
    n_labels: int, output: ClassifierOutput, message: str, classifier: Path, regressor: Path
) -> None:
    folder = regressor if n_labels == 1 else classifier
    with pytest.raises(RewardError, match=message):
        load_sequence_classifier("x", reward(folder, output=output), "cpu")
