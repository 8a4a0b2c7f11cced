"""Atlases against decoding: every look-up is the decoded response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from emorl.atlas.cells import Floats
from emorl.decoding.atlas import AtlasBudget, build_atlases
from emorl.decoding.atlas_parts import build_by_part
from emorl.decoding.attribution import attribute
from emorl.decoding.levels.hidden_state import hidden_state_scores
from emorl.decoding.loop import decode
from emorl.decoding.memory import BYTES_OF_RECORDS
from emorl.decoding.tree import PrefixTree
from emorl.errors import MemoryBudgetError
from tests.support.atlas_fields import ENDS, fake_atlases, fake_tree, random_weights
from tests.support.fake_forward import FakeForward, fake_prompts, fake_text

MIB = 2**20
NEAR_TIE = 2e-5
"""Relative distance of the two largest scores below which float32 may choose either."""


def decoded(
    forward: FakeForward, n_prompts: int, weights: Floats, n_tokens: int = 5
) -> tuple[list[list[list[int]]], int]:
    """Decode plainly; return the tokens, and how many nodes that read."""
    tokens = decode(
        forward,
        hidden_state_scores,
        *fake_prompts(n_prompts),
        torch.from_numpy(weights).float(),
        max_new_tokens=n_tokens,
        eos_token_ids=ENDS,
    )
    return tokens, forward.n_reads


def is_near_tie(tree: PrefixTree, prompt: int, weights: Floats, tokens: Sequence[int]) -> bool:
    """Tell whether some token of a decoded response is too close to another for float32."""
    steps = attribute(tree, prompt, weights.tolist(), tokens)
    return any(
        abs(step.margin) <= NEAR_TIE * max(abs(step.logit), abs(step.runner_up_logit))
        for step in steps
    )


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("with_bias", [False, True])
def test_every_lookup_is_the_decoded_response(n: int, with_bias: bool) -> None:
    weights = random_weights(n, 400)
    n_cells = n_near = 0
    for seed in range(3):
        options = {"seed": seed, "with_bias": with_bias, "disagreement": 12}
        tree = fake_tree(FakeForward(n, **options), 4)  # type: ignore[arg-type]
        atlases = build_atlases(tree, fake_text)
        tokens, _ = decoded(FakeForward(n, **options), 4, weights)  # type: ignore[arg-type]
        for prompt, atlas in enumerate(atlases):
            assert atlas.is_complete
            assert atlas.covered + atlas.dropped == pytest.approx(1.0, abs=1e-9)
            assert atlas.dropped < 1e-9
            n_cells += len(atlas.cells)
            found = [list(atlas.cells[cell].tokens) for cell in atlas.lookup(weights)]
            for query, own, responses in zip(weights, found, tokens, strict=True):
                if own != responses[prompt]:
                    assert is_near_tie(tree, prompt, query, responses[prompt])
                    n_near += 1
    assert n_cells > 30
    # A quarter of the weights are one-hot for n = 2, where the integers of the fake may tie.
    assert n_near <= (0.05 if n == 2 else 0.0) * 3 * 4 * len(weights)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_cell_decodes_to_its_text_in_its_middle(n: int) -> None:
    tree = fake_tree(FakeForward(n), 4)
    for prompt, atlas in enumerate(build_atlases(tree, fake_text)):
        middles = np.array([cell.centroid for cell in atlas.cells])
        assert atlas.lookup(middles).tolist() == list(range(len(middles)))
        tokens, _ = decoded(FakeForward(n), 4, middles)
        for cell, responses in zip(atlas.cells, tokens, strict=True):
            assert cell.text == fake_text(responses[prompt]) or is_near_tie(
                tree, prompt, cell.centroid, responses[prompt]
            )


@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_cell_is_found_in_its_middle_and_it_shows_where_not(n: int) -> None:
    for atlas in fake_atlases(n, 4, disagreement=12):
        assert atlas.misplaced() == []
        branch = atlas.branches[0]
        turned = replace(branch, children=branch.children[::-1])
        assert replace(atlas, branches=(turned, *atlas.branches[1:])).misplaced()


@pytest.mark.parametrize("n", [2, 3, 4])
def test_responses_are_distinct_and_end_as_responses_do(n: int) -> None:
    for atlas in fake_atlases(n, 4):
        responses = [cell.tokens for cell in atlas.cells]
        assert len(set(responses)) == len(responses)
        for tokens in responses:
            assert not set(tokens[:-1]) & set(ENDS)
            assert tokens[-1] in ENDS or len(tokens) == 5


def test_branches_tell_what_follows_which_prefix() -> None:
    for atlas in fake_atlases(3, 4):
        for position, branch in enumerate(atlas.branches):
            for token, child in zip(branch.tokens, branch.children, strict=True):
                if child < 0:
                    following = atlas.cells[-1 - child].tokens
                else:
                    assert child > position
                    following = atlas.branches[child].prefix
                assert following[: len(branch.prefix) + 1] == (*branch.prefix, token)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("nodes", [1, 2, 5, 9])
def test_a_budget_of_nodes_leaves_cells_open_and_the_others_right(n: int, nodes: int) -> None:
    weights = random_weights(n, 300)
    full = fake_atlases(n, 4)
    for prompt, atlas in enumerate(fake_atlases(n, 4, budget=AtlasBudget(nodes_per_prompt=nodes))):
        assert atlas.node_forwards == min(nodes, full[prompt].node_forwards)
        opened = sum(cell.area for cell in atlas.cells if cell.is_open)
        assert atlas.covered + atlas.dropped + opened == pytest.approx(1.0, abs=1e-9)
        assert atlas.is_complete == (nodes >= full[prompt].node_forwards)
        expected = full[prompt].lookup(weights)
        for cell, other in zip(atlas.lookup(weights), expected, strict=True):
            found, right = atlas.cells[cell], full[prompt].cells[other]
            assert found.tokens == right.tokens[: len(found.tokens)]
            assert found.is_open or found.tokens == right.tokens


def test_more_budget_never_covers_less() -> None:
    covered = [
        sum(a.covered for a in fake_atlases(3, 4, budget=AtlasBudget(nodes_per_prompt=nodes)))
        for nodes in range(1, 30, 4)
    ]
    assert covered == sorted(covered)


@pytest.mark.parametrize("nodes", [18, 36])
def test_a_budget_covers_what_the_largest_parts_take_to_their_ends(
    nodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: Any = {"disagreement": 40, "max_new_tokens": 12}
    budget = AtlasBudget(nodes_per_prompt=nodes)
    found = fake_atlases(3, 3, budget=budget, **options)
    monkeypatch.setattr("emorl.decoding.atlas._NODES_AT_ONCE", 1)
    one_by_one = fake_atlases(3, 3, budget=budget, **options)
    for atlas, best in zip(found, one_by_one, strict=True):
        assert not best.is_complete
        assert best.covered > 0.1
        assert atlas.covered >= 0.9 * best.covered


def test_parts_that_take_too_long_to_cut_stay_open() -> None:
    # Of six members, the first cut of the simplex already has more corners than there is time.
    for atlas in fake_atlases(6, 2, disagreement=40, budget=AtlasBudget(seconds=0.0)):
        [cell] = atlas.cells
        assert cell.is_open
        assert cell.tokens == ()
        assert atlas.lookup(random_weights(6, 5)).tolist() == [0] * 5
    for atlas in fake_atlases(4, 2, budget=AtlasBudget(seconds=60.0)):
        assert atlas.is_complete


def test_a_prompt_without_budget_left_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two parts are read at once, so that all parts of a batch may be of a prompt that is spent.
    monkeypatch.setattr("emorl.decoding.atlas._NODES_AT_ONCE", 2)
    full = fake_atlases(3, 6)
    limit = 8
    for atlas, complete in zip(
        fake_atlases(3, 6, budget=AtlasBudget(nodes_per_prompt=limit)), full, strict=True
    ):
        assert atlas.node_forwards == min(limit, complete.node_forwards)


def test_no_seconds_leave_everything_but_the_first_token_open() -> None:
    for atlas in fake_atlases(3, 4, budget=AtlasBudget(seconds=0.0)):
        assert atlas.node_forwards == 1
        assert all(len(cell.tokens) == 1 for cell in atlas.cells)
        assert all(cell.is_open == (cell.tokens[-1] not in ENDS) for cell in atlas.cells)


@pytest.mark.parametrize(
    ("skip", "expected"),
    [
        # A part takes a second: what is left is shared by the parts to come.
        ((), {0: 8 / 4, 1: 7 / 3, 2: 6 / 2, 3: 5 / 1}),
        ((1, 2), {0: 8 / 2, 3: 7 / 1}),
    ],
)
def test_seconds_are_shared_by_what_is_built_and_not_spent_between(
    monkeypatch: pytest.MonkeyPatch, skip: Sequence[int], expected: dict[int, float]
) -> None:
    now = 0.0
    shares: list[float | None] = []

    def built(tree: PrefixTree, decode: Any, budget: AtlasBudget, prompts: Any) -> Any:
        nonlocal now
        now += 1.0
        shares.append(budget.seconds)
        return build_atlases(tree, decode, None, prompts)

    monkeypatch.setattr("emorl.decoding.atlas_parts.time.monotonic", lambda: now)
    monkeypatch.setattr("emorl.decoding.atlas_parts.build_atlases", built)
    trees = [(range(2), fake_tree(FakeForward(3), 2)), (range(2, 4), fake_tree(FakeForward(3), 2))]
    places = []
    for part, _ in build_by_part(trees, fake_text, AtlasBudget(seconds=8.0), 4, 1, skip):
        places += part
        now += 100.0  # scoring
    assert dict(zip(places, shares, strict=True)) == pytest.approx(expected)


def test_what_a_tree_has_read_costs_nothing() -> None:
    forward = FakeForward(3)
    tree = fake_tree(forward, 4)
    first = build_atlases(tree, fake_text)
    n_reads = forward.n_reads
    # The budget is on reading, which is not needed any more.
    again = build_atlases(tree, fake_text, AtlasBudget(nodes_per_prompt=1))
    assert forward.n_reads == n_reads
    for one, other in zip(first, again, strict=True):
        assert other.is_complete
        assert other.node_forwards == 1
        assert [cell.tokens for cell in one.cells] == [cell.tokens for cell in other.cells]


def test_little_memory_gives_the_same_atlas() -> None:
    node = 1024 + 72 + BYTES_OF_RECORDS  # see test_tree
    forward = FakeForward(3)
    tree = fake_tree(forward, 4, memory_mib=9 * node / MIB)
    for one, other in zip(build_atlases(tree, fake_text), fake_atlases(3, 4), strict=True):
        assert {cell.text for cell in one.cells} == {cell.text for cell in other.cells}
        assert one.covered == pytest.approx(other.covered)
    assert forward.most_held <= 9
    tiny = fake_tree(FakeForward(3), 4, memory_mib=2 * node / MIB)
    with pytest.raises(MemoryBudgetError):
        build_atlases(tiny, fake_text)


def test_an_atlas_costs_less_than_decoding_many_weights_one_by_one() -> None:
    weights = random_weights(3, 100)
    one_by_one = sum(decoded(FakeForward(3), 4, vector[None])[1] for vector in weights)
    together = sum(atlas.node_forwards for atlas in fake_atlases(3, 4))
    assert together < one_by_one / 5


def test_pieces_too_small_to_be_parts_still_lead_somewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Anything below a fifth of the simplex counts as rounding error: whole prefixes lose all
    # their pieces, and every look-up must still end in a cell that is there.
    monkeypatch.setattr("emorl.atlas.polytope.SMALLEST_AREA", 0.2)
    for atlas in fake_atlases(3, 6, disagreement=16):
        assert atlas.covered + atlas.dropped == pytest.approx(1.0, abs=1e-9)
        children = [child for branch in atlas.branches for child in branch.children]
        assert sorted(child for child in children if child >= 0) == list(
            range(1, len(atlas.branches))
        )
        if atlas.branches:
            assert sorted(-1 - child for child in children if child < 0) == list(
                range(len(atlas.cells))
            )
