"""What the live page shows of one prompt, by its data."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from emorl.atlas.rows import ScoredAtlas
from emorl.records import DecidedToken, Response
from emorl_dashboard.frames import live as frames
from emorl_dashboard.frames import live_export
from emorl_dashboard.frames.live import Answer
from tests.support.formula_models import STEPS_TO_MAP, FormulaModels

NAMES = ("depth", "warmth", "brevity")
COLOURS = ("blue", "orange")
NOTHING_STORED = pd.DataFrame(
    {name: [] for name in ("system", "decoding", "prompt_index", "text", "n_tokens", "scores")}
)


@pytest.fixture
def partial() -> ScoredAtlas:
    """One closed cell, where the first weight is below a quarter; the others are open."""
    return FormulaModels(NAMES).map_prompt("a prompt", 10)


@pytest.fixture
def complete() -> ScoredAtlas:
    models = FormulaModels(NAMES)
    return [models.map_prompt("a prompt", 10) for _ in range(STEPS_TO_MAP)][-1]


def response(text: str, *scores: float) -> Response:
    return Response(prompt_index=4, text=text, n_tokens=3, scores=scores)


def test_proven_weights_are_scaled_to_the_sliders() -> None:
    proof = pd.DataFrame({"split": ["aggregation"], "weights": [[0.2, 0.5, 0.3]], "area": [0.1]})
    found = frames.presets(NAMES, (1.0, 0.5, 0.0), proof)
    assert [(one.label, one.weights) for one in found[:3]] == [
        ("proven best", (0.4, 1.0, 0.6)),
        ("best found", (1.0, 0.5, 0.0)),
        ("equal", (1.0, 1.0, 1.0)),
    ]
    assert [one.weights for one in found[3:]] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert frames.presets(NAMES, None, proof.assign(area=0.0))[0].label == "best known"


def test_the_papers_weights_are_offered_for_the_papers_objectives_in_any_order() -> None:
    none = pd.DataFrame({"split": [], "weights": []})
    found = {
        one.label: one.weights
        for one in frames.presets(("fluency", "reflection", "empathy"), None, none)
    }
    assert found["the paper's"] == (0.0875, 0.94375, 0.59365)
    assert "the paper's" not in {one.label for one in frames.presets(NAMES, None, none)}


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.0, 0.0, 0.0]])
def test_proven_weights_that_do_not_fit_are_left_out(weights: list[float]) -> None:
    proof = pd.DataFrame({"split": ["aggregation"], "weights": [weights]})
    assert frames.presets(NAMES, None, proof)[0].label == "equal"


def test_atlas_data_are_plain_json_and_open_cells_have_no_scores(partial: ScoredAtlas) -> None:
    data = json.loads(json.dumps(frames.atlas_data(partial), allow_nan=False))
    assert [cell["isOpen"] for cell in data["cells"]] == [False, True, True]
    assert [cell["scores"] is None for cell in data["cells"]] == [False, True, True]
    assert data["branches"][0]["children"] == [-1, -2, -3]
    assert data["branches"][0]["vectors"][2] == [1.0, -1.0, -1.0]  # 2 w - sum of all


def test_answers_keep_their_weights_and_lose_scores_that_are_no_numbers() -> None:
    answers = [
        Answer((1.0, 0.5, 0.0), response("one", 0.1, 0.2, 0.3)),
        Answer((0.0, 0.5, 0.0), response("two", 0.1, math.nan, 0.3)),
    ]
    assert frames.answer_data(answers) == [
        {"weights": [1.0, 0.5, 0.0], "text": "one", "scores": [0.1, 0.2, 0.3]},
        {"weights": [0.0, 0.5, 0.0], "text": "two", "scores": None},
    ]


def test_colours_of_objectives_repeat() -> None:
    found = frames.objective_data(NAMES, COLOURS)
    assert [one["colour"] for one in found] == ["blue", "orange", "blue"]


def test_only_closed_cells_answer(partial: ScoredAtlas, complete: ScoredAtlas) -> None:
    low, high = (0.1, 1.0, 1.0), (1.0, 0.1, 0.1)
    assert frames.stored_response(None, low) is None
    assert frames.stored_response(partial, high) is None
    assert frames.stored_response(complete, (0.0, 0.0, 0.0)) is None
    found = frames.stored_response(partial, low)
    assert found is not None
    assert found.text == "It sounds hard (prompt 1). You said: a prompt"
    there = frames.stored_response(complete, high)
    assert there is not None
    assert there.text.startswith("It sounds hard, and you want it to change, because")


def test_members_come_from_the_atlas_and_from_what_was_stored(complete: ScoredAtlas) -> None:
    rows = [
        ("base", "greedy", 4, "base text"),
        ("adapter:depth", "greedy", 4, "depth text"),
        ("best", "greedy", 4, "is no member"),
        ("base", "sampled", 4, "not greedy"),
        ("base", "greedy", 5, "another prompt"),
    ]
    stored = pd.DataFrame(
        [(*row, 3, [0.1, 0.2, 0.3]) for row in rows], columns=NOTHING_STORED.columns
    )
    found = frames.stored_members(stored, 4, None, NAMES)
    assert {name: one.text for name, one in found.items()} == {
        "base": "base text",
        "adapter:depth": "depth text",
    }
    mapped = frames.stored_members(NOTHING_STORED, None, complete, NAMES)
    assert list(mapped) == [f"adapter:{name}" for name in NAMES]
    assert mapped["adapter:warmth"].text.startswith("It sounds hard (prompt 1).")


def test_open_cells_are_told(partial: ScoredAtlas, complete: ScoredAtlas) -> None:
    assert "2 are open: the budget ended" in frames.exactness(partial, is_decoded=False)
    told = frames.exactness(complete, is_decoded=True)
    assert "open" not in told
    assert "3 cells cover 100.00 %" in told
    assert frames.exactness(None, is_decoded=True).startswith("Decoded by the models.")
    assert frames.exactness(None, is_decoded=False) == ""


TOKENS = (
    DecidedToken(
        text=" hope", runner_up=" end", logit_parts=(2.0, 1.0, 0.5),
        margin_parts=(0.5, -0.25, 0.0), alone=("a", "b", "c"), decided_by=0,
    ),
    DecidedToken(
        text="", runner_up=" and", logit_parts=(1.0, 1.0, 1.0),
        margin_parts=(0.0, 0.25, 0.0), alone=("", "", " x"), decided_by=1,
    ),
)  # fmt: skip


def test_tokens_keep_their_parts() -> None:
    data = frames.token_data(TOKENS, NAMES, COLOURS)
    assert data["tokens"][0] == {
        "text": " hope",
        "runnerUp": " end",
        "parts": [0.5, -0.25, 0.0],
        "alone": ["a", "b", "c"],
        "decidedBy": 0,
    }
    assert TOKENS[0].margin == 0.25
    assert frames.decided_counts(TOKENS, NAMES) == "depth 1, warmth 1, brevity 0"


def test_the_record_of_a_view_is_json_and_holds_everything() -> None:
    record = live_export.view_record(
        run={"name": "demo", "seed": 3, "version": "0.1.0"},
        objectives=NAMES,
        weights=(1.0, 0.5, 0.0),
        prompt={"split": "inference", "index": 4, "text": "a prompt"},
        response=response("words", 0.1, 0.2, 0.6),
        pinned=((0.0, 1.0, 0.0), response("pinned words", 0.3, 0.3, 0.6)),
        members={"base": response("other words", 0.1, math.nan, 0.3)},
        tokens=TOKENS,
        note="exact",
    )
    read = json.loads(json.dumps(record, allow_nan=False))
    assert read["weights"] == {"depth": 1.0, "warmth": 0.5, "brevity": 0.0}
    assert read["ensemble"]["mean_reward"] == pytest.approx(0.3)
    assert read["pinned"]["weights"] == {"depth": 0.0, "warmth": 1.0, "brevity": 0.0}
    assert read["pinned"]["link_weights"] == "0,1,0"
    assert read["pinned"]["response"]["text"] == "pinned words"
    assert read["pinned"]["response"]["mean_reward"] == pytest.approx(0.4)
    assert read["members"]["base"]["scores"] is None
    assert read["tokens"][0]["decided_by"] == "depth"
    assert read["tokens"][0]["margin_by_objective"]["warmth"] == -0.25
    assert read["run"]["seed"] == 3


def test_every_answer_is_a_row_with_its_weights_and_scores() -> None:
    told = [
        ("ensemble", (1.0, 0.5, 0.0), response("words", 0.1, 0.2, 0.6)),
        ("ensemble", (1.0, 0.5, 0.0), response("words", 0.1, 0.2, 0.6)),
        ("base", None, response("other words", 0.3, 0.3, 0.3)),
    ]
    table = live_export.answer_table(told, "a prompt", NAMES)
    assert list(table["system"]) == ["ensemble", "base"]
    assert table["mean_reward"].tolist() == pytest.approx([0.3, 0.3])
    assert table[list(NAMES)].to_numpy()[0].tolist() == [0.1, 0.2, 0.6]
    weights = table[[f"weight {name}" for name in NAMES]].to_numpy()
    assert weights[0].tolist() == [1.0, 0.5, 0.0]
    assert np.isnan(weights[1]).all()
    assert set(table["prompt"]) == {"a prompt"}
    assert list(live_export.answer_table([], "a prompt", NAMES).columns) == list(table.columns)


def test_every_token_is_a_row_whose_parts_add_up_to_its_logit_and_margin() -> None:
    table = live_export.token_table(TOKENS, NAMES)
    assert table["place"].tolist() == [1, 2]
    assert table["decided_by"].tolist() == ["depth", "warmth"]
    parts = table[[f"margin {name}" for name in NAMES]].sum(axis=1)
    assert parts.tolist() == table["margin"].tolist() == [0.25, 0.25]
    logits = table[[f"logit {name}" for name in NAMES]].sum(axis=1)
    assert logits.tolist() == table["logit"].tolist() == [3.5, 3.0]
    assert table["alone brevity"].tolist() == ["c", " x"]
