"""Part of Results that may be seen before unblinding: agreement, raters, gold and repeats."""

from __future__ import annotations

import streamlit as st

from emorl_dashboard.figures import results as figures
from emorl_dashboard.figures.palette import objective_colour
from emorl_dashboard.frames import results as frames
from emorl_dashboard.frames import results_tables
from emorl_dashboard.frames.results_sides import side_rows
from emorl_dashboard.study.reporting.results import Results
from emorl_dashboard.widgets import controls
from emorl_dashboard.widgets.charts import chart


def show(results: Results) -> None:
    """Lay out agreement, use of the scale, drift, gold and repeated items."""
    _agreement(results)
    if _is_pairwise(results):
        _sides(results)
    else:
        _marginals(results)
    _drift(results)
    _controls(results)


def _agreement(results: Results) -> None:
    table = results.tables["agreement"]
    study = results.material.plan.study_id
    st.subheader("Agreement of annotators", anchor=False)
    criterion, data_set = _where(results, "agreement")
    rows = frames.agreement_rows(table, criterion, data_set)
    if rows["value"].notna().any():
        chart(
            figures.intervals(
                rows,
                controls.theme_ink(),
                x_title="agreement: 0 chance, 1 perfect",
                x_range=(min(-0.1, float(rows["low"].min()) - 0.04), 1.04),
                reference=0.0,
            ),
            key="results-agreement",
            name=f"{study}-agreement",
            rows=table,
            alt=f"Agreement on {criterion} per system with 95 % intervals",
        )
        st.caption(
            "Alpha and kappa fall when nearly all ratings are the same, even if annotators agree; "
            "AC2 does not. A gap between them means skewed ratings. Within one system there is "
            "less to tell apart, so agreement is lower there than over all systems."
            if not _is_pairwise(results)
            else "Agreement on which response is better, or on a tie. By chance both responses of "
            "a pair are as likely to be preferred, whichever is called the first; AC2 counts "
            "chance by how often each answer is given."
        )
    for note in frames.notes(
        table[(table["criterion"] == criterion) & (table["data_set"] == data_set)],
        "system",
        "coefficient",
    ):
        st.text(note)
    with st.expander("All coefficients as a table"):
        st.dataframe(
            results_tables.agreement_view(table, criterion, data_set),
            hide_index=True,
            key="results-agreement-table",
        )


def _marginals(results: Results) -> None:
    table = results.tables["marginals"]
    st.subheader("How each annotator uses the scale", anchor=False)
    chart(
        figures.marginal_bars(table, controls.theme_ink()),
        key="results-marginals",
        name=f"{results.material.plan.study_id}-marginals",
        rows=table,
        alt="Share of each value among each annotator's ratings, per criterion",
    )
    st.caption(
        "Bars of one criterion should look alike. Where they do not, annotators put the steps of "
        "the scale in different places: look at the guidelines before the systems."
    )


def _sides(results: Results) -> None:
    table = results.tables["sides"]
    st.subheader("Which side each annotator prefers", anchor=False)
    chart(
        figures.intervals(
            side_rows(table),
            controls.theme_ink(),
            x_title="share of the annotator's answers",
            x_range=(-0.02, 1.02),
        ),
        key="results-sides",
        name=f"{results.material.plan.study_id}-sides",
        rows=table,
        alt="Share of each annotator's answers for the response shown first, a tie, the second",
    )
    st.caption(
        "Which response stands first is drawn for every annotator and pair, so both sides should "
        "be preferred about as often. Where one is clearly ahead, the annotator chose by the "
        "place and not by the text: look at the answers before the systems."
    )
    for note in frames.notes(table, "annotator", "criterion", "preferred"):
        st.text(note)


def _drift(results: Results) -> None:
    table = results.tables["drift"]
    plan = results.material.plan
    is_pairwise = _is_pairwise(results)
    st.subheader("Drift over positions", anchor=False)
    rows = frames.drift_rows(table)
    chart(
        figures.intervals(
            rows,
            controls.theme_ink(),
            x_title="change of the share “shown first” per 100 items"
            if is_pairwise
            else "change of ratings per 100 items, in points of the scale",
            reference=0.0,
            series_colours=criterion_colours(results),
        ),
        key="results-drift",
        name=f"{plan.study_id}-drift",
        rows=table,
        alt="How much each annotator's answers change over 100 items, with intervals",
    )
    st.caption(
        "An interval clear of 0 is an annotator who came to prefer the response shown first less "
        "often (left) or more often (right): a sign of choosing by the place, or of growing tired."
        if is_pairwise
        else "An interval clear of 0 is an annotator who grew stricter (left) or milder (right) "
        "than the others on the same responses."
    )


def _controls(results: Results) -> None:
    gold, repeats = results.tables["gold"], results.tables["repeats"]
    st.subheader("Gold and repeated items", anchor=False)
    if gold.empty and repeats.empty:
        st.caption("The plan has none, or nobody has rated one with its original yet.")
        return
    if not gold.empty:
        is_pairwise = _is_pairwise(results)
        view = results_tables.gold_pairs_view if is_pairwise else results_tables.gold_view
        st.dataframe(view(gold), hide_index=True, key="results-gold")
        st.caption(
            "Gold items show a response beside its own damaged copy: who sees the damage prefers "
            "the undamaged."
            if is_pairwise
            else "Gold items are damaged copies: the copy minus its original, by the same "
            "annotator, should be negative on the criteria that the damage touches."
        )
    if not repeats.empty:
        st.dataframe(results_tables.repeats_view(repeats), hide_index=True, key="results-repeats")
        st.caption(
            "Items shown twice: how often the second answer equals the first. Few of them say "
            "little; kappa is quadratic."
        )


def criterion_colours(results: Results) -> dict[str, str]:
    """Return the colour of every criterion: that of the objective in its place."""
    ink = controls.theme_ink()
    return {
        criterion.name: objective_colour(place, ink)
        for place, criterion in enumerate(results.material.plan.guidelines.criteria)
    }


def _is_pairwise(results: Results) -> bool:
    return results.material.plan.mode == "pairwise"


def _where(results: Results, name: str) -> tuple[str, str]:
    """Let the user choose a criterion and a data set, for one section."""
    table = results.tables[name]
    with st.container(horizontal=True, gap="small"):
        criterion: str = st.selectbox(
            "Criterion",
            frames.options(table["criterion"]),
            key=f"results-{name}-criterion",
            width=220,
        )
        sets = frames.options(table["data_set"])
        data_set: str = sets[0]
        if len(sets) > 1:
            data_set = st.selectbox("Data set", sets, key=f"results-{name}-set", width=220)
    return criterion, data_set
