"""A Human Evaluation Datasheet of a study, filled in as far as the study itself knows.

Has the sections and numbers of HEDS 3.0 (Belz and Thomson, "HEDS 3.0: The Human Evaluation Data
Sheet Version 3.0", arXiv:2412.07940; form at https://nlp-heds.github.io); the questions are in our
own words. What only the owner of the study knows is marked, never guessed.
"""

from __future__ import annotations

import math
from collections import Counter

import pandas as pd

from emorl_dashboard.study.analysis.identification import verdict
from emorl_dashboard.study.analysis.report import Tables
from emorl_dashboard.study.protocol.blinding import short_seal
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.reporting.datasheet_criteria import (
    TO_FILL,
    Answers,
    criterion_answers,
    line,
)
from emorl_dashboard.study.reporting.material import StudyMaterial
from emorl_dashboard.study.reporting.planned_power import sentences, smallest_found


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
        ("3.2 Evaluators", _evaluators(plan, tables)),
        ("3.3 Experimental design", _design(material, tables)),
    ]
    sections += [
        (
            f"4. Quality criterion: {line(criterion.name)}",
            criterion_answers(plan, criterion, tables, n_resamples=n_resamples, seed=seed),
        )
        for criterion in plan.guidelines.criteria
    ]
    sections.append(("5. Ethics", _ethics()))
    parts = [f"# Human Evaluation Datasheet: study {plan.study_id}\n\n"]
    parts.append(
        "Sections and numbers of HEDS 3.0 (Belz and Thomson, 2024, arXiv:2412.07940). Filled in "
        "from the sealed plan, the ratings and their analysis; questions that these do not answer "
        "are marked, and answers without a number are about what HEDS does not ask.\n"
    )
    for title, answers in sections:
        parts.append(f"\n## {title}\n")
        for number, question, answer in answers:
            head = f"{number} {question}" if number else question
            parts.append(f"\n**{head}** {answer}\n")
    return "".join(parts)


def _resources(plan: StudyPlan) -> Answers:
    return [
        ("1.1.1", "Main reference:", TO_FILL),
        ("1.1.2", "Which experiment of it:", f"study `{plan.study_id}`, sealed {_sealed(plan)}."),
        (
            "1.2",
            "Resources:",
            f"the export beside this file; seal of the plan (SHA-256) `{plan.seal}`. {TO_FILL} "
            "(Where it is published.)",
        ),
        ("1.3.1", "Who completed this sheet (name, affiliation, e-mail):", TO_FILL),
        ("1.3.2", "Contact author (name, affiliation, e-mail):", TO_FILL),
    ]


def _sealed(plan: StudyPlan) -> str:
    return f"{plan.created_at[:16].replace('T', ' ')} UTC"


def _systems(plan: StudyPlan) -> Answers:
    names = "".join(f"\n- {line(one.name)}: {line(one.origin)}" for one in plan.systems)
    return [
        ("", f"Systems ({len(plan.systems)}):", names),
        ("2.1", "Input:", "text: a prompt."),
        ("2.2", "Output:", "text: one response."),
        ("2.3", "Task:", f"response generation. {TO_FILL} (Which kind, if it matters.)"),
        ("2.4", "Languages of the input:", TO_FILL),
        ("2.5", "Languages of the output:", TO_FILL),
    ]


def _sample(plan: StudyPlan) -> Answers:
    rated = [item for item in plan.items if item.kind == "rating"]
    per_set = Counter(item.data_set or "unnamed" for item in rated)
    prompts = {item.source_item for item in rated}
    per_system = Counter(name for item in rated for name in (*item.systems, *item.other_systems))
    counts = ", ".join(f"{line(name)} {n}" for name, n in sorted(per_system.items()))
    sets = ", ".join(f"{line(name)} {n}" for name, n in sorted(per_set.items()))
    extra = plan.n_of_kind()
    method, power = _power(plan)
    code = "power_pairs" if plan.mode == "pairwise" else "power"
    return [
        (
            "3.1.1",
            "Outputs evaluated per system:",
            f"{counts}; {len(rated)} distinct items ({sets}) of {len(prompts)} prompts.",
        ),
        (
            "3.1.2",
            "Selection of the outputs:",
            "prompts drawn by a seeded random process from those that all systems of a data set "
            f"answered; all responses to them. {TO_FILL} (How the systems' prompts were chosen.)",
        ),
        ("3.1.3.1", "Statistical power, method:", method),
        ("3.1.3.2", "Statistical power:", power),
        (
            "3.1.3.3",
            "Code of the power analysis:",
            f"`replication/code/emorl_dashboard/study/analysis/{code}.py` of the export.",
        ),
        (
            "",
            "Control items:",
            f"{extra.get('gold', 0)} damaged copies, {extra.get('repeat', 0)} repeated, "
            f"{extra.get('practice', 0)} for practice (not counted).",
        ),
    ]


def _power(plan: StudyPlan) -> tuple[str, str]:
    found = smallest_found(plan)
    if not found:
        return sentences(found)[0], "N/A"
    n_pairs = math.comb(len(plan.systems), 2)
    judged = (
        "95 % interval of the difference of two systems' strengths."
        if plan.mode == "pairwise"
        else "Wilcoxon signed-rank test with Holm's correction over "
        f"{n_pairs} {'pair' if n_pairs == 1 else 'pairs'} of systems."
    )
    told = " ".join(sentences(found))
    return f"simulated studies of this size, which no rating enters; {judged}", told


def _evaluators(plan: StudyPlan, tables: Tables) -> Answers:
    n_exercises = plan.n_of_kind().get("practice", 0)
    return [
        ("3.2.1", "Number of evaluators:", _n_evaluators(tables)),
        ("3.2.2.1", "Domain experts:", TO_FILL),
        ("3.2.2.2", "Paid:", TO_FILL),
        ("3.2.2.3", "Known to the authors before:", TO_FILL),
        ("3.2.2.4", "Researchers of this study among them:", TO_FILL),
        ("3.2.3", "How recruited:", TO_FILL),
        (
            "3.2.4",
            "Training and practice:",
            f"guidelines beside the form on every item; {n_exercises} exercises before the first. "
            f"{TO_FILL} (Any other training.)",
        ),
        ("3.2.5", "Further characteristics:", TO_FILL),
    ]


def _n_evaluators(tables: Tables) -> str:
    """Count who rated; a click on an exercise, or a skip, is no rating."""
    n_rated = tables["pace"]["n_rated"] if len(tables["pace"]) else pd.Series(dtype=int)
    n_others = int((n_rated == 0).sum())
    others = f" ({n_others} more gave no rating: exercises or skips only.)" if n_others else ""
    return f"{int((n_rated > 0).sum())}.{others}"


def _design(material: StudyMaterial, tables: Tables) -> Answers:
    plan = material.plan
    k = plan.n_ratings_per_item
    findings = "".join(f"\n- {line(one)}" for one in plan.findings) or "none."
    return [
        (
            "3.3.1",
            "Preregistered:",
            f"sealed before rating (`{plan.seal}`). {_who_has_the_seal(material)} {TO_FILL} "
            "(Where filed.)",
        ),
        (
            "3.3.2",
            "Medium of the responses:",
            "a web page, the Annotate page of EMORL Atlas, one item at a time.",
        ),
        (
            "3.3.3.1",
            "Quality assurance, types:",
            "quality checks during and after the evaluation.",
        ),
        (
            "3.3.3.2",
            "Quality assurance, methods:",
            "gold items judged against the undamaged original, repeated items, agreement, "
            f"drift over positions (all in `results/`). {TO_FILL} (Whether anybody or anything "
            "was excluded: this export excludes nothing.)",
        ),
        ("3.3.4.1", "Where the form can be seen:", TO_FILL),
        (
            "3.3.4.2",
            "What evaluators see:",
            "the prompt, "
            + ("two responses" if plan.mode == "pairwise" else "one response")
            + ", the questions with their levels, the guidelines, their own progress. No "
            "system's name, no score, nobody else's answers.",
        ),
        (
            "3.3.5",
            "How free in time:",
            "no limit of time; they may stop and resume, go back, change and skip.",
        ),
        (
            "3.3.6",
            "Questions and feedback:",
            f"a flag and a comment on every item. {TO_FILL} (Whom they could ask.)",
        ),
        ("3.3.7", "Conditions:", f"at a place of their own choosing, by link. {TO_FILL}"),
        ("3.3.8", "How conditions differ between evaluators:", TO_FILL),
        ("", "Ratings per item:", "as many as come." if k is None else f"{k}."),
        ("", "Pace (median per item):", _pace(tables)),
        (
            "",
            "Blinding:",
            "opaque item codes; the order of items, and of systems within an item, is derived "
            "from study seed, annotator and item. Results were locked until "
            f"{material.unblinded_at:%Y-%m-%d %H:%M} UTC.",
        ),
        ("", "Could texts betray their system (guessed across prompts):", _guessed(tables)),
        ("", "Findings of the checks before sealing, accepted by the owner:", findings),
        (
            "",
            "Whether plan, log and ratings still vouch for each other:",
            " ".join(map(line, material.remarks)) or "yes.",
        ),
    ]


def _who_has_the_seal(material: StudyMaterial) -> str:
    seal, current = material.plan.seal, material.current
    if "seal" not in current or current.empty or set(current["seal"]) != {seal}:
        return "Not all ratings name the seal."
    if not material.plan.requires_invite:
        return "Every rating names it."
    return f"Annotators were shown its beginning, `{short_seal(seal)}`; every rating names it."


def _pace(tables: Tables) -> str:
    known = tables["pace"].dropna(subset="median_seconds") if len(tables["pace"]) else None
    if known is None or known.empty:
        return "no answers yet."
    seconds = zip(known["annotator"], known["median_seconds"], strict=True)
    return ", ".join(f"{annotator} {median:.0f} s" for annotator, median in seconds) + "."


def _guessed(tables: Tables) -> str:
    table = tables.get("identification", pd.DataFrame())
    if table.empty:
        return "not computed: no ratings."
    told = ((name, verdict(table, name, str)) for name in table["data_set"].unique())
    lines = "".join(f"\n- {line(name)}: {line(sentence)}" for name, sentence in told)
    return f"{lines}\n\nWhether annotators recognised systems was not asked of them."


def _ethics() -> Answers:
    return [
        ("5.1", "Approved by an ethics committee:", TO_FILL),
        ("5.2", "Personal data in what was evaluated or collected:", TO_FILL),
        ("5.3", "Special categories of personal data:", TO_FILL),
        ("5.4", "Assessment of impact:", TO_FILL),
    ]
