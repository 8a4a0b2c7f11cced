"""Ensemble decoding against plain ways to the same text, for both families of models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel

from emorl.decoding.forward import HuggingFaceForward
from emorl.decoding.levels.hidden_state import hidden_state_scores
from emorl.decoding.loop import decode
from emorl.decoding.tree import PrefixTree
from emorl.errors import ModelError, PromptError, WeightsError
from emorl.models.policy import Policy
from emorl.systems.ensemble import Ensemble, base_alone
from tests.support.policies import ADAPTERS, FAMILIES, PROMPTS, tiny_policy

pytestmark = pytest.mark.slow

MIXED = ((0.5, 0.5, 0.2), (1.0, 0.25, 0.75), (0.0, 1.0, 1.0), (0.3, 0.1, 0.9))


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return tiny_policy(request.param, tmp_path_factory.mktemp("policy"))


def texts(ensemble: Ensemble, weights: Sequence[Sequence[float]]) -> list[list[str]]:
    return [[g.text for g in row] for row in ensemble.generate(PROMPTS, weights)]


def greedy_alone(policy: Policy, prompt: str) -> list[int]:
    """Decode one prompt by the active adapter with ``model.generate``, unpadded."""
    input_ids, attention_mask = policy.encode([prompt])
    model: Any = policy.model
    sequence = model.generate(
        input_ids=input_ids,
        attention_mask=attention_mask,
        do_sample=False,
        max_new_tokens=policy.config.max_new_tokens,
        pad_token_id=policy.pad_token_id,
    )[0]
    tokens: list[int] = sequence[1 if policy.is_encoder_decoder else len(input_ids[0]) :].tolist()
    return tokens


def reference_tokens(policy: Policy, prompt: str, weights: Sequence[float]) -> list[int]:
    """Decode as the definition says: whole prefix, one adapter after the other, no cache."""
    input_ids, attention_mask = policy.encode([prompt])
    response: list[int] = []
    head: Any = policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]
    while len(response) < policy.config.max_new_tokens:
        mixed = torch.zeros(policy.base.config.hidden_size)
        for name, weight in zip(ADAPTERS, weights, strict=True):
            policy.model.set_adapter(name)
            with torch.no_grad():
                mixed += weight * _last_hidden(policy, input_ids, attention_mask, response)
        token = int(head(mixed).argmax())
        response.append(token)
        if token in policy.eos_token_ids:
            break
    return response


def _last_hidden(
    policy: Policy, input_ids: torch.Tensor, attention_mask: torch.Tensor, response: list[int]
) -> torch.Tensor:
    if policy.is_encoder_decoder:
        start = policy.decoder_start_token_id
        output = policy.base(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=torch.tensor([[start, *response]]),
            output_hidden_states=True,
        )
        states: torch.Tensor = output.decoder_hidden_states[-1][0, -1]
        return states
    inputs = torch.cat([input_ids, torch.tensor([response], dtype=torch.long)], dim=1)
    output = policy.base(input_ids=inputs, output_hidden_states=True)
    causal_states: torch.Tensor = output.hidden_states[-1][0, -1]
    return causal_states


def test_one_hot_weights_give_that_adapters_own_greedy_text(policy: Policy) -> None:
    one_hot = [tuple(float(a == b) for b in ADAPTERS) for a in ADAPTERS]
    together = texts(Ensemble(policy, ADAPTERS), one_hot)
    assert isinstance(policy.model, PeftModel)
    for name, written in zip(ADAPTERS, together, strict=True):
        policy.model.set_adapter(name)
        assert written == [policy.decode(greedy_alone(policy, prompt)) for prompt in PROMPTS]
    assert together[0] != together[1] != together[2]


def test_mixed_weights_give_the_text_of_the_definition(policy: Policy) -> None:
    together = texts(Ensemble(policy, ADAPTERS), MIXED)
    for weights, written in zip(MIXED, together, strict=True):
        expected = [policy.decode(reference_tokens(policy, p, weights)) for p in PROMPTS]
        assert written == expected


@pytest.mark.parametrize("stop", ["eos", "reference"])  # with trees, and without
def test_logits_give_the_same_tokens_as_hidden_states(policy: Policy, stop: Any) -> None:
    logit = Ensemble(policy, ADAPTERS, "logit", stop=stop)
    assert texts(logit, MIXED) == texts(Ensemble(policy, ADAPTERS, stop=stop), MIXED)


def test_at_the_level_of_logits_no_prefix_is_read_twice(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS, "logit")
    first = texts(ensemble, MIXED)
    [tree] = ensemble.trees.trees
    n_forwards = tree.n_forwards
    assert texts(ensemble, MIXED) == first
    assert tree.n_forwards == n_forwards


def test_many_weights_are_decoded_some_at_a_time(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = [tuple(row) for row in np.random.default_rng(0).dirichlet(np.ones(3), 500).tolist()]
    ample = Ensemble(policy, ADAPTERS).generate(PROMPTS, weights)
    small = replace(policy, config=replace(policy.config, memory_mib=2))
    n_at_once: list[int] = []
    decode = PrefixTree.decode

    def watched(tree: PrefixTree, directions: Any) -> Any:
        n_at_once.append(len(directions) * tree.n_prompts)
        return decode(tree, directions)

    monkeypatch.setattr(PrefixTree, "decode", watched)
    assert Ensemble(small, ADAPTERS).generate(PROMPTS, weights) == ample
    assert sum(n_at_once) == len(PROMPTS) * 500
    # A thirty-second of 2 MiB, by 32 bytes a token.
    assert max(n_at_once) <= 2**16 / 32 / policy.config.max_new_tokens


def test_scaled_weights_give_the_same_text(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    tripled = [tuple(3 * weight for weight in weights) for weights in MIXED]
    assert texts(ensemble, tripled) == texts(ensemble, MIXED)


def test_weights_of_any_size_give_the_text_of_their_direction(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    usual = texts(ensemble, [(1.0, 0.5, 0.0)])
    assert texts(ensemble, [(1e-60, 5e-61, 0.0)]) == usual
    assert texts(ensemble, [(1e39, 5e38, 0.0)]) == usual


def test_permuting_adapters_and_weights_together_changes_nothing(policy: Policy) -> None:
    turned = Ensemble(policy, ADAPTERS[::-1])
    assert texts(turned, [weights[::-1] for weights in MIXED]) == texts(
        Ensemble(policy, ADAPTERS), MIXED
    )


def test_weights_decoded_together_and_apart_give_the_same_text(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    assert texts(ensemble, MIXED) == [texts(ensemble, [weights])[0] for weights in MIXED]


def test_base_alone_is_the_model_without_adapters(policy: Policy) -> None:
    assert isinstance(policy.model, PeftModel)
    with policy.model.disable_adapter():
        expected = [policy.decode(greedy_alone(policy, prompt)) for prompt in PROMPTS]
    assert texts(base_alone(policy), [(1.0,)]) == [expected]


def test_nodes_are_shared_where_prefixes_are(policy: Policy) -> None:
    # The same weights 5 times: one node per prompt and step, whatever the number of weights.
    counted: list[int] = []

    class Counting(HuggingFaceForward):
        def grow(self, parents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
            counted.append(len(tokens))
            return super().grow(parents, tokens)

    decode(
        Counting(policy, ADAPTERS),
        hidden_state_scores,
        *policy.encode(PROMPTS),
        torch.tensor([MIXED[0]] * 5),
        max_new_tokens=8,
        eos_token_ids=policy.eos_token_ids,
    )
    assert counted
    assert max(counted) <= len(PROMPTS)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1.0, 0.0), "Need one weight per objective: 3 objectives, got 2"),
        ((1.0, math.nan, 0.0), "finite"),
        ((1.0, -1.0, 0.0), "0 or above"),
    ],
)
def test_impossible_weights_are_refused(
    policy: Policy, weights: tuple[float, ...], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        Ensemble(policy, ADAPTERS).generate(PROMPTS, [weights])


@pytest.mark.parametrize("prompts", [[], ["fine", "  "]])
def test_blank_prompts_are_refused(policy: Policy, prompts: list[str]) -> None:
    with pytest.raises(PromptError, match="at least one prompt"):
        Ensemble(policy, ADAPTERS).generate(prompts, [(1.0, 0.0, 0.0)])


def test_an_unknown_member_is_refused_by_name(policy: Policy) -> None:
    with pytest.raises(ModelError, match="no adapter 'bold'"):
        Ensemble(policy, ("warm", "bold")).generate(PROMPTS, [(1.0, 0.0)])


def test_a_prompt_longer_than_the_policy_reads_is_refused(policy: Policy) -> None:
    with pytest.raises(PromptError, match="reads at most 128"):
        policy.check_prompt("I can not sleep. " * 100)
