"""Part of Results after unblinding: every rated response with its text and all its ratings."""

from __future__ import annotations

import streamlit as st

from emorl_dashboard.frames import results as frames
from emorl_dashboard.frames import results_tables
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.study.analysis.cells import study_ratings
from emorl_dashboard.study.reporting.results import Results
from emorl_dashboard.widgets import controls
from emorl_dashboard.widgets.charts import export_rows

_HEADINGS = {"data_set": "data set", "prompt_index": "prompt", "spread": "difference"}


def show(results: Results) -> None:
    """Lay out the table of items, and the texts of the selected one."""
    ratings = study_ratings(results.material.data.answers)
    st.subheader("Items", anchor=False)
    criterion: str = st.selectbox(
        "Criterion", frames.options(ratings["criterion"]), key="results-items-criterion", width=220
    )
    table = results_tables.item_table(ratings, results.tables["rated_items"], criterion)
    st.caption(
        f"{len(table):,} rated responses, those on which annotators differ most first. Select a "
        "row to read it."
        + (
            " “automatic” is the score of the response by the run's reward model, 0 to 1."
            if "automatic" in table
            else ""
        )
        + (
            " -1: the response of the system named first was preferred; 1: the other's; 0: a tie."
            if results.material.plan.mode == "pairwise"
            else ""
        )
    )
    chosen = st.dataframe(
        table.drop(columns="item_code").rename(columns=_HEADINGS),
        hide_index=True,
        key=f"results-items-{criterion}",
        height=320,
        on_select="rerun",
        selection_mode="single-row",
        column_config={"mean": st.column_config.NumberColumn(format="%.2f")}
        | controls.number_columns("automatic"),
    )
    study = results.material.plan.study_id
    export_rows(table, key="results-items", name=f"{study}-items")
    picked = chosen.selection.rows
    row = table.iloc[picked[0] if picked and picked[0] < len(table) else 0]
    item = results.material.plan.item(str(row["item_code"]))
    with st.container(border=True, key="results-item"):
        st.caption("Prompt")
        st.text(item.prompt)
        st.caption(_whose("Response", item.systems))
        st.text(item.response or "(empty)")
        if item.other_response is not None:
            st.caption(_whose("Other response", item.other_systems))
            st.text(item.other_response or "(empty)")
        st.dataframe(results_tables.ratings_of(ratings, item.code), key="results-item-ratings")


def _whose(what: str, systems: tuple[str, ...]) -> str:
    return plain(f"{what} of {', '.join(map(frames.system_name, systems))}") if systems else what
