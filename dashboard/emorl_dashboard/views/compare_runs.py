"""Part of the comparison: the same methods in several runs."""

from __future__ import annotations

import streamlit as st

from emorl.records import Split
from emorl_dashboard.data import queries
from emorl_dashboard.data import run_cards as cards
from emorl_dashboard.data.queries import Run
from emorl_dashboard.figures.compare import runs_side_by_side
from emorl_dashboard.frames import compare_runs as frames
from emorl_dashboard.frames.compare import MEAN_REWARD
from emorl_dashboard.state import url as asked
from emorl_dashboard.widgets import charts, controls

_MOST_AT_FIRST = 8


def side_by_side(run: Run, split: Split) -> None:
    """Show the methods' scores in runs that share the objectives, and their mean over runs."""
    st.subheader("The same methods in other runs", anchor=False)
    alike = {other.run_id: other for other in queries.runs() if other.objectives == run.objectives}
    if len(alike) < 2:
        st.caption(
            "No other run has the same objectives. Another seed shows how much of a difference is "
            "luck of the training:"
        )
        st.code(run.seed_command(), language="bash", wrap_lines=True)
        return
    first = [one.run_id for one in cards.beside(list(alike.values()), run)][:_MOST_AT_FIRST]
    chosen, measure = _choose(run, list(alike), first)
    rows = [row for name in chosen for row in _rows(alike[name], split)]
    if not rows:
        st.caption("None of these runs has numbers on these prompts yet.")
        return
    summary = frames.over_runs(rows, run.objectives)
    st.caption(frames.runs_note(rows, chosen, split))
    charts.chart(
        runs_side_by_side(rows, summary, measure, controls.theme_ink()),
        key="several-runs",
        name="methods-in-several-runs",
        rows=summary,
        alt="The methods' scores in several runs; the table below holds means and deviations.",
    )
    shown = summary[summary["measure"] == measure].drop(columns="measure")
    st.dataframe(
        shown.rename(columns={"label": "method", "n_runs": "runs", "sd": "± over runs"}),
        hide_index=True,
        key="run-summary",
        column_config=controls.number_columns("mean", "± over runs", "lowest", "highest"),
    )


def _choose(run: Run, names: list[str], first: list[str]) -> tuple[list[str], str]:
    left, right = st.columns([2, 1])
    measures = [MEAN_REWARD, *run.objectives]
    asked.several(run.run_id, "runs", names, default=first)
    asked.one(run.run_id, "score", measures, _words)
    chosen = left.multiselect(
        "Runs",
        names,
        default=first,
        key="runs",
        bind="query-params",
    )
    measure = right.selectbox(
        "Score",
        measures,
        key="score",
        format_func=_words,
        bind="query-params",
    )
    return chosen, measure


def _words(name: str) -> str:
    return name.replace("_", " ")


def _rows(run: Run, split: Split) -> list[frames.Row]:
    return frames.run_rows(
        run.run_id,
        split,
        run.objectives,
        evaluations=queries.table(run, "evaluations").frame,
        systems=queries.table(run, "systems").frame,
        certificates=queries.table(run, "certificates").frame,
    )
