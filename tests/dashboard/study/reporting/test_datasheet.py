"""The datasheet counts who rated, and names no number that is none."""

from __future__ import annotations

import pandas as pd

from emorl_dashboard.study.analysis.quality import pace
from emorl_dashboard.study.reporting import datasheet
from tests.dashboard.study.analysis.studies import ratings_of


def test_whoever_answered_nothing_but_an_exercise_is_no_evaluator_and_has_no_pace() -> None:
    rated = ratings_of({"a": [[2], [1]]}).assign(annotator="A01")
    practised = rated.assign(annotator="A02", kind="practice")
    tables = {"pace": pace(pd.concat([rated, practised], ignore_index=True))}
    assert datasheet._pace(tables) == "A01 5 s."
    assert datasheet._n_evaluators(tables) == (
        "1. (1 more gave no rating: exercises or skips only.)"
    )


def test_without_answers_nobody_is_counted() -> None:
    tables = {"pace": pace(ratings_of({"a": [[2]]}).iloc[:0])}
    assert datasheet._pace(tables) == "no answers yet."
    assert datasheet._n_evaluators(tables) == "0."
