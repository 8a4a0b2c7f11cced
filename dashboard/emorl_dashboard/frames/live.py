"""What the live page shows of one prompt: data for its components, and what is stored of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd

from emorl.atlas.cells import PromptAtlas
from emorl.atlas.rows import ScoredAtlas
from emorl.records import DecidedToken, Response, Weights

Data = dict[str, Any]

_URL_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was decoded, and the weights it belongs to."""

    weights: Weights
    response: Response


@dataclass(frozen=True, slots=True)
class Preset:
    """Weights worth a button."""

    label: str
    weights: Weights


PAPERS = {"reflection": 0.94375, "empathy": 0.59365, "fluency": 0.0875}
"""Best weights of the paper (arXiv:2505.02579, Table 4: mean of five searches on PAIR)."""


def presets(
    objectives: Sequence[str], best: Weights | None, certificates: pd.DataFrame
) -> list[Preset]:
    """Return the best weights known, equal and the paper's weights, and each objective alone.

    Args:
        objectives: Names, in the order of the weights.
        best: The best weights that the search evaluated, if it has any.
        certificates: The table ``certificates``: the weights that are proven best.
    """
    n_objectives = len(objectives)
    found = []
    proven = certificates[certificates["split"] == "aggregation"]
    if len(proven):
        weights = np.asarray(proven["weights"].iloc[0], dtype=float)
        if weights.shape == (n_objectives,) and weights.max(initial=0.0) > 0:
            scaled = (weights / weights.max()).round(_URL_DIGITS)
            is_proven = proven["area"].iloc[0] > 0
            label = "proven best" if is_proven else "best known"
            found.append(Preset(label, tuple(scaled.tolist())))
    if best is not None:
        found.append(Preset("best found", best))
    found.append(Preset("equal", (1.0,) * n_objectives))
    if set(objectives) == set(PAPERS):
        found.append(Preset("the paper's", tuple(PAPERS[name] for name in objectives)))
    for position, name in enumerate(objectives):
        found.append(
            Preset(f"only {name}", tuple(float(i == position) for i in range(n_objectives)))
        )
    return found


def atlas_data(scored: ScoredAtlas) -> Data:
    """Return the atlas of one prompt as the page's look-up needs it, without NaN."""
    return {
        "branches": [
            {"vectors": branch.vectors.tolist(), "children": list(branch.children)}
            for branch in scored.atlas.branches
        ],
        "cells": [
            {
                "text": cell.text,
                "scores": finite(scores.tolist()),
                "corners": cell.vertices.tolist(),
                "isOpen": cell.is_open,
            }
            for cell, scores in zip(scored.atlas.cells, scored.scores, strict=True)
        ],
    }


def answer_data(answers: Iterable[Answer]) -> list[Data]:
    """Return decoded answers for the page, each with the weights it belongs to."""
    return [
        {
            "weights": list(answer.weights),
            "text": answer.response.text,
            "scores": finite(answer.response.scores),
        }
        for answer in answers
    ]


def objective_data(objectives: Sequence[str], colours: Sequence[str]) -> list[Data]:
    """Name the objectives with their colours, which repeat."""
    return [
        {"name": name, "colour": colour}
        for name, colour in zip(objectives, cycle(colours), strict=False)
    ]


def cell_of(atlas: PromptAtlas, weights: Weights) -> int | None:
    """Return the closed cell of weights; None where the atlas does not know the response."""
    if not any(weights):
        return None
    cell = int(atlas.lookup([weights])[0])
    return None if atlas.cells[cell].is_open else cell


def stored_response(scored: ScoredAtlas | None, weights: Weights) -> Response | None:
    """Return what an atlas says the ensemble answers; None where it does not know."""
    if scored is None:
        return None
    cell = cell_of(scored.atlas, weights)
    if cell is None:
        return None
    return Response(
        prompt_index=scored.prompt_index,
        text=scored.atlas.cells[cell].text,
        n_tokens=len(scored.atlas.cells[cell].tokens),
        scores=tuple(scored.scores[cell].tolist()),
    )


def stored_members(
    system_responses: pd.DataFrame,
    inference_index: int | None,
    scored: ScoredAtlas | None,
    objectives: Sequence[str],
) -> dict[str, Response]:
    """Return what base and single objectives answer, as far as it is stored.

    Args:
        system_responses: The table of that name; it has the inference prompts.
        inference_index: The prompt's place in the inference split; None for another prompt.
        scored: The prompt's atlas, if there is one.
        objectives: Names, in the order of the weights.

    Returns:
        By system: ``base``, ``adapter:<objective>``; those that nothing is known of are missing.
    """
    found = {}
    for position, name in enumerate(objectives):
        one_hot = tuple(float(i == position) for i in range(len(objectives)))
        response = stored_response(scored, one_hot)
        if response is not None:
            found[f"adapter:{name}"] = response
    own = system_responses[
        (system_responses["prompt_index"] == (-1 if inference_index is None else inference_index))
        & (system_responses["decoding"] == "greedy")
        & (system_responses["system"] != "best")
    ]
    for row in own.to_dict("records"):
        found[str(row["system"])] = Response(
            prompt_index=int(row["prompt_index"]),
            text=str(row["text"]),
            n_tokens=int(row["n_tokens"]),
            scores=tuple(float(score) for score in row["scores"]),
        )
    return found


def missing_note(problem: str, *, is_refused: bool) -> str:
    """Say at an answer that there is none, where the page has told the reason; "" without one."""
    if is_refused:
        return "No answer is stored at these weights."
    return "No answer: the reason stands above." if problem else ""


def exactness(scored: ScoredAtlas | None, *, is_decoded: bool) -> str:
    """Say in one line what the answers rest on, and where they end; "" where there are none.

    Args:
        scored: The prompt's atlas, if there is one.
        is_decoded: Whether the models have answered.
    """
    rule = (
        "Exact for greedy ensembles of hidden states or logits, in the precision of the stored "
        "logits; sampling, beam search and merged parameters are other methods."
    )
    if scored is None:
        return f"Decoded by the models. {rule}" if is_decoded else ""
    atlas = scored.atlas
    told = (
        f"Atlas of this prompt: {len(atlas.cells):,} cells cover {100 * atlas.covered:.2f} % of "
        f"all weights, read with {atlas.node_forwards:,} prefixes."
    )
    n_open = sum(cell.is_open for cell in atlas.cells)
    if n_open:
        told += f" {n_open:,} are open: the budget ended before their responses did."
    return f"{told} {rule}"


def token_data(
    tokens: Sequence[DecidedToken], objectives: Sequence[str], colours: Sequence[str]
) -> Data:
    """Return a response's tokens for the strip that tells who decided them."""
    return {
        "objectives": objective_data(objectives, colours),
        "tokens": [
            {
                "text": token.text,
                "runnerUp": token.runner_up,
                "parts": list(token.margin_parts),
                "alone": list(token.alone),
                "decidedBy": token.decided_by,
            }
            for token in tokens
        ],
    }


def decided_counts(tokens: Sequence[DecidedToken], objectives: Sequence[str]) -> str:
    """Count the tokens that each objective decided: ``reflection 9, empathy 4``."""
    counts = [
        sum(token.decided_by == place for token in tokens) for place in range(len(objectives))
    ]
    return ", ".join(f"{name} {count}" for name, count in zip(objectives, counts, strict=True))


def finite(scores: Sequence[float]) -> list[float] | None:
    """Return scores as JSON holds them; None where one is missing."""
    return list(scores) if all(math.isfinite(score) for score in scores) else None
