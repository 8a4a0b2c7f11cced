"""Token attribution: the parts add up, and each of them is what the model says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from emorl.decoding.attribution import TokenAttribution, attribute
from emorl.decoding.forward import HuggingFaceForward
from emorl.decoding.tree import PrefixTree
from emorl.errors import WeightsError
from emorl.models.policy import Policy
from emorl.weights import canonical_direction
from tests.support.atlas_fields import fake_tree
from tests.support.fake_forward import FakeForward
from tests.support.policies import ADAPTERS, FAMILIES, PROMPTS, tiny_policy

WEIGHTS = ((0.5, 0.25, 0.25), (2.0, 1.0, 5.0), (0.0, 1.0, 1.0), (1.0, 0.0, 0.0))


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return tiny_policy(request.param, tmp_path_factory.mktemp("policy"), max_new_tokens=8)


@pytest.fixture(scope="module")
def tree(policy: Policy) -> PrefixTree:
    return PrefixTree(
        HuggingFaceForward(policy, ADAPTERS),
        *policy.encode(PROMPTS),
        max_new_tokens=8,
        eos_token_ids=policy.eos_token_ids,
        memory_mib=100,
    )


def oracle_logits(policy: Policy, prompt: str, response: list[int]) -> Tensor:
    """Return each adapter's own logits after a prefix, read whole, ``(n_adapters, vocab)``."""
    found = []
    input_ids, attention_mask = policy.encode([prompt])
    for name in ADAPTERS:
        policy.model.set_adapter(name)
        with torch.no_grad():
            if policy.is_encoder_decoder:
                output = policy.model(
                    input_ids=input_ids,
                    attention_mask=attention_mask,
                    decoder_input_ids=torch.tensor([[policy.decoder_start_token_id, *response]]),
                )
            else:
                written = torch.tensor([response], dtype=torch.long)
                output = policy.model(input_ids=torch.cat([input_ids, written], dim=1))
        found.append(output.logits[0, -1])
    return torch.stack(found)


def attributed(
    tree: PrefixTree, prompt: int, weights: tuple[float, ...]
) -> tuple[list[int], list[TokenAttribution]]:
    tokens = tree.decode(np.array([weights]))[0][prompt]
    return tokens, attribute(tree, prompt, weights, tokens)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_parts_add_up_to_the_logit_and_to_the_margin(
    tree: PrefixTree, weights: tuple[float, ...]
) -> None:
    for prompt in range(len(PROMPTS)):
        tokens, steps = attributed(tree, prompt, weights)
        assert [step.token for step in steps] == tokens
        for step in steps:
            assert sum(step.logit_parts) == pytest.approx(step.logit, rel=1e-12)
            assert sum(step.margin_parts) == pytest.approx(step.margin, rel=1e-9, abs=1e-12)
            assert step.margin >= 0
            assert step.margin_parts[step.decided_by] == max(step.margin_parts)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_logits_are_those_of_whole_prefixes_read_by_one_adapter_at_a_time(
    policy: Policy, tree: PrefixTree, weights: tuple[float, ...]
) -> None:
    direction = torch.tensor(canonical_direction(weights), dtype=torch.float64)
    for prompt, text in enumerate(PROMPTS[:2]):
        tokens, steps = attributed(tree, prompt, weights)
        for position, step in enumerate(steps):
            logits = oracle_logits(policy, text, tokens[:position]).double()
            combined = direction @ logits
            size = float(combined.abs().max())
            # Measured: 1.8e-5 of the largest logit, which is what padding, batches and the
            # cache change in the states themselves.
            near = 1e-4 * size
            assert step.logit == pytest.approx(float(combined[step.token]), abs=near)
            combined[step.token] = -torch.inf
            assert step.runner_up_logit == pytest.approx(float(combined.max()), abs=near)
            assert float(combined[step.runner_up]) == pytest.approx(
                float(combined.max()), abs=near
            )
            parts = direction * logits[:, step.token]
            assert step.logit_parts == pytest.approx(parts.tolist(), abs=near)


def test_the_logit_is_what_the_head_makes_of_the_combined_state(tree: PrefixTree) -> None:
    for weights in WEIGHTS:
        tokens, steps = attributed(tree, 1, weights)
        node = 1
        direction = torch.tensor(canonical_direction(weights), dtype=torch.float32)
        for step, token in zip(steps, tokens, strict=True):
            state = tree._nodes.states([node])[:, 0]
            combined = tree._head(torch.einsum("m,md->d", direction, state)).detach()
            # Measured: at most 3e-7 of the largest logit, in float32.
            size = float(combined.abs().max())
            assert step.logit == pytest.approx(float(combined[token]), abs=1e-5 * size)
            if step is not steps[-1]:
                (node,) = tree.expand([node], [token])


def test_each_member_alone_is_one_hot_decoding_of_the_prefix(
    policy: Policy, tree: PrefixTree
) -> None:
    tokens, steps = attributed(tree, 0, WEIGHTS[0])
    for position, step in enumerate(steps):
        alone = oracle_logits(policy, PROMPTS[0], tokens[:position]).argmax(dim=-1)
        assert step.alone == tuple(alone.tolist())
    # At the first token that is the first token of one-hot decoding.
    one_hot = tree.decode(np.eye(len(ADAPTERS)))
    assert steps[0].alone == tuple(responses[0][0] for responses in one_hot)


def test_what_was_decoded_is_not_read_again(tree: PrefixTree) -> None:
    tokens = tree.decode(np.array([WEIGHTS[0]]))[0][2]
    before = tree.n_forwards
    attribute(tree, 2, WEIGHTS[0], tokens)
    assert tree.n_forwards == before


def test_only_the_direction_of_the_weights_matters() -> None:
    tree = fake_tree(FakeForward(3, with_bias=True), 2)
    tokens = tree.decode(np.array([[0.5, 0.25, 0.25]]))[0][1]
    assert attribute(tree, 1, (2.0, 1.0, 1.0), tokens) == attribute(
        tree, 1, (0.5, 0.25, 0.25), tokens
    )


def test_a_response_of_other_weights_has_a_negative_margin_where_they_part() -> None:
    tree = fake_tree(FakeForward(2, disagreement=16), 4)
    one, other = tree.decode(np.eye(2))
    prompt = next(p for p in range(4) if one[p] != other[p])
    steps = attribute(tree, prompt, (1.0, 0.0), other[prompt])
    parting = next(
        place
        for place, tokens in enumerate(zip(one[prompt], other[prompt], strict=False))
        if tokens[0] != tokens[1]
    )
    assert all(step.margin >= 0 for step in steps[:parting])
    assert steps[parting].margin < 0
    assert steps[parting].runner_up == one[prompt][parting]
    assert steps[parting].alone == (one[prompt][parting], other[prompt][parting])


def test_no_tokens_have_no_attribution_and_bad_weights_are_refused() -> None:
    tree = fake_tree(FakeForward(2), 1)
    assert attribute(tree, 0, (1.0, 1.0), []) == []
    for weights in ((0.0, 0.0), (1.0,), (float("nan"), 1.0)):
        with pytest.raises(WeightsError):
            attribute(tree, 0, weights, [1])
