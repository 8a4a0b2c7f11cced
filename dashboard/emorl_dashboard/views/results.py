"""Results: what the ratings of a study say, and how sure that is; systems after unblinding."""

from __future__ import annotations

import streamlit as st

from emorl.errors import EmorlError
from emorl_dashboard.data import queries
from emorl_dashboard.frames import results_tables
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.state import selection
from emorl_dashboard.study.protocol.plan import list_studies
from emorl_dashboard.study.reporting.results import Results, export_bytes, results_of
from emorl_dashboard.views import (
    results_blinding,
    results_items,
    results_quality,
    results_systems,
)
from emorl_dashboard.widgets import controls
from emorl_dashboard.widgets.charts import export_rows

TITLE = "Results"
_STUDY = "study"
_CHOSEN = "results-study-chosen"
_PICKER = "results-study"


def render() -> None:
    """Lay out the page: the study, its ratings, their quality; then the systems."""
    for name in selection.NAMES:  # a study is of several runs
        st.query_params.pop(name, None)
    st.title(TITLE, anchor=False)
    studies = list_studies(queries.artifacts_root())
    if not studies:
        controls.next_command(
            "No study has been sealed yet. Plan one on the Study page, or from the command line:",
            "emorl study create --help",
        )
    else:
        _show(studies)
    with st.container(key="page-ready"):
        st.empty()


def _show(studies: list[str]) -> None:
    study_id = _picked(studies)
    if study_id is None:
        return
    try:
        results = results_of(queries.artifacts_root(), study_id)
    except EmorlError as error:
        st.error("The results of this study cannot be shown.")
        st.text(str(error))
        return
    _head(results)
    _coverage(results)
    if "agreement" not in results.tables:
        st.info("Nobody has rated yet: agreement and systems are shown with the first ratings.")
        return
    results_quality.show(results)
    if results.is_open:
        results_systems.show(results)
        results_blinding.show(results)
        results_items.show(results)
        _export(results)
    else:
        _locked(results)


def _picked(studies: list[str]) -> str | None:
    """Let the user choose a study; the choice is in the URL."""
    wanted = st.query_params.get(_STUDY, st.session_state.get(_CHOSEN, ""))[:100]
    if wanted and wanted not in studies:
        st.error("The URL names no sealed study. Choose one of those below.")
    st.session_state[_PICKER] = wanted if wanted in studies else studies[0]
    picked: str = st.selectbox("Study", studies, key=_PICKER, on_change=_remember, width=420)
    st.session_state[_CHOSEN] = st.query_params[_STUDY] = picked
    return picked


def _remember() -> None:
    st.query_params[_STUDY] = st.session_state[_CHOSEN] = st.session_state[_PICKER]


def _head(results: Results) -> None:
    material = results.material
    for remark in material.remarks:
        st.warning(plain(remark))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if material.unblinded_at is None:
            st.badge("blind", icon=":material/lock:", color="orange")
        else:
            st.badge(f"unblinded {material.unblinded_at:%Y-%m-%d %H:%M} UTC", color="green")
        sealed = material.plan.created_at[:16].replace("T", " ")
        st.caption(f"sealed {sealed} UTC · seal `{material.plan.seal[:12]}…`")
    st.caption(
        "Brackets and bars are 95 % intervals: BCa bootstrap over prompts, all systems and "
        f"ratings of a prompt drawn together, {results.n_resamples:,} resamples, seed "
        f"{results.seed}."
    )


def _coverage(results: Results) -> None:
    st.subheader("Coverage and pace", anchor=False)
    coverage, pace = results.tables["coverage"], results.tables["pace"]
    st.dataframe(
        results_tables.coverage_view(coverage),
        hide_index=True,
        key="results-coverage-table",
        placeholder="–",  # noqa: RUF001
    )
    st.caption("An item is complete when as many annotators as the plan wants have rated it.")
    if len(pace):
        st.dataframe(results_tables.pace_view(pace), hide_index=True, key="results-pace-table")
    name = results.material.plan.study_id
    export_rows(coverage, key="results-coverage", name=f"{name}-coverage")


def _locked(results: Results) -> None:
    st.subheader("Systems", anchor=False)
    controls.next_command(
        "Locked: means, comparisons, human against automatic and the item browser open when the "
        "study is unblinded, which ends the rating and is logged. Letters stand for systems above "
        "so that nobody is tempted; there are none where the number of its responses would tell "
        "which system is which. On the Study page, or:",
        f"emorl study unblind {results.material.plan.study_id}",
    )


def _export(results: Results) -> None:
    study_id = results.material.plan.study_id
    st.subheader("For others", anchor=False)
    st.caption(
        "Ratings as Parquet, CSV and JSON, every table of this page, a Human Evaluation "
        "Datasheet (HEDS 3.0), and a bundle whose script prints every number again. Annotators "
        "get pseudonyms; the README inside says what was left out."
    )
    artifacts = queries.artifacts_root()
    st.download_button(
        "Download the study (ZIP)",
        lambda: export_bytes(artifacts, study_id),
        file_name=f"{study_id}-study.zip",
        mime="application/zip",
        key="results-export",
        on_click="ignore",
    )
    st.caption("Or from the command line:")
    st.code(f"emorl study export {study_id}", language="bash", wrap_lines=True)
