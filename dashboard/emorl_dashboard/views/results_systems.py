"""Part of Results after unblinding: systems compared, people against metrics, the map."""

from __future__ import annotations

import streamlit as st

from emorl_dashboard.figures import results as figures
from emorl_dashboard.frames import results as frames
from emorl_dashboard.frames import results_strengths, results_tables
from emorl_dashboard.study.analysis.bradley_terry import TIE
from emorl_dashboard.study.reporting.results import Results
from emorl_dashboard.views.results_quality import criterion_colours
from emorl_dashboard.widgets import controls
from emorl_dashboard.widgets.charts import chart


def show(results: Results) -> None:
    """Lay out the comparison of systems of a study by rating, or by preference."""
    if "bradley_terry" in results.tables:
        _strengths(results)
        return
    _means(results)
    _pairs(results)
    _human_automatic(results)
    _map(results)


def _means(results: Results) -> None:
    means, ranks = results.tables["means"], results.tables["ranks"]
    plan = results.material.plan
    st.subheader("Systems", anchor=False)
    sets = frames.options(means["data_set"])
    data_set = sets[0]
    if len(sets) > 1:
        data_set = st.selectbox("Data set", sets, key="results-means-set", width=220)
    ink, scale = controls.theme_ink(), _scale(results)
    rows = frames.mean_rows(means, ranks, data_set)
    chart(
        figures.intervals(
            rows,
            ink,
            x_title=f"mean rating, {_ends(scale)}",
            x_range=scale,
            series_colours=criterion_colours(results),
        ),
        key="results-means",
        name=f"{plan.study_id}-means",
        rows=means,
        alt=f"Mean rating of every system with 95 % intervals, data set {data_set}",
    )
    st.caption(
        "Every prompt counts the same. Intervals of two systems may overlap although their "
        "difference is clear: prompts move both together. Compare systems by their differences, "
        "below."
    )


def _pairs(results: Results) -> None:
    pairs = results.tables["comparisons"]
    study = results.material.plan.study_id
    st.markdown("**Differences at the same prompts**")
    if pairs.empty:
        st.caption("A comparison needs two systems.")
        return
    criterion: str = st.selectbox(
        "Criterion", frames.options(pairs["criterion"]), key="results-pairs-criterion", width=220
    )
    st.dataframe(
        results_tables.rank_view(results.tables["ranks"], results.tables["means"], criterion),
        hide_index=True,
        key="results-ranks",
        column_config=controls.number_columns("0 to 1"),
    )
    st.caption(
        "Between rank clusters every pair of systems is told apart (Wilcoxon signed-rank, Holm "
        "over all pairs of systems of the criterion, 5 %, the means the same way round); within "
        "one, not every pair is. "
        "“Rank” bounds the place of a system; “0 to 1” is its mean moved to the range of "
        "the automatic scores."
    )
    rows = frames.difference_rows(pairs, criterion)
    chart(
        figures.intervals(
            rows,
            controls.theme_ink(),
            x_title="mean difference, in points of the scale",
            reference=0.0,
        ),
        key="results-pairs",
        name=f"{study}-differences",
        rows=pairs,
        alt=f"Differences of systems on {criterion} with 95 % intervals",
    )
    for sentence in frames.contradictions(pairs, criterion):
        st.text(sentence)
    with st.expander("All pairs as a table, with P(first better) and p-values"):
        st.dataframe(
            results_tables.comparison_view(pairs, criterion),
            hide_index=True,
            key="results-pairs-table",
        )
        st.caption(
            "P(first better): share of prompts at which it is rated higher, ties by half. The "
            "Wilcoxon p is exact where ratings differ at 25 prompts or fewer."
        )
    with st.expander("Check without equal steps: proportional-odds model"):
        st.dataframe(
            results_tables.ordinal_view(results.tables["ordinal"], criterion),
            hide_index=True,
            key="results-ordinal",
        )
        st.caption(
            "Odds of a higher rating against the reference, annotators and data sets held equal, "
            "errors clustered by prompt. It should order systems as the means do."
        )


def _strengths(results: Results) -> None:
    table = results.tables["bradley_terry"]
    st.subheader("Systems by preference", anchor=False)
    if table.empty:
        st.caption("No preferences yet.")
        return
    criterion: str = st.selectbox(
        "Criterion", frames.options(table["criterion"]), key="results-bt-criterion", width=220
    )
    rows = results_strengths.strength_rows(table, criterion)
    chart(
        figures.intervals(
            rows,
            controls.theme_ink(),
            x_title="strength (0: the average of the systems compared)",
            reference=0.0,
        ),
        key="results-strengths",
        name=f"{results.material.plan.study_id}-strengths",
        rows=table,
        alt=f"Strength of every system on {criterion} with 95 % intervals",
    )
    st.caption(
        "Bradley-Terry with ties (Davidson's model). Only differences mean something: of two "
        "systems that are 1 apart, people prefer the stronger 2.7 times as often as the weaker; 2 "
        "apart, 7.4 times. Ties make two systems more alike. How good any of them is, it does not "
        "say. A bar that runs out of the picture has no bound on that side: hardly any comparison "
        "stands against it."
    )
    for sentence in results_strengths.strength_sentences(table, criterion):
        st.text(sentence)
    shown = table[(table["criterion"] == criterion) & (table["system"] != TIE)]
    for note in frames.notes(shown, "system"):
        st.text(note)


def _human_automatic(results: Results) -> None:
    table = results.tables["human_automatic"]
    st.subheader("People and automatic scores", anchor=False)
    if table.empty:
        st.caption(
            "No automatic scores are stored for these responses and criteria: systems come from "
            "files, the run is gone, or no criterion bears the name of an objective."
        )
        return
    with st.container(horizontal=True, gap="small"):
        criterion: str = st.selectbox(
            "Criterion",
            frames.options(table["criterion"]),
            key="results-auto-criterion",
            width=220,
        )
        sets = frames.options(table["data_set"])
        data_set = sets[0]
        if len(sets) > 1:
            data_set = st.selectbox("Data set", sets, key="results-auto-set", width=220)
    rows = frames.human_automatic_rows(table, criterion, data_set)
    chart(
        figures.intervals(
            rows,
            controls.theme_ink(),
            x_title="agreement of two orders: 0 none, 1 the same",
            x_range=(min(-0.1, float(rows["low"].min()) - 0.04), 1.04),
            reference=0.0,
        ),
        key="results-automatic",
        name=f"{results.material.plan.study_id}-human-automatic",
        rows=table,
        alt=f"Automatic scores against human ratings of {criterion}, with the human ceiling",
    )
    st.caption(
        "Compare the second mark with the third: an automatic score and one annotator, both "
        "against the mean of the other annotators. Within-item tau-b ranks the systems at each "
        "prompt, so that knowing which prompts are hard earns nothing; pooled rho rewards that. "
        "Pairwise accuracy counts ties (tie-calibrated, so slightly flattering). A rank "
        "correlation of the few system means is not given: it proves nothing."
    )
    for note in frames.notes(
        table[(table["criterion"] == criterion) & (table["data_set"] == data_set)],
        "statistic",
        "comparison",
    ):
        st.text(note)


def _map(results: Results) -> None:
    means = results.tables["means"]
    objectives = [str(name) for name in results.weights.columns if name != "system"]
    st.subheader("Ratings over the weights", anchor=False)
    if len(objectives) < 2 or results.weights.empty:
        st.caption("No system of this study is an ensemble with weights of a stored run.")
        return
    criterion: str = st.selectbox(
        "Criterion",
        [*frames.options(means["criterion"]), frames.ALL],
        key="results-map",
        width=220,
    )
    placed = frames.placed_ratings(means, results.tables["overall"], results.weights, criterion)
    value_range = _scale(results, criterion)
    what = f"mean rating of {criterion}"
    if criterion == frames.ALL:
        what, value_range = "mean of all criteria, each moved to 0 to 1", (0.0, 1.0)
    title = what if criterion == frames.ALL else f"{what}, {_ends(value_range)}"
    name = f"{results.material.plan.study_id}-map"
    ink = controls.theme_ink()
    if len(objectives) == 3:
        chart(
            figures.rating_triangle(placed, objectives, ink, title=title, value_range=value_range),
            key="results-triangle",
            name=name,
            rows=placed,
            alt=f"Systems at their weights in the triangle of objectives, coloured by {title}",
        )
        st.caption(
            "Each mark is a rated system at its weights, the nearer to a corner the more of that "
            "objective; colour is what people said. Systems without weights are not here."
        )
        return
    chart(
        figures.rating_weights(placed, objectives, ink, title=title),
        key="results-weights",
        name=name,
        rows=placed,
        alt=f"Weights of every rated system, ordered by {title}",
    )
    st.caption("Best rated on top. Systems without weights are not here.")


def _scale(results: Results, criterion: str = frames.ALL) -> tuple[float, float]:
    """Return the ends of a criterion's scale, or around all scales of the study."""
    criteria = [
        one
        for one in results.material.plan.guidelines.criteria
        if criterion in (frames.ALL, one.name)
    ]
    low = min(one.minimum for one in criteria)
    return float(low), float(max(one.maximum for one in criteria))


def _ends(scale: tuple[float, float]) -> str:
    return f"{scale[0]:g} to {scale[1]:g}"
