"""What the engine's records look like as rows of the run's tables.

Knows no database; ``schema`` has the columns, ``store`` writes the rows.
"""

from __future__ import annotations

from typing import Any

from emorl.records import Evaluation, Prompt, Response, SystemScore
from emorl.runs.schema import COLUMNS
from emorl.weights import direction_key

Row = dict[str, Any]


def row_of(table: str, record: object) -> Row:
    """Return a record whose attributes are the columns of its table."""
    return {name: getattr(record, name) for name in COLUMNS[table].names}


def prompt_row(prompt: Prompt) -> Row:
    """Return a row of ``prompts``."""
    return {
        "split": prompt.split,
        "prompt_index": prompt.index,
        "prompt": prompt.prompt,
        "reference": prompt.reference,
    }


def evaluation_row(evaluation: Evaluation) -> Row:
    """Return a row of ``evaluations``."""
    measured = evaluation.measurement
    return {
        "search": evaluation.search,
        "round": evaluation.round,
        "point": evaluation.point,
        "weights": evaluation.weights,
        "direction_key": direction_key(evaluation.weights),
        "direction": measured.direction if measured else None,
        "kind": evaluation.kind,
        "box_lower": evaluation.box_lower,
        "box_upper": evaluation.box_upper,
        "means": measured.means if measured else None,
        "standard_errors": measured.standard_errors if measured else None,
        "mean_reward": measured.mean_reward if measured else None,
        "seconds": measured.seconds if measured and evaluation.kind != "shared" else 0.0,
    }


def own_responses(evaluation: Evaluation) -> list[Row]:
    """Return the rows of ``responses`` that a grid point brings: none if it shares another's."""
    measured = evaluation.measurement
    if measured is None or evaluation.kind == "shared":
        return []
    key = direction_key(evaluation.weights)
    return [_response_row(response) | {"direction_key": key} for response in measured.responses]


def system_row(score: SystemScore) -> Row:
    """Return a row of ``systems``."""
    return {
        "system": score.system,
        "decoding": score.decoding,
        "weights": score.weights,
        "means": score.means,
        "standard_errors": score.standard_errors,
        "mean_reward": sum(score.means) / len(score.means),
        "n_distinct": len({response.text for response in score.responses}),
        "n_responses": len(score.responses),
    }


def system_responses(score: SystemScore) -> list[Row]:
    """Return the rows of ``system_responses``."""
    key = {"system": score.system, "decoding": score.decoding}
    return [
        key | _response_row(response) | {"sample_index": index}
        for index, response in enumerate(score.responses)
    ]


def _response_row(response: Response) -> Row:
    return {
        "prompt_index": response.prompt_index,
        "text": response.text,
        "n_tokens": response.n_tokens,
        "scores": response.scores,
    }
