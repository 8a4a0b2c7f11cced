"""A Human Evaluation Datasheet of a study, filled in as far as the study itself knows.

Follows the five sections of HEDS 3.0 (Belz and Thomson, "HEDS 3.0: The Human Evaluation Data
Sheet Version 3.0", 2024); the questions are in our own words. What only the owner of the study
knows is marked, never guessed.
"""

from __future__ import annotations

import math
from collections import Counter

import pandas as pd

from dashboard.study.analysis.power import minimal_detectable_difference
from dashboard.study.analysis.report import Tables
from dashboard.study.guidelines import Criterion
from dashboard.study.material import StudyMaterial
from dashboard.study.plan import StudyPlan
from engine.errors import StudyError

TO_FILL = "**To be filled in by the owner of the study.**"

Answers = list[tuple[str, str]]


def datasheet(material: StudyMaterial, tables: Tables, *, n_resamples: int, seed: int) -> str:
    """Return the datasheet as Markdown.

    Args:
        material: The study; unblinded.
        tables: From ``study_tables``.
        n_resamples: Of the bootstrap behind the intervals.
        seed: Of that bootstrap.
    """
    plan = material.plan
    sections: list[tuple[str, Answers]] = [
        ("1. Main reference and supplementary resources", _resources(plan)),
        ("2. Evaluated systems", _systems(plan)),
        ("3.1 Sample of outputs", _sample(plan)),
        ("3.2 Evaluators", _evaluators(tables)),
        ("3.3 Experimental design", _design(material, tables)),
    ]
    sections += [
        (f"4. Quality criterion: {_line(criterion.name)}", _criterion(plan, criterion, tables))
        for criterion in plan.guidelines.criteria
    ]
    sections += [
        ("4. All criteria: statistics", _statistics(plan, n_resamples, seed)),
        ("5. Ethics", _ethics()),
    ]
    parts = [f"# Human Evaluation Datasheet: study {plan.study_id}\n"]
    parts.append(
        "In the sections of HEDS 3.0 (Belz and Thomson, 2024). Filled in from the sealed plan, "
        "the ratings and their analysis; questions that these do not answer are marked.\n"
    )
    for title, answers in sections:
        parts.append(f"\n## {title}\n")
        parts += [f"\n**{question}** {answer}\n" for question, answer in answers]
    return "".join(parts)


def _resources(plan: StudyPlan) -> Answers:
    return [
        ("Reference of the paper or report:", TO_FILL),
        ("Which experiment of it:", f"study `{plan.study_id}`, sealed {plan.created_at}."),
        (
            "Resources:",
            f"the export beside this file; seal of the plan (SHA-256) `{plan.seal}`.",
        ),
        ("Contact:", TO_FILL),
    ]


def _systems(plan: StudyPlan) -> Answers:
    names = "".join(f"\n- {_line(one.name)}: {_line(one.origin)}" for one in plan.systems)
    return [
        ("Input:", "text: a prompt."),
        ("Output:", "text: one response."),
        ("Task:", f"response generation. {TO_FILL} (Which kind, if it matters.)"),
        ("Languages of input and output:", TO_FILL),
        (f"Systems ({len(plan.systems)}):", names),
    ]


def _sample(plan: StudyPlan) -> Answers:
    rated = [item for item in plan.items if item.kind == "rating"]
    per_set = Counter(item.data_set or "unnamed" for item in rated)
    prompts = {item.source_item for item in rated}
    per_system = Counter(name for item in rated for name in (*item.systems, *item.other_systems))
    counts = ", ".join(f"{_line(name)} {n}" for name, n in sorted(per_system.items()))
    sets = ", ".join(f"{_line(name)} {n}" for name, n in sorted(per_set.items()))
    extra = plan.n_of_kind()
    return [
        ("Outputs evaluated per system:", counts + "."),
        ("Distinct items:", f"{len(rated)} ({sets}), of {len(prompts)} prompts."),
        ("Selection of the outputs:", TO_FILL),
        ("Statistical power:", _power(plan, len(prompts))),
        (
            "Control items:",
            f"{extra.get('gold', 0)} damaged copies, {extra.get('repeat', 0)} repeated, "
            f"{extra.get('practice', 0)} for practice (not counted).",
        ),
    ]


def _power(plan: StudyPlan, n_prompts: int) -> str:
    n_systems = len(plan.systems)
    n_raters = plan.n_ratings_per_item or plan.n_annotators
    if plan.mode != "rating" or n_raters is None:
        return "not computed: the plan sets no number of ratings per item by which to simulate."
    scale = plan.guidelines.criteria[0]
    try:
        found = minimal_detectable_difference(
            n_items=n_prompts,
            n_annotators_per_item=n_raters,
            n_systems=n_systems,
            scale=(scale.minimum, scale.maximum),
        )
    except StudyError:
        return "not computed: it takes two systems and two prompts."
    told = "more than the whole scale" if math.isinf(found) else f"{found:.2f}"
    return (
        f"smallest difference of two systems' means found with power 0.8 at 5 % (Holm, "
        f"{math.comb(n_systems, 2)} pairs): {told} on the scale {scale.minimum} to "
        f"{scale.maximum}, by simulation, which no rating enters."
    )


def _evaluators(tables: Tables) -> Answers:
    pace = tables["pace"]
    return [
        ("Number:", f"{len(pace)} annotators have answered at least one item."),
        ("Experts or not; how recruited; paid or not:", TO_FILL),
        ("Known to the authors, or authors themselves:", TO_FILL),
        (
            "Training:",
            "guidelines beside the form on every item, and practice items where the plan has "
            f"them. {TO_FILL} (Any other training.)",
        ),
        ("Further characteristics:", TO_FILL),
    ]


def _design(material: StudyMaterial, tables: Tables) -> Answers:
    plan = material.plan
    k = plan.n_ratings_per_item
    pace = tables["pace"]
    speed = "no answers yet."
    if len(pace):
        speed = ", ".join(
            f"{row.annotator} {row.median_seconds:.0f} s" for row in pace.itertuples(index=False)
        )
    findings = "".join(f"\n- {_line(one)}" for one in plan.findings) or "none."
    return [
        ("Preregistered:", f"sealed before rating (`{plan.seal}`). {TO_FILL} (Where filed.)"),
        (
            "Responses collected with:",
            "the Annotate page of EMORL Atlas, one item at a time, on the annotator's own device.",
        ),
        (
            "Quality assurance:",
            "gold items judged by their difference to the original, repeated items, agreement, "
            "drift over positions (all in `results/`).",
        ),
        (
            "Blinding:",
            "opaque item codes; the order of items, and of systems within an item, is derived "
            "from study seed, annotator and item. Results were locked until "
            f"{material.unblinded_at:%Y-%m-%d %H:%M} UTC. Whether annotators could tell systems "
            "apart was not asked.",
        ),
        ("Ratings per item:", "as many as come." if k is None else f"{k}."),
        ("What evaluators could do:", "go back, skip an item, stop and resume."),
        ("Pace (median per item):", speed),
        ("Findings of the checks before sealing, accepted by the owner:", findings),
        ("Conditions (place, time, attention):", TO_FILL),
    ]


def _criterion(plan: StudyPlan, criterion: Criterion, tables: Tables) -> Answers:
    levels = "".join(
        f"\n- {level.value}, {_line(level.label)}: {_line(level.description)}"
        for level in criterion.levels
    )
    form = "relative: which of two is better, or a tie" if plan.mode == "pairwise" else "absolute"
    return [
        ("Definition, as shown to evaluators:", _line(criterion.question)),
        ("Type of quality (correctness, goodness or feature; form, content or both):", TO_FILL),
        ("Frame of reference:", "the output relative to its input (the prompt stands above it)."),
        ("Mode:", f"{form}, subjective, intrinsic."),
        ("Rating instrument:", levels),
        ("Guidelines:", f"version `{plan.guidelines.version}`."),
        ("Agreement between evaluators:", _agreement(tables, criterion.name)),
        ("Agreement of evaluators with themselves:", _repeats(tables, criterion.name)),
    ]


def _statistics(plan: StudyPlan, n_resamples: int, seed: int) -> Answers:
    test = (
        "Bradley-Terry with ties (Davidson's model)"
        if plan.mode == "pairwise"
        else "means over prompts; paired differences with the Wilcoxon signed-rank test (Pratt), "
        "corrected by Holm within a criterion, the family being all pairs of systems; a "
        "proportional-odds model with errors clustered by prompt as a check"
    )
    return [
        ("Computed from the responses:", f"{test}."),
        (
            "Uncertainty:",
            f"95 % BCa bootstrap over prompts (all systems of a prompt together), {n_resamples} "
            f"resamples, seed {seed}.",
        ),
        (
            "Agreement:",
            "percent exact, Krippendorff's alpha (ordinal), weighted kappa per pair, Gwet's AC2.",
        ),
    ]


def _ethics() -> Answers:
    return [
        ("Approved by an ethics committee:", TO_FILL),
        ("Personal data in what was evaluated or collected:", TO_FILL),
        ("Special categories of personal data:", TO_FILL),
        ("Assessment of impact on evaluators and others:", TO_FILL),
    ]


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
        return "no repeated item has two ratings of one annotator."
    return "; ".join(
        f"{row['annotator']}: {row['share_equal']:.0%} of {row['n_pairs']} equal"
        for row in own.to_dict("records")
    )


def _line(text: str) -> str:
    """Return a text from plan or file on one line, with Markdown's own letters escaped."""
    plain = " ".join(text.split())
    for letter in "\\`*_{}[]<>#|":
        plain = plain.replace(letter, f"\\{letter}")
    return plain
