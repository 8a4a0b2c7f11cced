"""Part of Results after unblinding: could annotators have told systems by their texts?"""

from __future__ import annotations

import streamlit as st

from emorl_dashboard.figures import results as figures
from emorl_dashboard.frames import results as frames
from emorl_dashboard.study.analysis.identification import N_PERMUTATIONS, verdict
from emorl_dashboard.study.reporting.results import Results
from emorl_dashboard.widgets import controls
from emorl_dashboard.widgets.charts import chart


def show(results: Results) -> None:
    """Lay out how well the system of a text is guessed from the text alone."""
    table = results.tables["identification"]
    study = results.material.plan.study_id
    st.subheader("Guess the system", anchor=False)
    sets = frames.options(table["data_set"])
    data_set = sets[0]
    if len(sets) > 1:
        data_set = st.selectbox("Data set", sets, key="results-guess-set", width=220)
    st.text(verdict(table, data_set, frames.system_name))
    rows = frames.identification_rows(table, data_set)
    if rows.empty:
        return
    chance = table.loc[table["data_set"] == data_set, "chance"].iloc[0]
    chart(
        figures.intervals(
            rows,
            controls.theme_ink(),
            x_title="share of its texts guessed right (dotted: chance)",
            x_range=(-0.02, 1.04),
            reference=float(chance),
        ),
        key="results-guess",
        name=f"{study}-guess-the-system",
        rows=table,
        alt=f"Share of each system's texts whose system was guessed right, data set {data_set}",
    )
    st.caption(
        "A check of the blinding: a simple classifier reads letters and wording of the responses "
        "to four fifths of the prompts, then guesses who wrote the others. p: against "
        f"{N_PERMUTATIONS} shuffles of the systems' names within every prompt. Annotators can "
        "learn what it learns; what they notice besides, it does not see."
    )
