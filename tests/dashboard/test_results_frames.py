"""Tables of an analysis shaped for the Results page, and its figures, by their data."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from emorl_dashboard.figures import results as figures
from emorl_dashboard.figures.palette import DARK, LIGHT
from emorl_dashboard.frames import results as frames
from emorl_dashboard.frames import results_strengths as strengths
from emorl_dashboard.frames import results_tables as tables
from emorl_dashboard.study.analysis.bradley_terry import COLUMNS
from emorl_dashboard.study.analysis.responses import overall_means, rated_items

NAN = math.nan


def comparisons() -> pd.DataFrame:
    row = {
        "criterion": "empathy",
        "system_a": "base",
        "system_b": "best",
        "difference": -0.5,
        "difference_low": -0.7,
        "difference_high": -0.2,
        "wins": 0.2,
        "wins_low": 0.1,
        "wins_high": 0.35,
        "rank_balance": -0.8,
        "p_value": 0.0004,
        "p_holm": 0.0008,
        "is_told_apart": True,
        "n_items": 64,
        "n_equal": 20,
        "note": "",
    }
    other = row | {"system_a": "best", "system_b": "adapter:empathy", "difference": 0.1}
    other |= {"difference_low": -0.1, "difference_high": 0.3, "wins": 0.55, "p_holm": 0.4}
    other["is_told_apart"] = False
    return pd.DataFrame([other, row])


def agreement() -> pd.DataFrame:
    rows = [
        ("all", "all", "alpha (ordinal)", 0.6, 0.5, 0.7, 40, ""),
        ("all", "a · b", "kappa (quadratic)", 0.5, 0.4, 0.6, 10, ""),
        ("all", "a · c", "kappa (quadratic)", 0.7, 0.6, 0.8, 30, ""),
        ("base", "all", "alpha (ordinal)", NAN, NAN, NAN, 8, "Unanimous: all."),
        ("base", "all", "percent exact", 1.0, NAN, NAN, 8, ""),
    ]
    columns = ["system", "annotators", "coefficient", "value", "low", "high", "n_shared", "note"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(criterion="empathy", data_set="all", n_items=20)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        ((0.6812, 0.61, 0.7499), "0.68 [0.61, 0.75]"),
        ((0.5, NAN, NAN), "0.50"),
        ((0.5, 0.2, math.inf), "0.50 [0.20, no bound]"),
        ((0.5, -math.inf, 0.6), "0.50 [no bound, 0.60]"),
        ((NAN, NAN, NAN), "–"),  # noqa: RUF001
    ],
)
def test_estimates_are_written_with_their_interval(
    estimate: tuple[float, float, float], text: str
) -> None:
    assert frames.estimate_text(*estimate) == text


def test_differences_are_turned_so_that_first_is_ahead_and_sorted() -> None:
    rows = frames.difference_rows(comparisons(), "empathy")
    assert rows["label"].tolist() == [
        "Best ensemble − Base",  # noqa: RUF001
        "Best ensemble − Only empathy",  # noqa: RUF001
    ]
    first = rows.iloc[0]
    assert (first["value"], first["low"], first["high"]) == (0.5, 0.2, 0.7)
    assert first["series"] == "told apart (Holm p < 0.05)"
    assert "P(first better) 0.80" in first["hover"]
    assert rows.iloc[1]["series"] == "not told apart"
    view = tables.comparison_view(comparisons(), "empathy")
    assert view["P(first better) [95 % interval]"].iloc[0] == "0.80 [0.65, 0.90]"
    assert view["Wilcoxon p"].iloc[0] == "< 0.001"
    assert frames.contradictions(comparisons(), "empathy") == []


def test_a_pair_whose_test_and_mean_contradict_each_other_is_not_told_apart() -> None:
    table = comparisons().assign(p_holm=0.01, is_told_apart=False, note="It points both ways.")
    rows = frames.difference_rows(table, "empathy")
    assert set(rows["series"]) == {"not told apart"}
    assert frames.contradictions(table, "empathy") == [
        "Best ensemble and Only empathy: It points both ways.",
        "Base and Best ensemble: It points both ways.",
    ]


def test_agreement_rows_take_the_pair_that_shares_most() -> None:
    rows = frames.agreement_rows(agreement(), "empathy", "all")
    assert rows["label"].tolist() == ["All systems", "All systems", "Base"]
    kappa = rows[rows["series"] == "kappa (quadratic)"].iloc[0]
    assert kappa["value"] == 0.7
    assert len(tables.agreement_view(agreement(), "empathy", "all")) == 5
    assert frames.notes(agreement(), "system", "coefficient") == [
        "base, alpha (ordinal): Unanimous: all."
    ]


def test_hostile_names_are_shown_as_text() -> None:
    table = agreement().assign(system="<img src=x onerror=alert(1)>")
    rows = frames.agreement_rows(table, "empathy", "all")
    figure = figures.intervals(rows, LIGHT, x_title="x")
    told = str(figure.to_json())
    assert "<img" not in told
    assert "&lt;img" in told


def test_intervals_draw_every_estimate_once_with_its_ends() -> None:
    rows = frames.agreement_rows(agreement(), "empathy", "all")
    figure = figures.intervals(rows, DARK, x_title="agreement", reference=0.0)
    drawn = [x for trace in figure.data for x in trace.x]
    assert sorted(x for x in drawn if not math.isnan(x)) == [0.6, 0.7]
    alpha = figure.data[0]
    assert alpha.error_x.array[0] == pytest.approx(0.1)
    assert alpha.error_x.arrayminus[0] == pytest.approx(0.1)
    # Two series on one line stand apart.
    assert figure.data[0].y[0] != figure.data[1].y[0]
    assert figure.layout.xaxis.title.text == "agreement"
    assert figures.intervals(rows.iloc[:0], LIGHT, x_title="x").data == ()


def test_series_keep_their_colours_whatever_the_order() -> None:
    rows = frames.drift_rows(
        pd.DataFrame(
            {
                "annotator": ["ada", "ada"],
                "criterion": ["fluency", "empathy"],
                "drift_per_100": [0.1, 0.2],
                "drift_per_100_low": [0.0, 0.1],
                "drift_per_100_high": [0.2, 0.3],
                "n_ratings": [10, 10],
            }
        )
    )
    colours = {"empathy": "#111111", "fluency": "#222222"}
    figure = figures.intervals(rows, LIGHT, x_title="x", series_colours=colours)
    assert {trace.name: trace.marker.color for trace in figure.data} == colours


def test_marginals_are_stacked_shares_in_the_order_of_the_scale() -> None:
    table = pd.DataFrame(
        {
            "criterion": "c",
            "annotator": "ada",
            "value": [0.0, 1.0, 2.0],
            "n_ratings": [1, 0, 3],
            "share": [0.25, 0.0, 0.75],
        }
    )
    figure = figures.marginal_bars(table, LIGHT)
    assert [trace.name for trace in figure.data] == ["rated 0", "rated 1", "rated 2"]
    assert [trace.x[0] for trace in figure.data] == [0.25, 0.0, 0.75]


@pytest.mark.parametrize("n_objectives", [2, 3, 4])
def test_rated_systems_stand_at_their_weights_for_any_number_of_objectives(
    n_objectives: int,
) -> None:
    objectives = [f"goal {place}" for place in range(n_objectives)]
    weights = pd.DataFrame(
        [("one", *[1.0] + [0.0] * (n_objectives - 1)), ("even", *[0.5] * n_objectives)],
        columns=["system", *objectives],
    )
    means = pd.DataFrame(
        {
            "criterion": "c",
            "data_set": "all",
            "system": ["one", "even", "base"],
            "mean": [0.5, 1.5, 1.0],
            "mean_low": [0.4, 1.4, 0.9],
            "mean_high": [0.6, 1.6, 1.1],
            "share_of_scale": [0.25, 0.75, 0.5],
            "n_ratings": 10,
        }
    )
    overall = overall_means(means)
    placed = frames.placed_ratings(means, overall, weights, "c")
    assert placed["system"].tolist() == ["even", "one"]  # base has no weights; best first
    whole = frames.placed_ratings(means, overall, weights, "all")
    assert whole["value"].tolist() == [0.75, 0.25]
    bars = figures.rating_weights(placed, objectives, LIGHT, title="t")
    assert len(bars.data) == n_objectives
    assert sum(trace.x[0] for trace in bars.data) == pytest.approx(1)
    if n_objectives == 3:
        figure = figures.rating_triangle(
            placed, objectives, LIGHT, title="t", value_range=(0.0, 2.0)
        )
        marks = figure.data[-1]
        assert list(marks.marker.color) == [1.5, 0.5]
        assert [text.strip() for text in marks.text] == ["highest: 1.50 of 2", ""]
        assert "<br>t: 1.50 [1.40, 1.60]<br>weights" in marks.hovertext[0]
        assert (marks.x[1], marks.y[1]) == (0.0, 0.0)  # the corner of the first objective
        assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0.0, 2.0)


def test_strengths_of_groups_that_nothing_compares_are_kept_apart() -> None:
    table = pd.DataFrame(
        [
            ("c", 1, 1, "base", -0.5, -0.9, -0.1, 9, 9, 2, ""),
            ("c", 1, 1, "best", 0.5, 0.1, 0.9, 9, 9, 2, ""),
            ("c", 1, 0, "(tie)", 0.0, -0.1, 0.1, 9, 9, 0, ""),
        ],
        columns=list(COLUMNS),
    )
    rows = strengths.strength_rows(table, "c")
    assert set(rows["series"]) == {"strength"}
    (left_out,) = strengths.strength_sentences(table, "c")
    assert left_out.startswith("Left out: 2 pairs of systems with the very same text")
    other = table.assign(group=2, system=["x", "y", "(tie)"], n_equal_texts=0)
    split = pd.concat([table, other], ignore_index=True)
    rows = strengths.strength_rows(split, "c")
    assert set(rows["series"]) == {"strength within group 1", "strength within group 2"}
    told = strengths.strength_sentences(split, "c")[0]
    assert "cannot be compared: group 1: Base, Best ensemble; group 2: x, y." in told


def test_parts_of_which_one_always_wins_are_told_and_kept_apart() -> None:
    table = pd.DataFrame(
        [
            ("c", 1, 1, "best", 0.5, 0.1, math.inf, 9, 9, 0, "No upper bound."),
            ("c", 1, 1, "base", -0.5, -0.9, -0.1, 9, 9, 0, ""),
            ("c", 1, 2, "x", NAN, NAN, NAN, 9, 9, 0, "It loses every comparison."),
            ("c", 1, 0, "(tie)", 0.0, -0.1, 0.1, 9, 9, 0, ""),
        ],
        columns=list(COLUMNS),
    )
    rows = strengths.strength_rows(table, "c")
    assert rows["series"].tolist() == ["strength within part 1"] * 2 + ["strength within part 2"]
    (told,) = strengths.strength_sentences(table, "c")
    assert told.startswith("Wherever systems of two parts were compared, the one of the earlier")
    assert "(part 1: Base, Best ensemble; part 2: x)" in told
    # The bar without an upper end leaves the picture, and all else stays in it.
    figure = figures.intervals(rows, LIGHT, x_title="x")
    low, high = figure.layout.xaxis.range
    assert low < -0.9
    assert 0.5 < high < 0.5 + figure.data[0].error_x.array[0] < math.inf


def test_items_on_which_annotators_differ_most_come_first() -> None:
    ratings = pd.DataFrame(
        {
            "item_code": ["x", "x", "y", "y"],
            "source_item": ["set/0", "set/0", "set/1", "set/1"],
            "data_set": "set",
            "prompt_index": [0, 0, 1, 1],
            "system": "best",
            "annotator": ["ada", "ben", "ada", "ben"],
            "criterion": "c",
            "value": [1.0, 1.0, 0.0, 2.0],
        }
    )
    scores = pd.DataFrame(
        {"source_item": ["set/1"], "system": ["best"], "criterion": ["c"], "score": [0.75]}
    )
    table = tables.item_table(ratings, rated_items(ratings, scores.iloc[:0]), "c")
    assert table["item_code"].tolist() == ["y", "x"]
    assert table["spread"].tolist() == [2.0, 0.0]
    assert table[["ada", "ben"]].to_numpy().tolist() == [[0.0, 2.0], [1.0, 1.0]]
    assert tables.ratings_of(ratings, "y")["c"].tolist() == [0.0, 2.0]
    assert "automatic" not in table
    assert table["system"].tolist() == ["Best ensemble"] * 2
    scored = tables.item_table(ratings, rated_items(ratings, scores), "c")
    assert scored["automatic"].tolist()[0] == 0.75
    assert math.isnan(scored["automatic"].tolist()[1])


def test_gold_and_repeated_items_are_told_in_words_and_per_cent() -> None:
    gold = pd.DataFrame(
        {
            "annotator": ["ada"],
            "criterion": ["fluency"],
            "n_pairs": [4],
            "mean_difference": [-1.25],
            "share_lower": [0.75],
            "share_higher": [0.0],
        }
    )
    assert tables.gold_view(gold).iloc[0].tolist() == ["ada", "fluency", 4, "-1.25", "75 %", "0 %"]
    pairs = tables.gold_pairs_view(gold).iloc[0]
    assert pairs.tolist() == ["ada", "fluency", 4, "75 %", "25 %", "0 %"]
    repeats = pd.DataFrame(
        {
            "annotator": ["ada", "ben"],
            "criterion": ["fluency"] * 2,
            "n_pairs": [4, 4],
            "share_equal": [0.5, 1.0],
            "mean_difference": [0.0, 0.0],
            "kappa": [0.5, NAN],
            "note": ["", "Unanimous."],
        }
    )
    told = tables.repeats_view(repeats)
    assert told["answered the same"].tolist() == ["50 %", "100 %"]
    assert told["kappa"].tolist() == ["0.50", "–"]  # noqa: RUF001
    assert told["note"].tolist() == ["", "Unanimous."]
    assert "note" not in tables.repeats_view(repeats.iloc[:1])
