"""The memory budget: what is decoded at once fits it, and no text depends on it."""

from __future__ import annotations

import gc
import itertools
import math
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
import torch
from torch import nn

from emorl.decoding import batches, sample_noise
from emorl.decoding.forward import HuggingFaceForward
from emorl.decoding.loop import Choose, decode, drawn
from emorl.decoding.memory import MIB, Costs
from emorl.decoding.stacked import base_product, stacked_forward
from emorl.decoding.stacked.forward import StackedForward
from emorl.decoding.stacked.linear import StackedLinears
from emorl.errors import MemoryBudgetError, ScoresError
from emorl.models.policy import Policy
from emorl.systems.ensemble import Ensemble
from tests.support.policies import ADAPTERS, FAMILIES, PROMPTS, tiny_policy
from tests.support.tiny_models import save_tiny_llama, save_tiny_t5

pytestmark = pytest.mark.slow

MIXED = [(1.0, 0.1 * k, 0.05 * k) for k in range(40)]
# A prompt of one token takes 3 (keys and values) + 7 + 1 bytes while it is read; a text takes
# 3 x 5 x 3 bytes of keys and values, 2 x 5 x 2 of states, 7 while it is read, and 3 x 2 x 4 of
# scores.
COSTS = Costs(
    budget=1000.0,
    n_members=3,
    bytes_per_node=3,
    bytes_of_state=2,
    is_generic=False,
    max_new_tokens=5,
    vocabulary=2,
    bytes_read_per_token=7,
    bytes_per_token_pair=1,
)


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return tiny_policy(request.param, tmp_path_factory.mktemp("policy"))


def with_memory(policy: Policy, memory_mib: int, **settings: Any) -> Policy:
    return replace(policy, config=replace(policy.config, memory_mib=memory_mib, **settings))


@pytest.fixture
def pairs_at_once(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Prompts and weights of every batch."""
    seen: list[tuple[int, int]] = []

    def watched(*arguments: Any, **settings: Any) -> list[list[list[int]]]:
        seen.append((len(arguments[2]), len(arguments[4])))
        return decode(*arguments, **settings)

    monkeypatch.setattr(batches, "decode", watched)
    return seen


def test_costs_are_those_counted_by_hand() -> None:
    assert COSTS.prompt(1) == 11
    assert COSTS.prompt(2) == 2 * 10 + 4
    assert COSTS.text(1, needs_logits=False) == 72 + 24
    assert COSTS.text(1, needs_logits=False, is_drawn=True) == 72 + 48
    # Two more kinds of scores that all three members have.
    assert COSTS.text(1, needs_logits=True) == 72 + (3 + 9) * 8
    # Two copies of the prompt, while one is made longer.
    assert replace(COSTS, is_generic=True).text(4, needs_logits=False) == 72 + 2 * 4 * 3 + 24


@pytest.mark.parametrize(
    ("n_prompts", "n_weights", "expected"),
    [(1, 5, (1, 5)), (50, 1, (15, 1)), (50, 5, (3, 5)), (50, 500, (1, 18))],
)
def test_a_batch_is_as_large_as_fits_and_keeps_weights_together(
    n_prompts: int, n_weights: int, expected: tuple[int, int]
) -> None:
    # A prompt takes 11 bytes of the 1,000 and a text 54: 15 (11 + 54), 3 (11 + 270), 18 x 54.
    size = COSTS.batch(11, 54, n_prompts, n_weights, prompts_together=False)
    assert (size.n_prompts, size.n_weights) == expected


def test_prompts_that_belong_together_stay_so_or_are_refused() -> None:
    size = COSTS.batch(11, 54, 10, 3, prompts_together=True)
    assert (size.n_prompts, size.n_weights) == (10, 1)
    with pytest.raises(MemoryBudgetError, match="memory_mib"):
        COSTS.batch(11, 54, 16, 1, prompts_together=True)


@pytest.fixture
def close_draws(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Pairs of the batch of all that drew so near two tokens' border that rounding decides."""
    found: set[int] = set()

    def watched(temperatures: torch.Tensor, chances: torch.Tensor) -> Choose:
        choose, position = drawn(temperatures, chances), itertools.count()

        def look(scores: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
            tempered = scores.double() / temperatures[pairs].unsqueeze(1)
            borders = torch.softmax(tempered, dim=-1).cumsum(dim=-1)
            gaps = (borders - chances[pairs, next(position)].unsqueeze(1)).abs().amin(dim=-1)
            found.update(pairs[gaps < 1e-6].tolist())
            return choose(scores, pairs)

        return look if len(chances) == 80 else choose

    monkeypatch.setattr(sample_noise, "drawn", watched)
    return found


@pytest.mark.parametrize("level", ["hidden_state", "logit", "probability", "parameter"])
def test_samples_are_the_same_whatever_the_budget(
    policy: Policy, level: Any, pairs_at_once: list[tuple[int, int]], close_draws: set[int]
) -> None:
    few = with_memory(policy, 1)
    request: dict[str, Any] = {"n_samples": 40, "seed": 3, "temperature": 0.7}
    together = Ensemble(policy, ADAPTERS, level).sample(PROMPTS[:2], MIXED[1], **request)
    assert pairs_at_once == [(2, 40)]
    pairs_at_once.clear()
    apart = Ensemble(few, ADAPTERS, level).sample(PROMPTS[:2], MIXED[1], **request)
    pairs = list(zip(itertools.chain(*together), itertools.chain(*apart), strict=True))
    assert {place for place, (one, other) in enumerate(pairs) if one != other} <= close_draws
    assert len(close_draws) <= 4
    # The caches of a text alone take 16 tokens x 2 layers x 2 x 16 numbers (one member) or more.
    assert len(pairs_at_once) > 1
    assert max(n * m for n, m in pairs_at_once) * 16 * 2 * 2 * 16 * 4 < MIB


@pytest.mark.parametrize("kind", [{"level": "probability"}, {"stop": "reference"}])
def test_texts_without_a_tree_are_the_same_whatever_the_budget(
    policy: Policy, kind: Any, pairs_at_once: list[tuple[int, int]]
) -> None:
    expected = Ensemble(policy, ADAPTERS, **kind).generate(PROMPTS[:2], MIXED)
    pairs_at_once.clear()
    ensemble = Ensemble(with_memory(policy, 1), ADAPTERS, **kind)
    assert ensemble.generate(PROMPTS[:2], MIXED) == expected
    assert len(pairs_at_once) > 1
    assert max(n * m for n, m in pairs_at_once) < 2 * len(MIXED)


def test_a_zero_vector_leaves_the_others_on_the_tree(
    policy: Policy, pairs_at_once: list[tuple[int, int]]
) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    zero = (0.0, 0.0, 0.0)
    mixed = ensemble.generate(PROMPTS, [zero, MIXED[1], zero, MIXED[2]])
    assert pairs_at_once == [(len(PROMPTS), 1)]  # the zero vector, once
    assert mixed[0] == mixed[2]
    assert [mixed[1], mixed[3]] == ensemble.generate(PROMPTS, MIXED[1:3])


def watch_nodes(monkeypatch: pytest.MonkeyPatch, look: Callable[[], None]) -> None:
    """Look whenever nodes were read."""
    grow = StackedForward.grow

    def watched(self: StackedForward, parents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        states = grow(self, parents, tokens)
        look()
        return states

    monkeypatch.setattr(StackedForward, "grow", watched)


def test_trees_and_their_prompts_fit_the_budget_together(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [f"{n} {PROMPTS[3]}" for n in range(40)]
    expected = Ensemble(policy, ADAPTERS).generate(prompts, MIXED[:3])
    few = Ensemble(with_memory(policy, 2), ADAPTERS)
    taken: list[float] = []
    watch_nodes(monkeypatch, lambda: taken.append(few.trees._taken()))
    assert few.generate(prompts, MIXED[:3]) == expected
    assert max(tree.n_prompts for tree in few.trees.trees) < 32  # or there would be one tree
    assert few._costs.budget / 4 < max(taken) <= few._costs.budget


def test_trees_are_kept_until_another_needs_their_memory(policy: Policy) -> None:
    prompts = [f"{n} {PROMPTS[3]}" for n in range(60)]
    few = Ensemble(with_memory(policy, 24), ADAPTERS)
    few.generate(prompts, MIXED[:3])
    kept = few.trees.trees
    n_reads = [tree.n_forwards for tree in kept]
    assert len(kept) == 2
    few.generate(prompts, MIXED[:3])
    assert few.trees.trees == kept
    assert [tree.n_forwards for tree in kept] == n_reads
    # They are dropped before any node of the tree that is in use is forgotten.
    few.generate([f"{n} {PROMPTS[1]}" for n in range(32)], MIXED)
    assert not set(kept) <= set(few.trees.trees)
    assert few.trees.trees[-1].n_forwards == few.trees.trees[-1].n_nodes


def test_where_one_prompt_fits_many_do(tmp_path: Path) -> None:
    # Deep: nearly all that a prompt takes while it is read stays with its keys and values.
    deep = partial(save_tiny_llama, num_hidden_layers=32, num_key_value_heads=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, "decoder-only", deep)
        policy = tiny_policy("decoder-only", tmp_path, max_new_tokens=32)
    few = Ensemble(with_memory(policy, 6), ADAPTERS)
    prompts = [f"{n} {PROMPTS[1]}" for n in range(32)]
    [alone] = few.generate(prompts[:1], [MIXED[1]])
    [together] = few.generate(prompts, [MIXED[1]])
    assert together[0] == alone[0]
    assert len(together) == 32


def test_what_nobody_uses_is_given_back_at_once(policy: Policy) -> None:
    gc.disable()
    try:
        ensemble = Ensemble(policy, ADAPTERS)
        ensemble.generate(PROMPTS[:1], MIXED[:2])
        forward = ref(ensemble.trees.trees[0]._nodes._forward)
        assert forward() is not None
        del ensemble
        assert forward() is None
    finally:
        gc.enable()


def test_of_too_many_trees_the_one_that_is_needed_last_is_dropped(policy: Policy) -> None:
    few = Ensemble(policy, ADAPTERS)
    for prompt in PROMPTS[:3]:
        few.generate([prompt], MIXED[:2])
    first, second, third = few.trees.trees
    few.generate([PROMPTS[0]], MIXED[:2])
    assert few.trees.trees == [second, third, first]
    assert few.trees._drop_one()
    assert few.trees.trees == [third, first]
    # What is asked for now stays, as long as there is anything else.
    assert few.trees._drop_one(spared=next(iter(few.trees._kept)))
    assert few.trees.trees == [third]
    assert not few.trees._drop_one(spared=next(iter(few.trees._kept)))


def test_a_tree_has_no_more_slots_than_its_memory_allows(policy: Policy) -> None:
    few = Ensemble(with_memory(policy, 4), ADAPTERS)
    few.generate(PROMPTS, MIXED)
    [tree] = few.trees.trees
    forward: Any = tree._nodes._forward
    assert 64 < forward._nodes.capacity <= len(PROMPTS) + tree._nodes.room / forward.bytes_per_node
    assert len(tree._nodes) <= forward._nodes.n_slots_taking_memory <= forward._nodes.capacity
    written = forward._nodes.n_slots_taking_memory / forward._nodes.capacity
    pools = sum(pool.nbytes for pool in forward._paths._pools)
    assert written * pools <= tree.bytes_taken <= 2 * tree._nodes.room


def test_slots_that_are_reserved_count_once_they_are_written(policy: Policy) -> None:
    ample = Ensemble(policy, ADAPTERS)
    ample.generate(PROMPTS, MIXED)
    [tree] = ample.trees.trees
    forward: Any = tree._nodes._forward
    assert forward._nodes.capacity == 2048
    assert len(tree._nodes) == forward._nodes.n_slots_taking_memory < 1024
    pools = sum(pool.nbytes for pool in forward._paths._pools)
    beside = forward._paths.bytes_taken(0)
    assert forward.bytes_taken - beside == pools * len(tree._nodes) // 2048


def test_a_call_reads_no_more_nodes_than_fit(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Ensemble(policy, ADAPTERS).generate(PROMPTS, MIXED)
    calls: list[tuple[int, int]] = []
    grow = StackedForward.grow

    def watched(self: StackedForward, parents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        calls.append((len(tokens), self.bytes_per_read))
        return grow(self, parents, tokens)

    monkeypatch.setattr(StackedForward, "grow", watched)
    few = Ensemble(with_memory(policy, 1), ADAPTERS)
    assert few.generate(PROMPTS, MIXED) == expected
    assert max(n_nodes for n_nodes, _ in calls) > 1
    assert max(n_nodes * n_bytes for n_nodes, n_bytes in calls) <= MIB / 4


def test_the_generic_back_end_copies_no_more_prompts_than_fit(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Ensemble(policy, ADAPTERS).generate(PROMPTS, MIXED[:6])
    calls: list[int] = []
    grow = HuggingFaceForward.grow

    def watched(self: Any, parents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        calls.append(len(tokens) * self.bytes_per_read)
        return grow(self, parents, tokens)

    monkeypatch.setattr(HuggingFaceForward, "grow", watched)
    assert Ensemble(policy, ADAPTERS, backend="generic").generate(PROMPTS, MIXED[:6]) == expected
    assert max(calls) > 4 * MIB
    calls.clear()
    few = Ensemble(with_memory(policy, 4), ADAPTERS, backend="generic")
    assert few.generate(PROMPTS, MIXED[:6]) == expected
    [tree] = few.trees.trees
    assert max(calls) <= 4 * MIB
    # Pairs that do not fit are decoded in turn; no prefix is read anew at every step.
    assert tree.n_forwards <= 2 * tree.n_nodes


def copied_bytes(policy: Policy) -> tuple[int, int]:
    """Return what is alive of copies of a policy's base weights, and of all adapters' copies."""
    gc.collect()
    layers = [module for module in policy.base.modules() if isinstance(module, nn.Linear)]
    base = [layer.weight.nbytes for layer in layers if layer in base_product._laid_out]
    stacks = [one for one in gc.get_objects() if type(one) is StackedLinears]
    adapters = [copy for stack in stacks for copy in (stack._down, *stack._ups)]
    return sum(base), sum(copy.nbytes for copy in adapters if copy is not None)


def test_copies_of_weights_come_out_of_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        FAMILIES, "encoder-decoder", partial(save_tiny_t5, d_model=128, d_ff=512, num_heads=4)
    )
    policy = tiny_policy("encoder-decoder", tmp_path, max_new_tokens=6)
    prompts = [f"{n} {PROMPTS[0]}" for n in range(8)]
    _, others = copied_bytes(policy)
    monkeypatch.setattr(base_product, "limit_code", lambda _: 0)
    few = Ensemble(with_memory(policy, 3, max_prompt_tokens=32), ADAPTERS)
    held: list[float] = []

    def look() -> None:
        trees = few.trees.trees
        base, adapters = copied_bytes(policy)
        prompts_read = sum(tree.n_prompts * tree._nodes.bytes_per_node for tree in trees)
        taken = sum(tree.bytes_taken for tree in trees)
        held.append(base + adapters - others + prompts_read + taken)

    watch_nodes(monkeypatch, look)
    texts = few.generate(prompts, MIXED[:3])
    base, _ = copied_bytes(policy)
    # Copies of all layers take 2.0 MiB, and those of the adapters 0.5 MiB in every tree.
    assert 0 < base <= 0.75 * MIB
    assert 1.5 * MIB < max(held) <= 3 * MIB
    assert texts == Ensemble(policy, ADAPTERS).generate(prompts, MIXED[:3])
    assert copied_bytes(policy)[0] > 1.9 * MIB


def test_the_code_of_products_comes_out_of_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tiny_policy("encoder-decoder", tmp_path)
    monkeypatch.setattr(base_product, "limit_code", lambda _: 40 * MIB)
    ample: Any = stacked_forward(with_memory(policy, 200), ADAPTERS)
    assert ample.bytes_of_base > 40 * MIB
    # A quarter of this budget is less than the code takes: no code, and no copies.
    few: Any = stacked_forward(with_memory(policy, 120), ADAPTERS)
    assert few.bytes_of_base == 0


def test_the_first_budget_of_a_process_limits_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"
    for room, n_sizes in ((1, 64), (1024 * MIB, 223), (10**12, 256)):
        monkeypatch.delenv(first, raising=False)
        monkeypatch.delenv(second, raising=False)
        taken = base_product.limit_code(room)
        assert taken == n_sizes * 600_000
        assert os.environ[first] == os.environ[second] == str(n_sizes)
        assert base_product.limit_code(64 * MIB) == taken
    monkeypatch.setenv(second, "1024")
    assert base_product.limit_code(1) == 1024 * 600_000
    monkeypatch.setenv(second, "many")
    monkeypatch.setenv(first, "70")
    assert base_product.limit_code(1) == 70 * 600_000


def test_copies_that_leave_no_room_for_a_response_are_told() -> None:
    costs = replace(COSTS, budget=600.0, bytes_of_base=400, bytes_of_adapters=550)
    with pytest.raises(MemoryBudgetError, match="copied weights needs about"):
        costs.batch(11, 54, 1, 1, prompts_together=False)
    # 150 bytes are left: two prompts with a text each.
    size = replace(costs, bytes_of_adapters=450).batch(11, 54, 50, 1, prompts_together=False)
    assert (size.n_prompts, size.n_weights) == (2, 1)


def test_paths_that_are_kept_take_their_share_of_the_budget(policy: Policy) -> None:
    def most_kept(memory_mib: int, room: float | None = None) -> int:
        forward: Any = stacked_forward(with_memory(policy, memory_mib), ADAPTERS)
        if room is not None:
            forward.allow(room, room)
        return int(forward._limits.most_kept * forward.bytes_per_node)

    assert MIB / 9 < most_kept(1) <= MIB / 8
    assert 500 * MIB < most_kept(8192) <= 512 * MIB
    assert 0.8 * MIB < most_kept(1024, room=2 * MIB) <= MIB


def test_copies_give_way_before_a_response_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        FAMILIES, "encoder-decoder", partial(save_tiny_t5, d_model=128, d_ff=512, num_heads=4)
    )
    # 120 tokens of caches, twice, and the adapters take more than half of 2 MiB.
    policy = with_memory(tiny_policy("encoder-decoder", tmp_path), 2, max_new_tokens=120)
    ensemble = Ensemble(policy, ADAPTERS)
    assert ensemble._costs.bytes_of_base == 0
    [[written]] = ensemble.generate(PROMPTS[:1], [MIXED[1]])
    assert written.n_tokens > 0


def test_a_refusal_tells_budget_and_need_apart() -> None:
    costs = replace(COSTS, budget=2 * MIB)
    with pytest.raises(MemoryBudgetError, match=r"about 2\.004 MiB and the budget is 2\.000 MiB"):
        costs.check(2.004 * MIB)
    with pytest.raises(MemoryBudgetError, match=r"about 3\.0 MiB and the budget is 2\.0 MiB"):
        costs.check(3 * MIB)


@pytest.mark.parametrize("level", ["hidden_state", "logit"])
def test_a_budget_too_small_for_one_response_is_told(policy: Policy, level: Any) -> None:
    few = with_memory(policy, 1, max_new_tokens=10_000)
    ensemble = Ensemble(few, ADAPTERS, level)
    with pytest.raises(MemoryBudgetError, match=r"policy\.memory_mib"):
        ensemble.generate(PROMPTS, [MIXED[1], (0.1, 0.1, 0.8)])
    with pytest.raises(MemoryBudgetError, match=r"policy\.memory_mib"):
        ensemble.sample(PROMPTS, MIXED[1])


def test_a_prompts_samples_depend_on_no_other_prompt_or_sample(policy: Policy) -> None:
    ensemble = Ensemble(policy, ADAPTERS)
    many = ensemble.sample(PROMPTS, MIXED[1], n_samples=3, seed=5)
    alone = ensemble.sample([PROMPTS[2]], MIXED[1], seed=5)
    assert alone == [[many[0][2]]]
    twice = ensemble.sample([PROMPTS[2]] * 2, MIXED[1], seed=5)
    assert twice[0][0] == alone[0][0] != twice[0][1]


def test_drawn_tokens_follow_the_softmax() -> None:
    # Probabilities 1/5, 0 and 4/5; chances on a grid make the shares exact.
    scores = torch.tensor([0.0, float("-inf"), 4.0]).repeat(1000, 1)
    scores[:, 2] = torch.log(torch.tensor(4.0))
    chances = (torch.arange(1000, dtype=torch.float64).unsqueeze(1) + 0.5) / 1000
    pairs, ones = torch.arange(1000), torch.ones(1000, dtype=torch.float64)
    tokens = drawn(ones, chances)(scores, pairs)
    assert torch.bincount(tokens).tolist() == [200, 0, 800]
    coldest = drawn(1e-320 * ones, chances)(scores, pairs)
    assert set(coldest.tolist()) == {2}


def test_a_pair_draws_at_its_own_temperature() -> None:
    # The first token's probability is 1/5, and 1/3 at temperature 2.
    scores = torch.tensor([1.0, 4.0]).log().repeat(2, 1)
    temperatures = torch.tensor([2.0, 1.0], dtype=torch.float64)
    quarter = torch.full((2, 1), 0.25, dtype=torch.float64)
    assert drawn(temperatures, quarter)(scores, torch.tensor([1, 0])).tolist() == [1, 0]


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_not_drawn_from(score: float) -> None:
    one = torch.ones(2, 1, dtype=torch.float64)
    choose = drawn(one[:, 0], 0.5 * one)
    with pytest.raises(ScoresError, match="token 1 of a response"):
        choose(torch.tensor([[0.0, 1.0], [0.0, score]]), torch.arange(2))
