"""Section 4 of a datasheet: one quality criterion, how it was asked, and how far people agree."""

from __future__ import annotations

import math

import pandas as pd

from emorl_dashboard.study.analysis.report import Tables
from emorl_dashboard.study.protocol.guidelines import Criterion
from emorl_dashboard.study.protocol.plan import StudyPlan

TO_FILL = "**To be filled in by the owner of the study.**"

Answers = list[tuple[str, str, str]]
"""Number of the question in HEDS 3.0 (empty: not a question of it), question, answer."""


def criterion_answers(
    plan: StudyPlan, criterion: Criterion, tables: Tables, *, n_resamples: int, seed: int
) -> Answers:
    """Return the answers to the questions about one criterion."""
    is_pairwise = plan.mode == "pairwise"
    return [
        ("4.1.1", "Type of quality (correctness, goodness, feature):", TO_FILL),
        ("4.1.2", "Aspect of the outputs (form, content, both):", TO_FILL),
        (
            "4.1.3",
            "Frame of reference:",
            "the output relative to its input: the prompt stands above it.",
        ),
        ("4.2.1", "Objective or subjective:", "subjective."),
        (
            "4.2.2",
            "Absolute or relative:",
            "relative: which of two is better, or a tie." if is_pairwise else "absolute.",
        ),
        ("4.2.3", "Intrinsic or extrinsic:", "intrinsic."),
        ("4.3.1.1", "Name shown to evaluators:", f"{line(criterion.name)}."),
        ("4.3.1.2", "Standardised name of the criterion:", TO_FILL),
        ("4.3.2", "Definition given to evaluators:", _levels(criterion)),
        ("4.3.3", "Size of the scale:", "3." if is_pairwise else f"{len(criterion.levels)}."),
        (
            "4.3.4",
            "Values of the scale:",
            "first, no difference, second."
            if is_pairwise
            else ", ".join(str(level.value) for level in criterion.levels) + ".",
        ),
        (
            "4.3.5",
            "Presentation of the scale:",
            "labelled buttons, none chosen beforehand; also by the keys of their digits.",
        ),
        ("4.3.6", "Task, where there is no rating instrument:", "N/A"),
        (
            "4.3.7",
            "Question that stands beside every item:",
            f"{'Which response is better?' if is_pairwise else line(criterion.question)} "
            f"(guidelines version `{plan.guidelines.version}`)",
        ),
        (
            "4.3.8",
            "Form of response elicitation:",
            "choice between two outputs, ties allowed." if is_pairwise else "direct rating.",
        ),
        ("4.3.9", "From raw responses to reported scores:", _aggregation(plan)),
        (
            "4.3.10",
            "Effect size and significance:",
            f"{_tests(plan)}; 95 % BCa bootstrap intervals over prompts (all systems of a prompt "
            f"together), {n_resamples} resamples, seed {seed}.",
        ),
        (
            "4.3.11.1",
            "Agreement between evaluators, how computed:",
            "percent exact, Krippendorff's alpha (ordinal), Gwet's AC2 over all evaluators; "
            "weighted kappa per pair of them.",
        ),
        ("4.3.11.2", "Agreement between evaluators:", _agreement(tables, criterion.name)),
        (
            "4.3.12.1",
            "Agreement of evaluators with themselves, how computed:",
            "share of items shown twice that got the same answer.",
        ),
        (
            "4.3.12.2",
            "Agreement of evaluators with themselves:",
            _repeats(tables, criterion.name),
        ),
    ]


def line(text: str) -> str:
    """Return a text from plan or file on one line, with Markdown's own letters escaped."""
    plain = " ".join(text.split())
    for letter in "\\`*_{}[]<>#|":
        plain = plain.replace(letter, f"\\{letter}")
    return plain


def _levels(criterion: Criterion) -> str:
    return f"{line(criterion.question)}" + "".join(
        f"\n- {level.value}, {line(level.label)}: {line(level.description)}"
        for level in criterion.levels
    )


def _aggregation(plan: StudyPlan) -> str:
    if plan.mode == "pairwise":
        return "strengths of a Bradley-Terry model with ties (Davidson's model)."
    return "means over evaluators, then over prompts, every prompt alike."


def _tests(plan: StudyPlan) -> str:
    if plan.mode == "pairwise":
        return (
            "strengths of the Bradley-Terry model on a log scale, among systems of which none "
            "wins every comparison with the rest"
        )
    return (
        "differences of means at the same prompts, chance that one system is rated above the "
        "other; Wilcoxon signed-rank test (Pratt; exact up to 25 prompts that differ), corrected "
        "by Holm over all pairs of systems, and no finding where the means point the other way; "
        "a proportional-odds model with errors clustered by prompt as a check"
    )


def _agreement(tables: Tables, criterion: str) -> str:
    table = tables.get("agreement", pd.DataFrame())
    if table.empty:
        return "no ratings."
    whole = table[
        (table["criterion"] == criterion)
        & (table["data_set"] == "all")
        & (table["system"] == "all")
    ]
    parts = []
    for row in whole.to_dict("records"):
        who = "" if row["annotators"] == "all" else f" of {row['annotators']}"
        value = f"{row['value']:.3f}" if math.isfinite(row["value"]) else "undefined"
        ends = f" [{row['low']:.3f}, {row['high']:.3f}]" if math.isfinite(row["low"]) else ""
        note = f" ({row['note']})" if row["note"] else ""
        parts.append(f"\n- {row['coefficient']}{who}: {value}{ends}{note}")
    return "".join(parts) or "no ratings."


def _repeats(tables: Tables, criterion: str) -> str:
    table = tables.get("repeats", pd.DataFrame())
    own = table[table["criterion"] == criterion] if not table.empty else table
    if own.empty:
        return "no item shown twice has two answers of one evaluator."
    return "; ".join(
        f"{row['annotator']}: {100 * row['share_equal']:.0f} % of {row['n_pairs']} equal"
        for row in own.to_dict("records")
    )
