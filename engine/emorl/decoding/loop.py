"""Decoding of one ensemble under many weight vectors at once, greedily or sampled.

Under greedy decoding different weights often choose the same next token, so their texts share a
prefix. A *pair* is (prompt, weights); pairs with one prompt and one prefix share a *node*, and the
model reads each node once. A node splits when its pairs disagree on the next token.

Knows no text: prompts come in and responses go out as tokens.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from emorl.decoding.backend import Forward
from emorl.errors import ScoresError

Aggregate = Callable[[Tensor, Tensor, nn.Module], Tensor]
"""(states, weights, head) -> scores; see ``aggregation``."""

StopRule = Literal["eos", "reference"]
"""``eos``: a response ends at its end token. ``reference``: as in EMORL's published code, all
prompts of a weight vector are written on until each of them chooses the end token in one and
the same step, and what comes after an earlier end token is kept. Only to reproduce it."""

Choose = Callable[[Tensor, Tensor], Tensor]
"""Scores ``(n, vocab)`` and the pair of each row ``(n,)`` -> tokens ``(n,)``; called once per
token position. Pairs are numbered weights by weights: ``weights * n_prompts + prompt``."""


def most_likely(scores: Tensor, _pairs: Tensor) -> Tensor:
    """Choose the token with the largest score; the first one where several tie."""
    return scores.argmax(dim=-1)


def drawn(temperatures: Tensor, draws: Tensor) -> Choose:
    """Return a choice by chance: softmax of the scores over the temperature.

    What one pair draws depends on no other pair. A token is found by the inverse of the
    distribution, from one chance: ``torch.multinomial`` draws one per vocabulary entry, which took
    two to four times as long on a CPU.

    Args:
        temperatures: Above 0, double precision, ``(n_pairs,)``, on the device of the scores.
        draws: Chances in [0, 1), double precision, ``(n_pairs, max_new_tokens)``, likewise.

    Raises:
        ScoresError: From the choice, if scores are no numbers.
    """
    positions = itertools.count()

    def choose(scores: Tensor, pairs: Tensor) -> Tensor:
        # In double precision, and from the largest: no temperature is too low or too high.
        exponents = scores.double()
        exponents -= exponents.max(dim=-1, keepdim=True).values
        exponents /= temperatures[pairs].unsqueeze(1)
        reached = torch.softmax(exponents, dim=-1).cumsum_(dim=-1)
        position = next(positions)
        targets = draws[pairs, position] * reached[:, -1]
        if not bool(targets.isfinite().all()):
            raise ScoresError(
                f"The scores of the next token are NaN or infinite at token {position + 1} of a "
                "response: an adapter or the model holds numbers that are too large. Train it "
                "anew, with a lower training.learning_rate."
            )
        return torch.searchsorted(reached, targets.unsqueeze(1), right=True).squeeze(1)

    return choose


@torch.no_grad()
def decode(
    forward: Forward,
    aggregate: Aggregate,
    input_ids: Tensor,
    attention_mask: Tensor,
    weights: Tensor,
    *,
    max_new_tokens: int,
    eos_token_ids: tuple[int, ...],
    choose: Choose = most_likely,
    stop: StopRule = "eos",
) -> list[list[list[int]]]:
    """Decode every prompt under every weight vector.

    Repeat a weight vector to sample several responses with it.

    Args:
        forward: A fresh back end for the ensemble's members.
        aggregate: ``Level.scores`` of a level.
        input_ids: Prompts, ``(n_prompts, length)``.
        attention_mask: Same shape.
        weights: ``(n_weights, n_members)``.
        max_new_tokens: Longest response, the end token included.
        eos_token_ids: Tokens that end a response.
        choose: How a token is taken from the scores.
        stop: When a response ends.

    Returns:
        Tokens per weight vector, per prompt; the end token is included where it was chosen.
    """
    n_prompts, n_weights = len(input_ids), len(weights)
    device = input_ids.device
    ends = torch.tensor(eos_token_ids, device=device)
    texts = torch.full((n_weights * n_prompts, max_new_tokens), -1, device=device)
    # Pairs still being written, weight-major, and the node that each one stands on.
    alive = torch.arange(n_weights * n_prompts, device=device)
    node_of = alive % n_prompts
    pair_weights = weights.to(device).repeat_interleave(n_prompts, dim=0)
    states = forward.start(input_ids, attention_mask)
    n_nodes, first = n_prompts, 0
    for position in range(max_new_tokens):
        scores = aggregate(states[:, node_of], pair_weights[alive], forward.head)
        chosen = choose(scores, alive)
        texts[alive, position] = chosen
        going_on = ~torch.isin(chosen, ends)
        if stop == "reference":
            going_on = _unless_all_end(going_on, alive // n_prompts, n_weights)
        alive, node_of, chosen = alive[going_on], node_of[going_on], chosen[going_on]
        if not len(alive) or position + 1 == max_new_tokens:
            break
        children, node_of = torch.unique(
            torch.stack([node_of, chosen], dim=1), dim=0, return_inverse=True
        )
        states = forward.grow(children[:, 0] + first, children[:, 1])
        first, n_nodes = n_nodes, n_nodes + len(children)
    rows = [[token for token in row if token >= 0] for row in texts.tolist()]
    return [rows[start : start + n_prompts] for start in range(0, len(rows), n_prompts)]


def _unless_all_end(going_on: Tensor, weights_of: Tensor, n_weights: int) -> Tensor:
    """Let all pairs of a weight vector go on as long as one of them does."""
    n_going_on = torch.zeros(n_weights, dtype=torch.long, device=going_on.device)
    n_going_on.index_add_(0, weights_of, going_on.long())
    return n_going_on[weights_of] > 0
