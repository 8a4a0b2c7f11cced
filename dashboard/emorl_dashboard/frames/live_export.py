"""What the live page shows, for files: the view as a record, its answers and tokens as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from emorl.records import DecidedToken, Response, Weights
from emorl_dashboard.frames.live import Data, finite
from emorl_dashboard.frames.numbers import weights_text


def answer_table(
    answers: Iterable[tuple[str, Weights | None, Response]], prompt: str, objectives: Sequence[str]
) -> pd.DataFrame:
    """Return every answer on the page, one a row.

    Args:
        answers: System (``ensemble``, ``pinned``, ``base``, ``adapter:<objective>``), its weights
            (None: it has none) and response; one that is known twice counts once.
        prompt: What was asked.
        objectives: Names, in the order of weights and scores.

    Returns:
        ``system``, ``prompt``, ``text``, ``n_tokens``, ``mean_reward``, one column per objective
        and one ``weight <objective>`` each.
    """
    rows: dict[tuple[str, Weights | None], dict[str, Any]] = {}
    for system, weights, response in answers:
        row: dict[str, Any] = {
            "system": system,
            "prompt": prompt,
            "text": response.text,
            "n_tokens": response.n_tokens,
            "mean_reward": sum(response.scores) / len(objectives),
        }
        row |= dict(zip(objectives, response.scores, strict=True))
        given = weights or (math.nan,) * len(objectives)
        row |= {f"weight {name}": one for name, one in zip(objectives, given, strict=True)}
        rows.setdefault((system, weights), row)
    heads = ["system", "prompt", "text", "n_tokens", "mean_reward", *objectives]
    columns = [*heads, *(f"weight {name}" for name in objectives)]
    return pd.DataFrame(list(rows.values()), columns=columns)


def token_table(tokens: Sequence[DecidedToken], objectives: Sequence[str]) -> pd.DataFrame:
    """Return the tokens of a response with the parts of logits and margins, one a row.

    Returns:
        ``place`` (from 1), ``token``, ``runner_up``, ``decided_by``, ``logit``, ``margin``, and
        for each objective ``logit <objective>``, ``margin <objective>`` and ``alone
        <objective>``, what it would have written.
    """
    rows = []
    for place, token in enumerate(tokens, start=1):
        row: dict[str, Any] = {
            "place": place,
            "token": token.text,
            "runner_up": token.runner_up,
            "decided_by": objectives[token.decided_by],
            "logit": token.logit,
            "margin": token.margin,
        }
        for own in zip(
            objectives, token.logit_parts, token.margin_parts, token.alone, strict=True
        ):
            name, logit, margin, alone = own
            row |= {f"logit {name}": logit, f"margin {name}": margin, f"alone {name}": alone}
        rows.append(row)
    return pd.DataFrame(rows)


def view_record(
    *,
    run: Mapping[str, Any],
    objectives: Sequence[str],
    weights: Weights,
    prompt: Mapping[str, Any],
    response: Response | None,
    pinned: tuple[Weights, Response | None] | None,
    members: Mapping[str, Response],
    tokens: Sequence[DecidedToken],
    note: str,
) -> Data:
    """Return everything the page shows, for a file.

    Args:
        run: Name, seed and version.
        objectives: Names; scores and margins are told by them.
        weights: One number per objective.
        prompt: Split, index and text.
        response: The ensemble's; None where it is not known.
        pinned: Weights to compare with, and their response; None without any.
        members: Responses of base and single adapters by system.
        tokens: Attribution of the response; empty where there is none.
        note: What it rests on.
    """
    return {
        "run": dict(run),
        "objectives": list(objectives),
        "weights": dict(zip(objectives, weights, strict=True)),
        "link_weights": weights_text(weights),
        "prompt": dict(prompt),
        "ensemble": None if response is None else _told(response, objectives),
        "pinned": None if pinned is None else _pinned(*pinned, objectives),
        "members": {system: _told(one, objectives) for system, one in members.items()},
        "tokens": [
            {
                "text": token.text,
                "runner_up": token.runner_up,
                "logit": token.logit,
                "logit_by_objective": dict(zip(objectives, token.logit_parts, strict=True)),
                "margin": token.margin,
                "margin_by_objective": dict(zip(objectives, token.margin_parts, strict=True)),
                "alone": dict(zip(objectives, token.alone, strict=True)),
                "decided_by": objectives[token.decided_by],
            }
            for token in tokens
        ],
        "rests_on": note,
    }


def _pinned(weights: Weights, response: Response | None, objectives: Sequence[str]) -> Data:
    return {
        "weights": dict(zip(objectives, weights, strict=True)),
        "link_weights": weights_text(weights),
        "response": None if response is None else _told(response, objectives),
    }


def _told(response: Response, objectives: Sequence[str]) -> Data:
    scores = finite(response.scores)
    if scores is None:
        return {"text": response.text, "scores": None, "mean_reward": None}
    return {
        "text": response.text,
        "scores": dict(zip(objectives, scores, strict=True)),
        "mean_reward": sum(scores) / len(scores),
    }
