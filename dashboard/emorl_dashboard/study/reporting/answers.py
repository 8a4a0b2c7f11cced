"""Ratings joined with the plan: which system got which answer. For the study's owner only.

Both frames are for the analysis; nothing of them may reach an annotator.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from emorl.errors import StudyError
from emorl_dashboard.study.protocol.blinding import stands_first
from emorl_dashboard.study.protocol.plan import PlanItem, StudyPlan

ITEM_COLUMNS = ("item_code", "kind", "copy_of", "data_set", "prompt_index", "source_item")

ANSWER_COLUMNS = (
    *ITEM_COLUMNS,
    "system",
    "annotator",
    "criterion",
    "scale_minimum",
    "scale_maximum",
    "value",
    "is_skipped",
    "position",
    "seconds",
    "stored_at",
)

PAIR_COLUMNS = (
    *ITEM_COLUMNS,
    "system_a",
    "system_b",
    "annotator",
    "criterion",
    "preference",
    "shown_first",
    "position",
    "seconds",
    "stored_at",
)

PREFERENCES = {-1: "a", 0: "tie", 1: "b"}
"""What the values of a pairwise answer mean: which response, as the plan names them, is better."""


def answer_frame(plan: StudyPlan, current_ratings: pd.DataFrame) -> pd.DataFrame:
    """Return one row per item, system, annotator and criterion, with ``ANSWER_COLUMNS``.

    An item that several systems share gives one row for each; a practice item has the system "".

    Args:
        plan: The sealed study, with absolute ratings.
        current_ratings: The snapshot ``current_ratings``.

    Raises:
        StudyError: If the study is pairwise, or a rating belongs to no item of the plan.
    """
    _check_mode(plan, "rating", "pair_frame")
    rows = [
        _item_columns(item)
        | {
            "system": system,
            "annotator": answer["annotator"],
            "criterion": answer["criterion"],
            "scale_minimum": int(answer["scale_minimum"]),
            "scale_maximum": int(answer["scale_maximum"]),
            "value": float("nan") if answer["kind"] == "skip" else float(answer["value"]),
            "is_skipped": answer["kind"] == "skip",
            "position": int(answer["position"]),
            "seconds": float(answer["seconds"]),
            "stored_at": answer["stored_at"],
        }
        for answer, item in _answers(plan, current_ratings)
        for system in item.systems or ("",)
    ]
    return _frame(rows, ANSWER_COLUMNS).astype({"value": float, "is_skipped": bool})


def pair_frame(plan: StudyPlan, current_ratings: pd.DataFrame) -> pd.DataFrame:
    """Return one row per pair of systems, annotator and criterion, with ``PAIR_COLUMNS``.

    ``preference`` is ``a``, ``tie`` or ``b``, and None where the pair was skipped; it is about
    the responses as the plan names them; ``shown_first`` is the one that stood first on the
    annotator's page, ``a`` or ``b``.

    Raises:
        StudyError: If the study is not pairwise, or an answer belongs to no item of the plan.
    """
    _check_mode(plan, "pairwise", "answer_frame")
    rows = [
        _item_columns(item)
        | {
            "system_a": system_a,
            "system_b": system_b,
            "annotator": answer["annotator"],
            "criterion": answer["criterion"],
            "preference": None if answer["kind"] == "skip" else PREFERENCES[int(answer["value"])],
            # Snapshots of an early version do not hold it; it follows from the seed.
            "shown_first": answer.get("shown_first")
            or stands_first(plan.seed, str(answer["annotator"]), item.code),
            "position": int(answer["position"]),
            "seconds": float(answer["seconds"]),
            "stored_at": answer["stored_at"],
        }
        for answer, item in _answers(plan, current_ratings)
        for system_a in item.systems or ("",)
        for system_b in item.other_systems or ("",)
    ]
    return _frame(rows, PAIR_COLUMNS).astype({"preference": object})


def _check_mode(plan: StudyPlan, mode: str, instead: str) -> None:
    if plan.mode != mode:
        raise StudyError(
            f"Study {plan.study_id!r} is a {plan.mode} study, expected {mode}. Use {instead}."
        )


def _answers(
    plan: StudyPlan, current_ratings: pd.DataFrame
) -> Iterable[tuple[dict[Any, Any], PlanItem]]:
    for answer in current_ratings.to_dict("records"):
        yield answer, plan.item(answer["item_code"])


def _item_columns(item: PlanItem) -> dict[str, Any]:
    return {
        "item_code": item.code,
        "kind": item.kind,
        "copy_of": item.copy_of,
        "data_set": item.data_set,
        "prompt_index": item.prompt_index,
        "source_item": item.source_item,
    }


def _frame(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns))
